import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore, Scheduler, seededRandom, type Lease, type Store } from '@ostler/core'
import { sqliteStore } from '@ostler/store-sqlite'
import type { Case, Table } from '../case.ts'
import { fill, placedAgents } from '../rig/fleet.ts'
import { keyNames } from '../rig/keys.ts'
import { loadPeer } from '../rig/peers.ts'

const KEYS = 1_000
const AGENTS = 1_000
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
    about: `Decisions of 10 ms share a transaction; the same calls on the memory store beside; ${FILE}.`,
    needs: 'sqlite',
    cases: [
      admitting('admit, batched', (path) => sqliteStore({ path, durability: 'batched' })),
      admitting('admit, memory', () => memoryStore()),
      reporting('report, batched', (path) => sqliteStore({ path, durability: 'batched' })),
      reporting('report, memory', () => memoryStore()),
    ],
    bounds: [
      { row: 'admit, batched', against: 'admit, memory', most: 2 },
      { row: 'report, batched', against: 'report, memory', most: 2 },
    ],
  },
]

interface Opened {
  readonly dir: string
  readonly scheduler: Scheduler
  done: number
}

function open(store: (path: string) => Store<'sync'>): Opened {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-bench-'))
  const scheduler = new Scheduler({
    store: store(join(dir, 'ostler.db')),
    random: seededRandom(7),
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

type Admitting = Opened & { readonly keys: readonly string[]; next: number }

function admitting(
  name: string,
  store: (path: string) => Store<'sync'>,
  known: number = KEYS,
): Case<Admitting> {
  return {
    name,
    kind: 'ours',
    setup() {
      const opened = open(store)
      const keys = known === NEW ? [] : keyNames(known)
      for (const key of keys) opened.scheduler.admit({ key, tier: 'free' })
      return { ...opened, keys, next: 0 }
    },
    run(state) {
      const key = keyOf(state.keys, state.next++)
      if (!state.scheduler.admit({ key, tier: 'free' }).degraded) state.done++
    },
    validate(state) {
      if (state.done !== state.next) throw new Error(`${state.done} of ${state.next} were decided`)
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
      const opened = open(store)
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

/** The least that a decision which outlives its process can cost: one statement, one commit. */
function upsert(name: string, known?: number): Case<OnFile & { readonly statement: Statement }> {
  return {
    name,
    kind: 'floor',
    async setup() {
      const file = await onFile(known)
      file.database.exec('create table hits (key text primary key, count integer) without rowid')
      const text = 'insert into hits values (?, 1) on conflict do update set count = count + 1'
      const statement = file.database.prepare(text)
      for (const key of file.keys) statement.run(key)
      return { ...file, statement }
    },
    run(state) {
      state.statement.run(keyOf(state.keys, state.done++))
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
