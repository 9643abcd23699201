import { expectInteger, shown, throwIfAny, unknownField, type Problem } from '@ostler/core'
import { resolve } from 'node:path'

/** Where the store's file is, how safe and how quick it is, and how much it may hold: all but `path` has a default. */
export interface SqliteStoreOptions {
  /** The database file, made where there is none. Beside it stand `-wal` and `-shm`. On a disk of this host, not on a network's. */
  readonly path: string
  /**
   * `sync` (default): what a call has answered survives the death of the process. `batched`: decisions share a transaction, so that
   * each costs a fraction; a crash forgets at most those of the last `flushMs`.
   */
  readonly durability?: 'sync' | 'batched'
  /** How long a batch may be open, in ms: 1 to 10. Default 10. Only with `batched`. */
  readonly flushMs?: number
  /** What was kept survives a loss of power too: each commit waits for the disk. Default false: it survives the death of processes. */
  readonly fsync?: boolean
  /** How long a call may wait for other processes, in ms, holding up its caller: 0 to 50. Default 50. */
  readonly busyMs?: number
  /** `own` (default): decides at this host's clock, read once the file is held. `caller`: at the `nowMs` of each call. */
  readonly time?: 'own' | 'caller'
  /** The file's greatest size in bytes, its log aside: 1 MiB to 1 TiB. Default: what the disk holds. */
  readonly maxBytes?: number
  /** Keys with a row of their own, per policy name: 1 to 10,000,000. Default 100,000. */
  readonly maxKeys?: number
  /** Operations remembered by their opId at once: 1 to 10,000,000. Default 100,000. */
  readonly maxOps?: number
  /** Permits held at once, over all keys: 1 to 10,000,000. Default 100,000. */
  readonly maxPermits?: number
  /** Records of pairs: 1 to 100,000,000. Default 4,000,000. */
  readonly maxRecords?: number
  /** Outstanding leases: 1 to 100,000,000. Default 1,000,000. */
  readonly maxLeases?: number
  /** Agents: 1 to 10,000,000. Default 1,000,000. */
  readonly maxAgents?: number
  /** Idempotency records at once: 1 to 10,000,000. Default 100,000. */
  readonly maxIdempotencyRecords?: number
}

/** Options with every default filled in; the path absolute, and `flushMs` 0 where nothing is batched. */
export type ResolvedOptions = Required<Omit<SqliteStoreOptions, 'durability'>>

/** The least, the most and the default of each number. */
const NUMBERS = {
  flushMs: [1, 10, 10],
  busyMs: [0, 50, 50],
  maxBytes: [1_048_576, 1_099_511_627_776, Infinity],
  maxKeys: [1, 10_000_000, 100_000],
  maxOps: [1, 10_000_000, 100_000],
  maxPermits: [1, 10_000_000, 100_000],
  maxRecords: [1, 100_000_000, 4_000_000],
  maxLeases: [1, 100_000_000, 1_000_000],
  maxAgents: [1, 10_000_000, 1_000_000],
  maxIdempotencyRecords: [1, 10_000_000, 100_000],
} as const satisfies Partial<Record<keyof SqliteStoreOptions, readonly [number, number, number]>>

const WORDS = { durability: ['sync', 'batched'], time: ['own', 'caller'] } as const
const FIELDS = ['path', 'fsync', ...Object.keys(WORDS), ...Object.keys(NUMBERS)]

/** Checks options and fills in their defaults. @throws OstlerError INVALID_OPTIONS, with every problem by its path */
export function resolveOptions(options: SqliteStoreOptions): ResolvedOptions {
  throwIfAny('INVALID_OPTIONS', problemsOf(options))
  const { path, durability = 'sync', fsync = false, time = 'own' } = options
  const numbers = Object.entries(NUMBERS).map(([name, [, , usual]]) => [
    name,
    options[name as keyof typeof NUMBERS] ?? usual,
  ])
  const resolved = Object.fromEntries(numbers) as Record<keyof typeof NUMBERS, number>
  const flushMs = durability === 'sync' ? 0 : resolved.flushMs
  return { ...resolved, path: resolve(path), fsync, time, flushMs }
}

function problemsOf(options: unknown): Problem[] {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return [{ path: '', message: `options must be an object, got ${shown(options)}` }]
  }
  const problems: Problem[] = []
  const given = options as Readonly<Record<string, unknown>>
  pathProblems(problems, given['path'])
  for (const [name, value] of Object.entries(given)) {
    if (name === 'path' || value === undefined) continue
    if (Object.hasOwn(NUMBERS, name)) {
      const [least, most] = NUMBERS[name as keyof typeof NUMBERS]
      expectInteger(problems, name, value, least, most)
    } else if (Object.hasOwn(WORDS, name)) {
      const words: readonly unknown[] = WORDS[name as keyof typeof WORDS]
      if (words.includes(value)) continue
      problems.push({ path: name, message: `must be ${words.join(' or ')}, got ${shown(value)}` })
    } else if (name !== 'fsync') {
      problems.push({ path: '', message: unknownField(name, "a sqlite store's options", FIELDS) })
    } else if (typeof value !== 'boolean') {
      problems.push({ path: name, message: `must be true or false, got ${shown(value)}` })
    }
  }
  if (given['flushMs'] !== undefined && given['durability'] !== 'batched') {
    const message = `must be absent without durability: 'batched', got ${shown(given['flushMs'])}`
    problems.push({ path: 'flushMs', message })
  }
  return problems
}

function pathProblems(problems: Problem[], path: unknown): void {
  if (typeof path === 'string' && path !== '' && !/^:memory:$|^file:|\0/.test(path)) return
  const message = `must be the path of a file, not a url or :memory:, got ${shown(path)}`
  problems.push({ path: 'path', message })
}
