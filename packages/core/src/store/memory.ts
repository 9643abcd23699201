import { secretSeed } from '../clock.ts'
import {
  expectInteger,
  OstlerError,
  shown,
  throwIfAny,
  unknownField,
  type Problem,
} from '../errors.ts'
import type { ResolvedPolicy } from '../limit/policy.ts'
import { MemoryHealth, type MemoryHealthOptions } from './memory-health.ts'
import { MemoryLimits, type MemoryLimitsOptions } from './memory-limits.ts'
import { MemoryOps } from './memory-ops.ts'
import type { Store } from './store.ts'

/** How much a memory store may hold: every bound has a default. */
export interface MemoryStoreOptions extends MemoryLimitsOptions, MemoryHealthOptions {
  /** Idempotency records at once: 1 to 10,000,000. Default 100,000. */
  readonly maxIdempotencyRecords?: number
}

/**
 * The store of one process: exact, synchronous, gone when the process ends. Several schedulers may share one.
 * @throws OstlerError INVALID_OPTIONS
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store<'sync'> {
  throwIfAny('INVALID_OPTIONS', problemsOf(options))
  const seed = options.seed ?? secretSeed()
  const limits = new MemoryLimits({ ...options, seed })
  const health = new MemoryHealth(options)
  const { maxIdempotencyRecords = 100_000 } = options
  const ops = new MemoryOps({ maxRecords: maxIdempotencyRecords })
  let closed = false
  const check = (): void => {
    if (closed) throw new OstlerError('CLOSED', 'the memory store is closed')
  }
  const store: Store<'sync'> = {
    mode: 'sync',
    name: 'memory',
    local: true,
    consume: (request) => (check(), limits.consume(request)),
    peek: (request) => (check(), limits.peek(request)),
    refund: (request) => (check(), limits.refund(request)),
    usage: (key, policies, nowMs) => (check(), limits.usage(key, policies, nowMs)),
    permits: (key, nowMs) => (check(), limits.permits(key, nowMs)),
    renew: (key, id, deadlineMs, nowMs) => (check(), limits.renew(key, id, deadlineMs, nowMs)),
    release: (key, id, nowMs) => (check(), limits.release(key, id, nowMs)),
    acquire: (request) => (check(), health.acquire(request)),
    settle: (request) => (check(), health.settle(request)),
    exclude: (exit, domain, untilMs, nowMs) => (
      check(),
      health.exclude(exit, domain, untilMs, nowMs)
    ),
    restore: (exit, domain, nowMs) => (check(), health.restore(exit, domain, nowMs)),
    exclusions: (domain, since, nowMs) => (check(), health.exclusions(domain, since, nowMs)),
    record: (exit, domain, nowMs) => (check(), health.record(exit, domain, nowMs)),
    merge: (domain, changes, nowMs) => (check(), health.merge(domain, changes, nowMs)),
    putAgents: (agents) => (check(), health.putAgents(agents)),
    removeAgents: (ids) => (check(), health.removeAgents(ids)),
    agents: (since) => (check(), health.agents(since)),
    begin: (request) => (check(), ops.begin(request)),
    complete: (request) => (check(), ops.complete(request)),
    close: () => {
      closed = true
      limits.close()
    },
  }
  // Not enumerable: who spreads a store to put something in place of its `consume` means all calls.
  return Object.defineProperty(store, 'gate', {
    value: (policies: readonly ResolvedPolicy[]) => (check(), limits.gate(policies)),
  })
}

/** The least and the most of each option: the parts that they go to trust them. */
const BOUNDS: Readonly<Record<keyof MemoryStoreOptions, readonly [least: number, most: number]>> = {
  maxKeys: [1, 10_000_000],
  maxOps: [1, 10_000_000],
  maxPermits: [1, 10_000_000],
  seed: [0, 4_294_967_295],
  maxRecords: [1, 100_000_000],
  maxLeases: [1, 100_000_000],
  maxAgents: [1, 10_000_000],
  maxIdempotencyRecords: [1, 10_000_000],
}

function problemsOf(options: unknown): Problem[] {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return [{ path: '', message: `options must be an object, got ${shown(options)}` }]
  }
  const problems: Problem[] = []
  for (const [name, value] of Object.entries(options)) {
    const bounds = Object.hasOwn(BOUNDS, name) ? BOUNDS[name as keyof MemoryStoreOptions] : null
    if (bounds === null) {
      const message = unknownField(name, "a memory store's options", Object.keys(BOUNDS))
      problems.push({ path: 'options', message })
    } else if (value !== undefined) expectInteger(problems, name, value, bounds[0], bounds[1])
  }
  return problems
}
