import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCluster, type RedisCluster } from '../../servers/cluster.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { until } from '../../servers/until.ts'
import { check } from './checker.ts'
import { build, runHerd, type HerdRun, type StoreConfig } from './herd.ts'
import { tallyOf, type Tally } from './tally.ts'
import { WORLD } from './world.ts'

/** Laws are tested here and not speed: on a busy machine a call may take its time. */
const BUDGET_MS = 1_000

const dir = mkdtempSync(join(tmpdir(), 'ostler-several-'))
let redis: RedisServer

beforeAll(async () => {
  build('core', 'store-sqlite', 'store-redis')
  redis = await startRedis()
})
afterAll(async () => {
  await redis.stop()
  rmSync(dir, { recursive: true, force: true })
})

const stores: Readonly<Record<string, (name: string) => StoreConfig>> = {
  SQLite: (name) => ({ kind: 'sqlite', path: join(dir, `${name}.db`) }),
  Redis: (name) => ({ kind: 'redis', url: redis.url, prefix: name, budgetMs: BUDGET_MS }),
}

/** Checks the run, and that there was something to check: at least so much of each, and a store that was seldom out of reach. */
function expectLawful(run: HerdRun, least: Partial<Tally>, mostOutOfReach: number): void {
  const tally = tallyOf(run.events)
  const all = JSON.stringify(tally)
  expect(check(run.events, WORLD), all).toEqual([])
  for (const [what, count] of Object.entries(least)) {
    expect(tally[what as keyof Tally], `${what} of ${all}`).toBeGreaterThanOrEqual(count)
  }
  expect(tally.outOfReach / tally.calls, all).toBeLessThanOrEqual(mostOutOfReach)
}

/** Less than a tenth of what two cores that are free for it do in ten seconds. */
const MUCH: Partial<Tally> = {
  admitted: 80,
  denied: 40,
  deniedPermits: 20,
  renewed: 5,
  picked: 80,
  exhausted: 50,
  probes: 10,
  blocks: 25,
  stale: 15,
  byHand: 10,
}
/** Enough to say something, also where most of the time goes into new processes. */
const SOME: Partial<Tally> = { admitted: 20, denied: 10, picked: 20, probes: 1, blocks: 5 }

describe.each(Object.entries(stores))('several processes on one %s', (_, storeOf) => {
  test('keep every law', { timeout: 60_000 }, async () => {
    const store = storeOf('quiet')
    const run = await runHerd({ store, world: WORLD, workers: 4, durationMs: 10_000, seed: 1 })
    expectLawful(run, MUCH, 0.1)
  })

  test('keep them while some are stopped, killed and replaced', { timeout: 60_000 }, async () => {
    const store = storeOf('disturbed')
    const options = { store, world: WORLD, workers: 5, durationMs: 5_000, seed: 2, faults: true }
    const run = await runHerd(options)
    expectLawful(run, SOME, 0.5)
    expect(run.paused).toBeGreaterThanOrEqual(3)
    expect(run.killed).toBeGreaterThanOrEqual(3)
  })
})

/** The slots that have keys. */
async function slotsInUse(cluster: RedisCluster): Promise<ReadonlySet<number>> {
  const slots = new Set<number>()
  for (const shard of [0, 1, 2]) {
    const names = (await (await cluster.primaryOf(shard)).ask('KEYS', '*')) as string[]
    for (const name of names) slots.add(await cluster.slotOf(name))
  }
  return slots
}

test('several processes on one Redis Cluster keep them while slots move and shards are handed over', async () => {
  const cluster = await startCluster()
  try {
    const { urls } = cluster
    const store = { kind: 'cluster', urls, prefix: 'moved', budgetMs: BUDGET_MS } as const
    const meanwhile = async (): Promise<void> => {
      await until('keys are in use', async () => (await slotsInUse(cluster)).size >= 5, 20_000)
      for (const slot of await slotsInUse(cluster)) {
        await cluster.moveSlots([slot], ((await cluster.shardOf(slot)) + 1) % 3)
      }
      for (const shard of [0, 1, 2]) await cluster.failover(shard)
    }
    const options = { store, world: WORLD, workers: 4, durationMs: 3_000, seed: 4, meanwhile }
    expectLawful(await runHerd(options), SOME, 0.5)
  } finally {
    await cluster.stop()
  }
}, 60_000)

test('several that share nothing break them, and the checker sees it', async () => {
  const store = { kind: 'memory' } as const
  const run = await runHerd({ store, world: WORLD, workers: 4, durationMs: 3_000, seed: 3 })
  const laws = new Set(check(run.events, WORLD).map(({ law }) => law))
  for (const law of ['limit-safety', 'permit-bound', 'slots', 'exclusion', 'fencing', 'burst']) {
    expect([...laws]).toContain(law)
  }
})
