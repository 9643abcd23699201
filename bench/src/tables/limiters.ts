import type { Case } from '../case.ts'
import type { Calls, Load } from '../rig/keys.ts'
import { loadPeer } from '../rig/peers.ts'

const OPS = 1_024
/** A fixed window costs the same whatever its limit, and theirs cannot be given a clock: so nothing is denied. */
const PLENTY = 1_000_000_000
/** One limiter object for each key: a million of them would be another test. */
const MOST_BUCKETS = 10_000

/** The limiters of others, in memory, each called as its README says. `limit` is what a key may use in a minute. */
export function limiters(load: Load, limit: number = PLENTY): readonly Case[] {
  return [
    fastRateLimit(load, limit),
    localStore(load, limit),
    flexible(load, limit),
    expressStore(load, limit),
    ...(load.keyCount > MOST_BUCKETS ? [] : [tokenBucket(load, limit)]),
  ]
}

interface FastRateLimit {
  consumeSync(key: string): boolean
}

function fastRateLimit(load: Load, limit: number): Case<Calls<FastRateLimit>> {
  return {
    name: 'fast-ratelimit',
    kind: 'peer',
    note: 'a fixed window; answers a boolean',
    ops: OPS,
    async setup() {
      const { FastRateLimit } = await loadPeer<{
        FastRateLimit: new (options: object) => FastRateLimit
      }>('fast-ratelimit')
      const limiter = new FastRateLimit({ threshold: limit, ttl: 60 })
      for (const key of known(load, limit)) limiter.consumeSync(key)
      return load.calls(limiter)
    },
    ...refreshing(load),
    run(calls) {
      const { keys, order, limiter } = calls
      const mask = order.length - 1
      let allowed = 0
      for (let i = 0; i < OPS; i++) {
        if (limiter.consumeSync(keys[order[calls.at++ & mask]])) allowed++
      }
      calls.allowed += allowed
      calls.made += OPS
    },
    validate: (calls) => expectAll(calls, limit),
  }
}

interface Current {
  readonly current: number
}
interface LocalStore {
  incr(key: string, done: (error: null, state: Current) => void, ms: number, max: number): void
}

function localStore(load: Load, limit: number): Case<Calls<LocalStore>> {
  return {
    name: '@fastify/rate-limit, local store',
    kind: 'peer',
    note: 'a fixed window in an LRU that holds every key; answers by a callback',
    ops: OPS,
    async setup() {
      const { default: LocalStore } = await loadPeer<{
        default: new (exceeding: boolean, backoff: boolean, cache: number) => LocalStore
      }>('@fastify/rate-limit/store/LocalStore.js')
      const limiter = new LocalStore(false, false, Math.max(5_000, load.keyCount))
      for (const key of known(load, limit)) limiter.incr(key, () => undefined, 60_000, limit)
      return load.calls(limiter)
    },
    ...refreshing(load),
    run(calls) {
      const { keys, order, limiter } = calls
      const mask = order.length - 1
      let allowed = 0
      const count = (_: null, { current }: Current): void => {
        if (current <= limit) allowed++
      }
      for (let i = 0; i < OPS; i++) {
        limiter.incr(keys[order[calls.at++ & mask]], count, 60_000, limit)
      }
      calls.allowed += allowed
      calls.made += OPS
    },
    validate: (calls) => expectAll(calls, limit),
  }
}

interface Flexible {
  consume(key: string): Promise<object>
}

