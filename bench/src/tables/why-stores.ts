import { memoryStore } from '@ostler/core'
import { sqliteStore } from '@ostler/store-sqlite'
import type { Case, Figure, Gauge, Kind, Table } from '../case.ts'
import { benchClock } from '../rig/fleet.ts'
import { connected } from '../rig/redis.ts'
import { evalsha, redisOstler } from './redis-admit.ts'
import type { RedisLoad } from './redis-callers.ts'
import { redisLimiters } from './redis-limiters.ts'
import { picks } from './redis-pick.ts'
import { admitting, batched, upsert } from './sqlite.ts'

// Experiments that show what keeps the stores from what was promised of them: bench/src/report/reasons.ts names them.

const ALONE: RedisLoad = { inFlight: 1, calls: 1 }
const MANY: RedisLoad = { inFlight: 256, calls: 4 }
const ALONE_CALLS = 1_024
const MANY_CALLS = 8_192
const UPSERT = 'a bare upsert'

export const whyStoreTables: readonly Table[] = [
  {
    name: 'why: Redis, the time of the server and of the client',
    about:
      "What each call costs the server in scripts (INFO commandstats), and this process (its time on the processor, the library's and ioredis'): alone, and with 256 in flight.",
    needs: 'redis',
    full: true,
    gauges: [
      shares('ours on Redis', 'ours', (load) => [
        { ...redisOstler(load), name: 'ostler, admit' },
        { ...picks(load), name: 'ostler, pick' },
      ]),
      shares('the floor on Redis', 'floor', (load) => [evalsha(load)]),
      shares('peers on Redis', 'peer', (load) => redisLimiters(load)),
    ],
    bounds: [],
  },
  {
    name: 'why: SQLite, sync',
    about:
      'The same upsert in a transaction that is begun and ended by hand, as one that decides in between must be.',
    needs: 'sqlite',
    full: true,
    alone: [],
    cases: [
      upsert(UPSERT),
      upsert('an upsert between BEGIN IMMEDIATE and COMMIT', undefined, true),
      admitting('ostler, admit', (path) => sqliteStore({ path })),
    ],
    bounds: [],
  },
  {
    name: 'why: SQLite, batched',
    about:
      'Of 64 keys each comes several times in a batch, and is written once; of 2,000 each is another row of the 256 that end a batch.',
    needs: 'sqlite',
    full: true,
    alone: [],
    cases: [
      admitting('batched, 64 keys', batched, 64, () => benchClock(), 40),
      admitting(
        'memory, 64 keys',
        () => memoryStore(),
        64,
        () => benchClock(),
        40,
      ),
      admitting('batched, 2,000 keys', batched, 2_000, () => benchClock()),
      admitting(
        'memory, 2,000 keys',
        () => memoryStore(),
        2_000,
        () => benchClock(),
      ),
    ],
    bounds: [],
  },
]

function shares(name: string, kind: Kind, casesOf: (load: RedisLoad) => readonly Case[]): Gauge {
  return {
    name,
    kind,
    async measure(): Promise<readonly Figure[]> {
      const figures: Figure[] = []
      for (const load of [ALONE, MANY]) {
        for (const one of casesOf(load)) figures.push(...(await sharesOf(one, load)))
      }
      return figures
    },
  }
}

/** Nanoseconds for each call: of the server, in scripts, and of this process. */
async function sharesOf(one: Case, { inFlight }: RedisLoad): Promise<readonly Figure[]> {
  const { ops = 1 } = one
  const rounds = Math.ceil((inFlight === 1 ? ALONE_CALLS : MANY_CALLS) / ops)
  const client = await connected()
  const state = await one.setup()
  let cpuUs = 0
  let serverUs = 0
  for (let round = -rounds; round < rounds; round++) {
    await one.before?.(state)
    await client.config('RESETSTAT')
    const cpu = process.cpuUsage()
    await one.run(state)
    const { user, system } = process.cpuUsage(cpu)
    // What comes first warms up.
    if (round < 0) continue
    cpuUs += user + system
    serverUs += scriptUs(await client.info('commandstats'))
  }
  one.validate(state)
  await one.close?.(state)
  client.disconnect()
  const each = 1_000 / (rounds * ops)
  const called = inFlight === 1 ? `${one.name}, alone` : `${one.name}, ${inFlight} in flight`
  return [
    { name: `${called}: server`, unit: 'ns', value: serverUs * each },
    { name: `${called}: client`, unit: 'ns', value: cpuUs * each },
  ]
}

/** Microseconds in scripts, since the statistics were reset. */
function scriptUs(stats: string): number {
  let sum = 0
  for (const [, us] of stats.matchAll(/cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)/g))
    sum += Number(us)
  return sum
}
