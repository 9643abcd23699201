import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore, Scheduler, seededRandom, type Lease, type Store } from '@ostler/core'
import { sqliteStore } from '@ostler/store-sqlite'
import type { Case, Table } from '../case.ts'
import { benchClock, fill, placedAgents, type BenchClock } from '../rig/fleet.ts'
import { keyNames } from '../rig/keys.ts'
import { loadPeer } from '../rig/peers.ts'

/** So many that no run uses up their 60 a minute by the machine's clock. */
const KEYS = 2_000
const AGENTS = 1_000
/** By how much an injected clock moves on with each call: each key comes every 4 s. */
const STEP_MS = 2
/** Keys that nobody has seen, in place of those that came before. */
const NEW = -1
const OK = { kind: 'ok', latencyMs: 200 } as const
const UPSERT = 'a bare upsert'
const FLEXIBLE = 'rate-limiter-flexible, SQLite'
const FILE = 'a file of its own in the temporary folder, WAL, no wait for the disk'

export const sqliteTables: readonly Table[] = [
  {
    name: 'SQLite, sync',
    about: `One call a transaction; ${KEYS.toLocaleString('en')} keys that came before, but for the rows of new ones; 60 a minute; ${FILE}.`,
    needs: 'sqlite',
    cases: [
      admitting('ostler, admit', (path) => sqliteStore({ path })),
      admitting('ostler, admit of a new key', (path) => sqliteStore({ path }), NEW),
      reporting('ostler, report', (path) => sqliteStore({ path })),
      upsert(UPSERT),
      upsert('a bare upsert of a new key', NEW),
      flexible(),
    ],
    bounds: [
      { row: 'ostler, admit', against: UPSERT, most: 1.5 },
      { row: 'ostler, report', against: UPSERT, most: 1.5 },
      { row: 'ostler, admit', against: FLEXIBLE, faster: true, least: 2.5 },
    ],
  },
  {
    name: 'SQLite, batched',
    about: `Decisions of 10 ms share a transaction; the same calls on the memory store beside; ${KEYS.toLocaleString('en')} keys, all admitted, for the clock is injected; ${FILE}.`,
    needs: 'sqlite',
    cases: [
      admitting('admit, batched', batched, KEYS, benchClock),
      admitting('admit, memory', () => memoryStore(), KEYS, benchClock),
      reporting('report, batched', (path) => sqliteStore({ path, durability: 'batched' })),
      reporting('report, memory', () => memoryStore()),
    ],
    bounds: [
      { row: 'admit, batched', against: 'admit, memory', most: 2 },
      { row: 'report, batched', against: 'report, memory', most: 2 },
    ],
  },
]

/** It decides by the instants that it is given: those of an injected clock. */
export function batched(path: string): Store<'sync'> {
  return sqliteStore({ path, durability: 'batched', time: 'caller' })
}

interface Opened {
  readonly dir: string
  readonly scheduler: Scheduler
  done: number
}

function open(store: (path: string) => Store<'sync'>, clock: BenchClock | null): Opened {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-bench-'))
  const scheduler = new Scheduler({
    store: store(join(dir, 'ostler.db')),
    random: seededRandom(7),
    ...(clock !== null && { clock }),
    tiers: { free: { policies: [{ name: 'free', limit: 60, windowMs: 60_000 }] } },
  })
  return { dir, scheduler, done: 0 }
}

function close({ dir, scheduler }: Opened): void {
  scheduler.close()
  rmSync(dir, { recursive: true, force: true })
}

function expectDone({ done }: { readonly done: number }): void {
  if (done === 0) throw new Error('nothing was done')
}

/** The i-th key that is asked for: all in turn, in no order that a page of the file knows. */
function keyOf(keys: readonly string[], i: number): string {
  return keys.length === 0 ? `new-key-${i}` : keys[(i * 7_919) % keys.length]
}

interface Admitting extends Opened {
  readonly keys: readonly string[]
  readonly clock: BenchClock | null
  next: number
}

