import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, expect } from 'vitest'
import { Scheduler, seededRandom, type Agent, type Mode, type Store } from '@ostler/core'
import { redisStore } from '@ostler/store-redis'
import { sqliteStore } from '@ostler/store-sqlite'
import {
  commandArbitrary,
  fleetArbitrary,
  ManualClock,
  runScript,
  type Command,
} from '@ostler/testkit'
import { INCIDENT, openWorld, POOLS, TIERS } from '../../properties/rig.ts'
import { seed } from '../../properties/replay.ts'
import { startCluster, type RedisCluster } from '../../servers/cluster.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { Tape } from './tape.ts'

/** Traces on each store and for each part, and lines in each. */
const TRACES = 1_000
const LINES = 100
/** Traces that are on their way to a server at once. */
const AT_ONCE = 24

let dir: string
let redis: RedisServer
let cluster: RedisCluster
let redisClient: Redis
let clusterClient: Cluster
let opened = 0

const stores: Readonly<Record<string, () => Store>> = {
  sqlite: () => sqliteStore({ path: join(dir, `${++opened}.db`), time: 'caller' }),
  redis: () =>
    redisStore({
      client: redisClient,
      prefix: `e${++opened}`,
      time: 'caller',
      budgetMs: 20_000,
      subscribe: false,
    }),
  cluster: () =>
    redisStore({
      client: clusterClient,
      prefix: `e${++opened}`,
      time: 'caller',
      budgetMs: 20_000,
      subscribe: false,
    }),
}

beforeAll(async () => {
  // In memory where there is such a folder: thousands of files are made.
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  dir = mkdtempSync(join(base, 'ostler-equivalence-'))
  redis = await startRedis()
  cluster = await startCluster()
  redisClient = new Redis(redis.port, '127.0.0.1')
  clusterClient = new Cluster([...cluster.urls])
  await Promise.all([redisClient.ping(), clusterClient.ping()])
}, 60_000)

afterAll(async () => {
  redisClient?.disconnect()
  clusterClient?.disconnect()
  await redis?.stop()
  await cluster?.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** What a script does on the memory store, with the naive model beside it. */
function record(fleet: readonly Agent[], script: readonly Command[]): Tape {
  const tape = new Tape()
  const world = openWorld(fleet, { random: seededRandom(9) }, (scheduler, clock) =>
    tape.recording(scheduler, () => clock.nowMs()),
  )
  runScript(world, script)
  return tape
}

async function replay(tape: Tape, store: Store): Promise<void> {
  const clock = new ManualClock(1_200_000_000)
  const scheduler = new Scheduler<Mode>({
    store,
    clock,
    tiers: TIERS,
    incident: INCIDENT,
    drainPerPick: 1_000_000,
    random: seededRandom(9),
    degraded: { limits: 'deny', picks: 'refuse' },
  })
  try {
    await tape.replay(scheduler, (ms) => clock.set(ms))
    expect(scheduler.standing().episodes).toBe(0)
  } finally {
    await scheduler.close()
  }
}

/**
 * The same random traces on SQLite, Redis standalone and a Cluster as on memory, where the naive model checks each line. A part of the traces, so that two
 * files share the work.
 */
export async function sideBySide(part: number): Promise<void> {
  const trace = fc.tuple(
    fleetArbitrary(14),
    fc.array(commandArbitrary(POOLS), { minLength: LINES, maxLength: LINES }),
  )
  const traces = fc.sample(trace, { numRuns: TRACES, seed: seed + part })
  let next = 0
  let replayed = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < traces.length; i = next++) {
      const [fleet, script] = traces[i]
      const tape = record(fleet, script)
      await Promise.all(
        Object.entries(stores).map(async ([name, open]) => {
          await replay(tape, open()).catch((error: unknown) => {
            const shown = script.map((line) => `  ${line.toString()}`).join('\n')
            const message = error instanceof Error ? error.message : String(error)
            const head = `${name}, trace ${i} (OSTLER_SEED=${seed})`
            throw new Error(`${head}\nfleet ${JSON.stringify(fleet)}\n${shown}\n${message}`)
          })
          replayed++
        }),
      )
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  expect(replayed).toBe(TRACES * Object.keys(stores).length)
}
