import {
  OstlerError,
  shown,
  type ConsumeRequest,
  type ResolvedPolicy,
  type Store,
  type Verdict,
} from '@ostler/core'
import type { Connection } from './file/connection.ts'
import { Transactions } from './file/transactions.ts'
import { Health } from './health/health.ts'
import { Idempotency } from './idempotency.ts'
import { SqliteGate } from './limits/gate.ts'
import { Limits } from './limits/limits.ts'
import { resolveOptions, type ResolvedOptions, type SqliteStoreOptions } from './options.ts'

/** What decides, over one open file. */
interface Tables {
  readonly limits: Limits
  readonly health: Health
  readonly idempotency: Idempotency
}

/**
 * The store of several processes on one host: exact, synchronous, on an SQLite file that outlives them. Every decision is one
 * transaction; a call waits for other processes for `busyMs` at most.
 * @throws OstlerError INVALID_OPTIONS; STORE_UNAVAILABLE where the file cannot be had, or better-sqlite3 is missing
 */
export function sqliteStore(options: SqliteStoreOptions): Store<'sync'> {
  const resolved = resolveOptions(options)
  const { time, ...rest } = resolved
  const settings = { ...rest, ownTime: time === 'own' }
  const file = new Transactions<Tables>(settings, (connection) => tablesOf(connection, resolved))
  const store: Store<'sync'> = {
    ...limitsOf(file),
    ...healthOf(file),
    ...fleetOf(file),
    ...lifeOf(file),
  }
  // Not enumerable: who spreads a store to put something in place of its `consume` means all calls.
  return Object.defineProperty(store, 'gate', {
    value: (policies: readonly ResolvedPolicy[]) => new SqliteGate(file, policies),
  })
}

function tablesOf(connection: Connection, options: ResolvedOptions): Tables {
  return {
    limits: new Limits(connection, options),
    health: new Health(connection, options),
    idempotency: new Idempotency(connection, options.maxIdempotencyRecords),
  }
}

type File = Transactions<Tables>
type LimitMethods = 'consume' | 'peek' | 'refund' | 'usage' | 'permits' | 'renew' | 'release'
type HealthMethods = 'acquire' | 'settle' | 'exclude' | 'restore' | 'exclusions' | 'merge'
type FleetMethods = 'putAgents' | 'removeAgents' | 'agents'
type Methods<K extends keyof Store<'sync'>> = Pick<Store<'sync'>, K>

function limitsOf(file: File): Methods<LimitMethods> {
  return {
    consume(request) {
      checkConsume(request)
      const decide = ({ limits }: Tables, nowMs: number): Verdict => limits.consume(request, nowMs)
      const isPlain = request.opId === undefined && request.permit === undefined
      return isPlain ? file.change(request.nowMs, decide) : file.write(request.nowMs, decide)
    },
    peek: (request) => file.read(request.nowMs, ({ limits }, nowMs) => limits.peek(request, nowMs)),
    refund: (request) => (
      whole('cost', request.cost),
      file.write(request.nowMs, ({ limits }, nowMs) => limits.refund(request, nowMs))
    ),
    usage: (key, policies, atMs) =>
      file.read(atMs, ({ limits }, nowMs) => limits.usage(key, policies, nowMs)),
    permits: (key, atMs) => file.read(atMs, ({ limits }, nowMs) => limits.permits(key, nowMs)),
    renew: (key, id, deadlineMs, atMs) => (
      whole('deadlineMs', deadlineMs),
      file.write(atMs, ({ limits }, nowMs) => limits.renew(key, id, deadlineMs, nowMs))
    ),
    release: (key, id, atMs) =>
      file.write(atMs, ({ limits }, nowMs) => limits.release(key, id, nowMs)),
  }
}

function healthOf(file: File): Methods<HealthMethods> {
  return {
    acquire: (request) => (
      whole('deadlineMs', request.deadlineMs),
      file.change(request.nowMs, ({ health }, nowMs) => health.acquire(request, nowMs))
    ),
    settle: (request) => (
      whole('lease.epoch', request.lease.epoch),
      whole('lease.pickedAtMs', request.lease.pickedAtMs),
      file.change(request.nowMs, ({ health }, nowMs) => health.settle(request, nowMs))
    ),
    exclude: (exit, domain, untilMs, atMs) => (
      whole('untilMs', untilMs),
      file.write(atMs, ({ health }, nowMs) => health.exclude(exit, domain, untilMs, nowMs))
    ),
    restore: (exit, domain, atMs) =>
      file.write(atMs, ({ health }, nowMs) => health.restore(exit, domain, nowMs)),
    exclusions: (domain, since, atMs) =>
      file.recall(atMs, ({ health }, nowMs) => health.recall(domain, since, nowMs)) ??
      file.read(atMs, ({ health }, nowMs) => health.exclusions(domain, since, nowMs)),
    merge: (domain, changes, atMs) =>
      file.write(atMs, ({ health }, nowMs) => health.merge(domain, changes, nowMs)),
  }
}

/** Of time, what is asked of the fleet says nothing: 0 leaves it where it is. */
function fleetOf(file: File): Methods<FleetMethods> {
  return {
    putAgents: (agents) => file.write(0, ({ health }) => health.fleet.put(agents)),
    removeAgents: (ids) => file.write(0, ({ health }) => health.fleet.remove(ids)),
    agents: (since) =>
      file.recall(0, ({ health }) => health.fleet.recall(since)) ??
      file.read(0, ({ health }) => health.fleet.changes(since)),
  }
}

function lifeOf(
  file: File,
): Omit<Store<'sync'>, LimitMethods | HealthMethods | FleetMethods | 'gate'> {
  return {
    mode: 'sync',
    name: 'sqlite',
    begin: (request) => (
      whole('runUntilMs', request.runUntilMs),
      whole('expiresAtMs', request.expiresAtMs),
      file.write(request.nowMs, ({ idempotency }, nowMs) => idempotency.begin(request, nowMs))
    ),
    complete: (request) =>
      file.write(request.nowMs, ({ idempotency }, nowMs) => idempotency.complete(request, nowMs)),
    ping: () => file.ping(),
    close: () => file.close(),
  }
}

function checkConsume({ cost, permit }: ConsumeRequest): void {
  whole('cost', cost)
  if (permit === undefined) return
  whole('permit.cap', permit.cap)
  whole('permit.deadlineMs', permit.deadlineMs)
}

/** Numbers that are kept must be whole: SQLite would keep NaN as NULL. A scheduler has seen to it. */
function whole(path: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return
  const message = `${path} must be an integer of 0 or more, got ${shown(value)}`
  throw new OstlerError('INVALID_REQUEST', message)
}
