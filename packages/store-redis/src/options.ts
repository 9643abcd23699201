import { expectInteger, shown, throwIfAny, unknownField, type Problem } from '@ostler/core'
import { isCluster, type RedisClient } from './client.ts'

export interface RedisStoreOptions {
  /**
   * An ioredis `Redis` or `Cluster` of yours, used as it is: `close` leaves it open. Its settings
   * decide how fast calls fail while there is no connection; see the README.
   */
  readonly client?: RedisClient
  /** Instead of a client: `redis://` or `rediss://`, of one server. The store opens and closes it. */
  readonly url?: string
  /** What all names in Redis begin with: 1 to 64 characters of A-Z a-z 0-9 . _ : -. Default `ostler`. */
  readonly prefix?: string
  /** How long a call may take, in ms: 5 to 60,000. Past it, STORE_UNAVAILABLE. Default 50. */
  readonly budgetMs?: number
  /**
   * Whose clock decides. Default `server`: that of Redis, and each call's `nowMs` is passed over.
   * `caller` is for tests and simulations; time never goes back there.
   */
  readonly time?: 'server' | 'caller'
  /**
   * When a change of a pair's health is told to be done. Default `primary`: once the primary has
   * it. `replicated`: once `replicas` replicas have it too, else the call fails.
   */
  readonly durability?: 'primary' | 'replicated'
  /** How many replicas `replicated` waits for: 1 to 16. Default 1. */
  readonly replicas?: number
  /**
   * Keys whose denials are repeated from memory until they can end: 0 (none) to 1,000,000. Needs
   * `subscribe`. Default 10,000.
   */
  readonly denialCache?: number
  /** Whether to hear of other processes' changes, over a connection of its own. Default true. */
  readonly subscribe?: boolean
  /** Pairs kept per domain: 1 to 100,000,000. Default 1,000,000. */
  readonly maxRecords?: number
  /** Leases kept per domain: 1 to 100,000,000. Default 1,000,000. */
  readonly maxLeases?: number
  /** Agents in the fleet: 1 to 10,000,000. Default 1,000,000. */
  readonly maxAgents?: number
}

/** Options with every default filled in. */
export type ResolvedOptions = Required<Omit<RedisStoreOptions, 'client' | 'url'>> & {
  readonly client: RedisClient | undefined
  readonly url: string | undefined
}

/** Least, most and default of the numbers. */
const NUMBERS = {
  budgetMs: [5, 60_000, 50],
  replicas: [1, 16, 1],
  denialCache: [0, 1_000_000, 10_000],
  maxRecords: [1, 100_000_000, 1_000_000],
  maxLeases: [1, 100_000_000, 1_000_000],
  maxAgents: [1, 10_000_000, 1_000_000],
} as const satisfies Record<string, readonly [least: number, most: number, usual: number]>

const CHOICES = {
  time: ['server', 'caller'],
  durability: ['primary', 'replicated'],
  subscribe: [true, false],
} as const satisfies Record<string, readonly unknown[]>

const PREFIX = /^[A-Za-z0-9._:-]{1,64}$/
const FIELDS = ['client', 'url', 'prefix', ...Object.keys(NUMBERS), ...Object.keys(CHOICES)]

/** Checks options and fills in defaults. @throws OstlerError INVALID_OPTIONS, with every problem by its path. */
export function resolveOptions(options: RedisStoreOptions): ResolvedOptions {
  throwIfAny('INVALID_OPTIONS', problemsOf(options))
  return {
    client: options.client,
    url: options.url,
    prefix: options.prefix ?? 'ostler',
    budgetMs: options.budgetMs ?? NUMBERS.budgetMs[2],
    time: options.time ?? 'server',
    durability: options.durability ?? 'primary',
    replicas: options.replicas ?? NUMBERS.replicas[2],
    denialCache: options.denialCache ?? NUMBERS.denialCache[2],
    subscribe: options.subscribe ?? true,
    maxRecords: options.maxRecords ?? NUMBERS.maxRecords[2],
    maxLeases: options.maxLeases ?? NUMBERS.maxLeases[2],
    maxAgents: options.maxAgents ?? NUMBERS.maxAgents[2],
  }
}

function problemsOf(options: unknown): Problem[] {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return [{ path: '', message: `options must be an object, got ${shown(options)}` }]
  }
  const given = options as Readonly<Record<string, unknown>>
  const problems: Problem[] = []
  for (const name of Object.keys(given)) {
    if (FIELDS.includes(name)) continue
    problems.push({
      path: 'options',
      message: unknownField(name, "a Redis store's options", FIELDS),
    })
  }
  serverProblems(problems, given)
  const { prefix } = given
  if (prefix !== undefined && !(typeof prefix === 'string' && PREFIX.test(prefix))) {
    const message = `must be 1 to 64 characters of A-Z a-z 0-9 . _ : -, got ${shown(prefix)}`
    problems.push({ path: 'prefix', message })
  }
  for (const [name, [least, most]] of Object.entries(NUMBERS)) {
    if (given[name] !== undefined) expectInteger(problems, name, given[name], least, most)
  }
  for (const [name, choices] of Object.entries<readonly unknown[]>(CHOICES)) {
    if (given[name] === undefined || choices.includes(given[name])) continue
    const message = `must be ${choices.map(shown).join(' or ')}, got ${shown(given[name])}`
    problems.push({ path: name, message })
  }
  return problems
}

/** Exactly one of `client` and `url`. */
function serverProblems(problems: Problem[], given: Readonly<Record<string, unknown>>): void {
  const { client, url } = given
  if ((client === undefined) === (url === undefined)) {
    const got = client === undefined ? 'neither' : 'both'
    problems.push({ path: 'options', message: `must hold one of client and url, got ${got}` })
  }
  if (client !== undefined && !isClient(client)) {
    const message = `must be an ioredis Redis or Cluster, got ${shown(client)}`
    problems.push({ path: 'client', message })
  }
  if (isClient(client) && withStringNumbers(client)) {
    problems.push({ path: 'client', message: 'must not be set to stringNumbers, got true' })
  }
  if (url !== undefined && !isRedisUrl(url)) {
    const message = `must be a redis:// or rediss:// url with a host, got ${shown(url)}`
    problems.push({ path: 'url', message })
  }
}

/** By what is used of it, for the class may be another copy's. */
function isClient(value: unknown): value is RedisClient {
  if (typeof value !== 'object' || value === null) return false
  const { call, callBuffer, pipeline, duplicate, status } = value as Readonly<
    Record<string, unknown>
  >
  const functions = [call, callBuffer, pipeline, duplicate].every(
    (each) => typeof each === 'function',
  )
  return functions && typeof status === 'string'
}

function withStringNumbers(client: RedisClient): boolean {
  const settings = isCluster(client) ? client.options.redisOptions : client.options
  return settings?.stringNumbers === true
}

function isRedisUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const { protocol, hostname } = new URL(value)
  return (protocol === 'redis:' || protocol === 'rediss:') && hostname !== ''
}
