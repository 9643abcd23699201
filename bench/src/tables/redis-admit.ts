import { Scheduler } from '@ostler/core'
import { redisStore } from '@ostler/store-redis'
import type { Case, Table } from '../case.ts'
import { connected, redisPort } from '../rig/redis.ts'
import { callers, KEYS, type RedisLoad } from './redis-callers.ts'
import { redisLimiters } from './redis-limiters.ts'

const PER_MINUTE = 60
/** `least`: how many times as fast as the fastest peer ours must be. */
const LOADS = [
  { inFlight: 1, calls: 1, least: 0.95 },
  { inFlight: 64, calls: 8, least: 1.3 },
  { inFlight: 256, calls: 4, least: 1.8 },
  { inFlight: 1_024, calls: 2, least: 2.5 },
] as const

export const redisAdmitTables: readonly Table[] = LOADS.map((load) => ({
  name: `admit on Redis, ${load.inFlight.toLocaleString('en')} in flight`,
  about: `One server, one connection each, ${KEYS.toLocaleString('en')} keys, 60 a minute; callers that each wait for their answer before the next call. Time for each call.`,
  needs: 'redis',
  cases: [redisOstler(load), ping(load), evalsha(load), ...redisLimiters(load)],
  bounds: [
    {
      row: 'ostler',
      against: ['rate-limit-redis', 'rate-limiter-flexible, Redis'],
      faster: true,
      least: load.least,
    },
  ],
}))

export function redisOstler(load: RedisLoad): Case {
  return callers('ostler', 'ours', load, async () => {
    const store = redisStore({ url: `redis://127.0.0.1:${redisPort()}`, budgetMs: 5_000 })
    const tiers = {
      free: { policies: [{ name: 'free', limit: PER_MINUTE, windowMs: 60_000 }] },
    }
    const scheduler = new Scheduler({ store, tiers })
    return {
      async call(key) {
        const { allowed, degraded } = await scheduler.admit({ key, tier: 'free' })
        return allowed && !degraded
      },
      close: () => scheduler.close(),
    }
  })
}

function ping(load: RedisLoad): Case {
  return callers('PING', 'floor', load, async () => {
    const client = await connected()
    return {
      call: async () => (await client.ping()) === 'PONG',
      close: () => client.disconnect(),
    }
  })
}

export function evalsha(load: RedisLoad): Case {
  return callers('a trivial EVALSHA', 'floor', load, async () => {
    const client = await connected()
    const sha = (await client.script('LOAD', 'return 1')) as string
    return {
      call: async (key) => (await client.evalsha(sha, 1, key)) === 1,
      close: () => client.disconnect(),
    }
  })
}
