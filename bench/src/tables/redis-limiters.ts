import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Case } from '../case.ts'
import { connected } from '../rig/redis.ts'
import { loadPeer } from '../rig/peers.ts'
import { callers, type RedisLoad } from './redis-callers.ts'

const WINDOW_MS = 60_000
const PER_MINUTE = 60

/** The limiters of others on the same server, each over an ioredis client of its own with that client's defaults. */
export function redisLimiters(load: RedisLoad): readonly Case[] {
  return [redisStore(load), flexible(load), upstash(load)]
}

interface ExpressStore {
  init(options: { windowMs: number }): Promise<void>
  increment(key: string): Promise<{ totalHits: number }>
}

function redisStore(load: RedisLoad): Case {
  const note = "express-rate-limit's store: a fixed window"
  const open = async () => {
    const { RedisStore } = await loadPeer<{ RedisStore: new (options: object) => ExpressStore }>(
      'rate-limit-redis',
    )
    const client = await connected()
    const store = new RedisStore({
      prefix: 'rl:',
      sendCommand: (command: string, ...args: string[]) => client.call(command, ...args),
    })
    await store.init({ windowMs: WINDOW_MS })
    return {
      call: async (key: string) => (await store.increment(key)).totalHits <= PER_MINUTE,
      close: () => client.disconnect(),
    }
  }
  return callers('rate-limit-redis', 'peer', load, open, note)
}

interface Flexible {
  consume(key: string): Promise<{ remainingPoints: number }>
}

function flexible(load: RedisLoad): Case {
  const open = async () => {
    const { RateLimiterRedis } = await loadPeer<{
      RateLimiterRedis: new (options: object) => Flexible
    }>('rate-limiter-flexible')
    const client = await connected()
    const limiter = new RateLimiterRedis({ storeClient: client, points: PER_MINUTE, duration: 60 })
    return {
      call: async (key: string) => (await limiter.consume(key)).remainingPoints >= 0,
      close: () => client.disconnect(),
    }
  }
  return callers('rate-limiter-flexible, Redis', 'peer', load, open, 'a fixed window')
}

interface Upstash {
  readonly Ratelimit: {
    new (options: object): { limit(key: string): Promise<{ success: boolean }> }
    slidingWindow(tokens: number, window: string): object
  }
}

function upstash(load: RedisLoad): Case {
  const note =
    'two fixed windows, weighted; made for HTTP: its client is replaced by ioredis, and the flag in its scripts that only its own servers know is left out'
  const open = async () => {
    const { Ratelimit } = await loadPeer<Upstash>('@upstash/ratelimit')
    const client = await connected()
    const limiter = new Ratelimit({
      redis: plainRedis(client),
      limiter: Ratelimit.slidingWindow(PER_MINUTE, '60 s'),
      prefix: 'upstash',
      ephemeralCache: false,
      analytics: false,
    })
    return {
      call: async (key: string) => (await limiter.limit(key)).success,
      close: () => client.disconnect(),
    }
  }
  return callers('@upstash/ratelimit', 'peer', load, open, note)
}

type Part = string | number

/** The two commands that the limiter asks of its client, over a plain server. */
function plainRedis(client: Redis): object {
  const shas = new Map<string, string>()
  return {
    async evalsha(sha: string, keys: readonly string[], args: readonly Part[]) {
      const known = shas.get(sha)
      if (known === undefined) throw new Error('NOSCRIPT')
      return client.evalsha(known, keys.length, ...keys, ...args.map(String))
    },
    async eval(script: string, keys: readonly string[], args: readonly Part[]) {
      const plain = script.replace(/^\s*#!lua [^\n]*\n/, '')
      const sha = (await client.script('LOAD', plain)) as string
      shas.set(createHash('sha1').update(script).digest('hex'), sha)
      return client.evalsha(sha, keys.length, ...keys, ...args.map(String))
    },
  }
}
