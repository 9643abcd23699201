import { Scheduler } from '@ostler/core'
import { redisStore } from '@ostler/store-redis'
import type { Case, Kind, Table } from '../case.ts'
import { keyNames } from '../rig/keys.ts'
import { connected, redisPort } from '../rig/redis.ts'
import { redisLimiters } from './redis-limiters.ts'

const KEYS = 100_000
const PER_MINUTE = 60
/** Calls at once, how many each caller makes in a sample, and how many times as fast as the fastest peer ours must be. */
const LOADS = [
  { inFlight: 1, calls: 1, least: 0.95 },
  { inFlight: 64, calls: 16, least: 1.3 },
  { inFlight: 256, calls: 8, least: 1.8 },
  { inFlight: 1_024, calls: 4, least: 2.5 },
] as const
export type RedisLoad = (typeof LOADS)[number]

export const redisAdmitTables: readonly Table[] = LOADS.map((load) => ({
  name: `admit on Redis, ${load.inFlight.toLocaleString('en')} in flight`,
  about: `One server, one connection each, ${KEYS.toLocaleString('en')} keys, 60 a minute; callers that each wait for their answer before the next call. Time for each call.`,
  needs: 'redis',
  cases: [ostler(load), ping(load), evalsha(load), ...redisLimiters(load)],
  bounds: [
    {
      row: 'ostler',
      against: ['rate-limit-redis', 'rate-limiter-flexible, Redis'],
      faster: true,
      least: load.least,
    },
  ],
}))

/** Calls something for a key; false where it was denied or not decided as it should be. */
export type Call = (key: string) => Promise<boolean>

interface Calling {
  readonly call: Call
  readonly keys: readonly string[]
  readonly close: () => unknown
  next: number
  made: number
  allowed: number
}

/** So many callers at once, each of which waits for its answer before its next call. */
export function callers(
  name: string,
  kind: Kind,
  { inFlight, calls }: RedisLoad,
  open: () => Promise<{ readonly call: Call; readonly close: () => unknown }>,
  note?: string,
): Case<Calling> {
  return {
    name,
    kind,
    ops: inFlight * calls,
    async: true,
    ...(note !== undefined && { note }),
    async setup() {
      return { ...(await open()), keys: keyNames(KEYS), next: 0, made: 0, allowed: 0 }
    },
    async run(state) {
      if (inFlight === 1) {
        await callOnce(state)
        return
      }
      const caller = async (): Promise<void> => {
        for (let i = 0; i < calls; i++) await callOnce(state)
      }
      await Promise.all(Array.from({ length: inFlight }, caller))
    },
    validate({ made, allowed }) {
      if (made === 0 || allowed !== made) throw new Error(`${allowed} of ${made} were admitted`)
    },
    async close(state) {
      await state.close()
    },
  }
}

/** Keys come in an order in which none comes again soon. */
async function callOnce(state: Calling): Promise<void> {
  const key = state.keys[(state.next++ * 7_919) % KEYS]
  state.made++
  if (await state.call(key)) state.allowed++
}

function ostler(load: RedisLoad): Case {
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
