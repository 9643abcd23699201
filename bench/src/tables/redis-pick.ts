import { Scheduler, type Lease } from '@ostler/core'
import { redisStore } from '@ostler/store-redis'
import type { Case, Figure, Table } from '../case.ts'
import { placedAgents } from '../rig/fleet.ts'
import { connected, redisPort } from '../rig/redis.ts'
import { evalsha } from './redis-admit.ts'
import { callers, type RedisLoad } from './redis-callers.ts'

const AGENTS = 10_000
const ALONE: RedisLoad = { inFlight: 1, calls: 1 }
const MANY: RedisLoad = { inFlight: 256, calls: 4 }
const TRIPS = 'script calls for each pick'
const COUNTED = 1_000
const OK = { kind: 'ok', latencyMs: 200 } as const

const about = `${AGENTS.toLocaleString('en')} agents, hint by country; what was picked is reported as ok between the samples.`

export const redisPickTables: readonly Table[] = [
  {
    name: 'pick on Redis, 1 in flight',
    about,
    needs: 'redis',
    cases: [picks(ALONE), evalsha(ALONE)],
    gauges: [{ name: TRIPS, kind: 'ours', processes: 1, measure: trips }],
    bounds: [
      { row: 'ostler', against: 'a trivial EVALSHA', most: 1.5 },
      { row: TRIPS, most: 1 },
    ],
  },
  {
    name: 'pick on Redis, 256 in flight',
    about,
    needs: 'redis',
    cases: [picks(MANY), evalsha(MANY)],
    // 50,000 a second.
    bounds: [{ row: 'ostler', most: 20_000 }],
  },
]

async function openFleet(): Promise<Scheduler<'async'>> {
  const store = redisStore({ url: `redis://127.0.0.1:${redisPort()}`, budgetMs: 5_000 })
  const scheduler = new Scheduler({ store })
  const agents = placedAgents(AGENTS)
  for (let from = 0; from < AGENTS; from += 1_000) {
    await scheduler.agents.upsert(agents.slice(from, from + 1_000))
  }
  return scheduler
}

export function picks(load: RedisLoad): Case {
  return callers('ostler', 'ours', load, async () => {
    const scheduler = await openFleet()
    const leases: Lease[] = []
    return {
      async call() {
        const pick = await scheduler.pick({ domain: 'shop.example', geo: 'DE' })
        if (pick.kind === 'picked') leases.push(pick.lease)
        return pick.kind === 'picked'
      },
      async before() {
        await Promise.all(leases.splice(0).map((lease) => scheduler.report(lease, OK)))
      },
      close: () => scheduler.close(),
    }
  })
}

/** How often the server was called: more than once for each pick would be more than one round trip. */
async function trips(): Promise<readonly Figure[]> {
  const scheduler = await openFleet()
  const client = await connected()
  await scheduler.pick({ domain: 'shop.example', geo: 'DE' })
  await client.config('RESETSTAT')
  for (let i = 0; i < COUNTED; i++) await scheduler.pick({ domain: 'shop.example', geo: 'DE' })
  const stats = await client.info('commandstats')
  await scheduler.close()
  client.disconnect()
  const calls = Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  return [{ name: TRIPS, unit: 'times', value: calls / COUNTED }]
}