/** By the machine's clock, unless another is made. */
export function admitting(
  name: string,
  store: (path: string) => Store<'sync'>,
  known: number = KEYS,
  makeClock: () => BenchClock | null = () => null,
  stepMs: number = STEP_MS,
): Case<Admitting> {
  return {
    name,
    kind: 'ours',
    setup() {
      const clock = makeClock()
      const opened = open(store, clock)
      const keys = known === NEW ? [] : keyNames(known)
      for (const key of keys) opened.scheduler.admit({ key, tier: 'free' })
      return { ...opened, keys, clock, next: 0 }
    },
    run(state) {
      if (state.clock !== null) state.clock.ms += stepMs
      const key = keyOf(state.keys, state.next++)
      const { allowed, degraded } = state.scheduler.admit({ key, tier: 'free' })
      if (allowed && !degraded) state.done++
    },
    // A denial writes nothing, and so would show half of the truth.
    validate(state) {
      if (state.done < 0.95 * state.next) {
        throw new Error(`${state.done} of ${state.next} were admitted`)
      }
      expectDone(state)
    },
    close,
  }
}

type Reporting = Opened & { lease: Lease | null }

function reporting(name: string, store: (path: string) => Store<'sync'>): Case<Reporting> {
  return {
    name,
    kind: 'ours',
    setup() {
      const opened = open(store, null)
      fill(opened.scheduler, placedAgents(AGENTS))
      return { ...opened, lease: null }
    },
    before(state) {
      const pick = state.scheduler.pick({ domain: 'shop.example', geo: 'DE' })
      state.lease = pick.kind === 'picked' ? pick.lease : null
    },
    run(state) {
      if (state.lease === null) return
      state.scheduler.report(state.lease, OK)
      state.done++
    },
    validate: expectDone,
    close,
  }
}

interface Statement {
  run(...values: unknown[]): void
}
interface Database {
  pragma(text: string): unknown
  exec(text: string): void
  prepare(text: string): Statement
  close(): void
}

interface OnFile {
  readonly dir: string
  readonly database: Database
  readonly keys: readonly string[]
  done: number
}

async function onFile(known: number = KEYS): Promise<OnFile> {
  const { default: Sqlite } = (await import('better-sqlite3')) as unknown as {
    default: new (path: string) => Database
  }
  const dir = mkdtempSync(join(tmpdir(), 'ostler-bench-'))
  const database = new Sqlite(join(dir, 'bench.db'))
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = NORMAL')
  return { dir, database, keys: known === NEW ? [] : keyNames(known), done: 0 }
}

function closeFile({ dir, database }: OnFile): void {
  database.close()
  rmSync(dir, { recursive: true, force: true })
}

interface Upserting extends OnFile {
  readonly statement: Statement
  readonly frame: { readonly begin: Statement; readonly commit: Statement } | null
}

/** The least that a decision which outlives its process can cost: one statement, one commit; `framed`: in a transaction that is begun and ended by hand. */
export function upsert(name: string, known?: number, framed = false): Case<Upserting> {
  return {
    name,
    kind: 'floor',
    async setup() {
      const file = await onFile(known)
      file.database.exec('create table hits (key text primary key, count integer) without rowid')
      const text = 'insert into hits values (?, 1) on conflict do update set count = count + 1'
      const statement = file.database.prepare(text)
      for (const key of file.keys) statement.run(key)
      const begin = file.database.prepare('begin immediate')
      const commit = file.database.prepare('commit')
      return { ...file, statement, frame: framed ? { begin, commit } : null }
    },
    run(state) {
      state.frame?.begin.run()
      state.statement.run(keyOf(state.keys, state.done++))
      state.frame?.commit.run()
    },
    validate: expectDone,
    close: closeFile,
  }
}

interface Flexible {
  consume(key: string): Promise<object>
}

function flexible(): Case<OnFile & { readonly limiter: Flexible }> {
  return {
    name: FLEXIBLE,
    kind: 'peer',
    note: 'a fixed window; over better-sqlite3, on a file like ours',
    async: true,
    async setup() {
      const { RateLimiterSQLite } = await loadPeer<{
        RateLimiterSQLite: new (options: object, ready: (error?: Error) => void) => Flexible
      }>('rate-limiter-flexible')
      const file = await onFile()
      const limiter = await new Promise<Flexible>((resolve, reject) => {
        const made: Flexible = new RateLimiterSQLite(
          {
            storeClient: file.database,
            storeType: 'better-sqlite3',
            tableName: 'rate_limits',
            points: 1_000_000,
            duration: 60,
          },
          (error) => (error ? reject(error) : queueMicrotask(() => resolve(made))),
        )
      })
      for (const key of file.keys) await limiter.consume(key)
      return { ...file, limiter }
    },
    async run(state) {
      await state.limiter.consume(keyOf(state.keys, state.done++))
    },
    validate: expectDone,
    close: closeFile,
  }
}
