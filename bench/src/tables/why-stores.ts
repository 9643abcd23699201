import { memoryStore } from '@ostler/core'
import type { Case, Figure, Gauge, Table } from '../case.ts'
import { benchClock } from '../rig/fleet.ts'
import { connected } from '../rig/redis.ts'
import { evalsha, redisOstler } from './redis-admit.ts'
import type { RedisLoad } from './redis-callers.ts'
import { redisLimiters } from './redis-limiters.ts'
import { picks } from './redis-pick.ts'
import { admitting, batched, upsert } from './sqlite.ts'
import { sqliteStore } from '@ostler/store-sqlite'

// Experiments that show what keeps the stores from what was promised of them: bench/src/report/reasons.ts names them.

const ALONE: RedisLoad = { inFlight: 1, calls: 1 }
const MANY: RedisLoad = { inFlight: 256, calls: 4 }
const MEASURED_CALLS = 8_192
const UPSERT = 'a bare upsert'

export const whyStoreTables: readonly Table[] = [
  {
    name: 'why: Redis, the time of the server and of the client',
    about:
      "What each call costs the server in scripts (INFO commandstats), and this process (its time on the processor, the library's and ioredis'): alone, and with 256 in flight.",
    needs: 'redis',
    full: true,
    gauges: [ALONE, MANY].flatMap((load) => [
      serverTime(redisOstler(load), load, 'ostler, admit'),
      serverTime(picks(load), load, 'ostler, pick'),
      serverTime(evalsha(load), load),
      ...redisLimiters(load).map((peer) => serverTime(peer, load)),
    ]),
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

function serverTime(one: Case, load: RedisLoad, name: string = one.name): Gauge {
  const called = load.inFlight === 1 ? `${name}, alone` : `${name}, ${load.inFlight} in flight`
  return {
    name: called,
    kind: one.kind,
    ...(one.note !== undefined && { note: one.note }),
    async measure(): Promise<readonly Figure[]> {
      const { ops = 1 } = one
      const rounds = Math.ceil(MEASURED_CALLS / ops / (load.inFlight === 1 ? 4 : 1))
      const client = await connected()
      const state = await one.setup()
      let cpuUs = 0
      let serverUs = 0
      for (let round = 0; round < 2 * rounds; round++) {
        await one.before?.(state)
        const isMeasured = round >= rounds
        if (isMeasured) await client.config('RESETSTAT')
        const cpu = process.cpuUsage()
        await one.run(state)
        const { user, system } = process.cpuUsage(cpu)
        if (!isMeasured) continue
        cpuUs += user + system
        serverUs += scriptUs(await client.info('commandstats'))
      }
      one.validate(state)
      await one.close?.(state)
      client.disconnect()
      const each = 1_000 / (rounds * ops)
      return [
        { name: `${called}: server`, unit: 'ns', value: serverUs * each },
        { name: `${called}: client`, unit: 'ns', value: cpuUs * each },
      ]
    },
  }
}

/** Microseconds in scripts, since the statistics were reset. */
function scriptUs(stats: string): number {
  let sum = 0
  for (const [, us] of stats.matchAll(/cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)/g))
    sum += Number(us)
  return sum
}