function flexible(load: Load, limit: number): Case<Calls<Flexible>> {
  return {
    name: 'rate-limiter-flexible, memory',
    kind: 'peer',
    note: 'a fixed window; answers by a promise, and denies by rejecting it',
    ops: OPS,
    async: true,
    async setup() {
      const { RateLimiterMemory } = await loadPeer<{
        RateLimiterMemory: new (options: object) => Flexible
      }>('rate-limiter-flexible')
      const limiter = new RateLimiterMemory({ points: limit, duration: 60 })
      for (const key of known(load, limit)) await limiter.consume(key).catch(() => undefined)
      return load.calls(limiter)
    },
    ...refreshing(load),
    async run(calls) {
      const { keys, order, limiter } = calls
      const mask = order.length - 1
      for (let i = 0; i < OPS; i++) {
        try {
          await limiter.consume(keys[order[calls.at++ & mask]])
          calls.allowed++
        } catch {
          // Denied.
        }
      }
      calls.made += OPS
    },
    validate: (calls) => expectAll(calls, limit),
  }
}

interface ExpressStore {
  init(options: { windowMs: number }): void
  increment(key: string): Promise<{ totalHits: number }>
  shutdown(): void
}

function expressStore(load: Load, limit: number): Case<Calls<ExpressStore>> {
  return {
    name: 'express-rate-limit, memory store',
    kind: 'peer',
    note: 'a fixed window; answers by a promise',
    ops: OPS,
    async: true,
    async setup() {
      const { MemoryStore } = await loadPeer<{ MemoryStore: new () => ExpressStore }>(
        'express-rate-limit',
      )
      const limiter = new MemoryStore()
      limiter.init({ windowMs: 60_000 })
      for (const key of known(load, limit)) await limiter.increment(key)
      return load.calls(limiter)
    },
    ...refreshing(load),
    async run(calls) {
      const { keys, order, limiter } = calls
      const mask = order.length - 1
      for (let i = 0; i < OPS; i++) {
        const { totalHits } = await limiter.increment(keys[order[calls.at++ & mask]])
        if (totalHits <= limit) calls.allowed++
      }
      calls.made += OPS
    },
    validate: (calls) => expectAll(calls, limit),
    close: ({ limiter }) => limiter.shutdown(),
  }
}

interface TokenBucket {
  tryRemoveTokens(count: number): boolean
}

/** It limits one thing: a limiter for each key stands in a map, as its users keep them. */
function tokenBucket(load: Load, limit: number): Case<Calls<Map<string, TokenBucket>>> {
  return {
    name: 'limiter',
    kind: 'peer',
    note: 'a token bucket with an interval; one for each key, in a Map',
    ops: OPS,
    async setup() {
      const { RateLimiter } = await loadPeer<{ RateLimiter: new (options: object) => TokenBucket }>(
        'limiter',
      )
      const limiter = new Map<string, TokenBucket>()
      for (const key of load.everyKey()) {
        const bucket = new RateLimiter({ tokensPerInterval: limit, interval: 'minute' })
        if (limit !== PLENTY) bucket.tryRemoveTokens(limit)
        limiter.set(key, bucket)
      }
      return load.calls(limiter)
    },
    run(calls) {
      const { keys, order, limiter } = calls
      const mask = order.length - 1
      let allowed = 0
      for (let i = 0; i < OPS; i++) {
        if (limiter.get(keys[order[calls.at++ & mask]])?.tryRemoveTokens(1) === true) allowed++
      }
      calls.allowed += allowed
      calls.made += OPS
    },
    validate: (calls) => expectAll(calls, limit),
  }
}

/** The keys that a limiter has seen before it is timed: each once, or until it denies. */
function* known(load: Load, limit: number): Generator<string> {
  const times = limit === PLENTY ? 1 : limit
  for (let i = 0; i < times; i++) yield* load.everyKey()
}

function refreshing(load: Load): { before?: (calls: Calls<unknown>) => void } {
  return load.refresh === undefined ? {} : { before: (calls) => load.refresh?.(calls) }
}

/** All, or where there was a limit next to none: a bucket refills by one now and then. */
function expectAll({ allowed, made }: Calls<unknown>, limit: number): void {
  const isRight = limit === PLENTY ? allowed === made : allowed < 0.05 * made
  if (made === 0 || !isRight) throw new Error(`${allowed} of ${made} calls were admitted`)
}
