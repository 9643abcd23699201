import { Cluster } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Mode, Scheduler } from '@ostler/core'
import { redisStore } from '@ostler/store-redis'
import { startCluster, type RedisCluster } from '../../servers/cluster.ts'
import { until } from '../../servers/until.ts'
import {
  AGENTS,
  block,
  BUDGET_MS,
  DOMAIN,
  excluded,
  lease,
  Load,
  recovered,
  Schedulers,
} from './rig.ts'

let cluster: RedisCluster
const schedulers = new Schedulers()
const clients: Cluster[] = []

async function open(fleet = AGENTS, budgetMs = BUDGET_MS): Promise<Scheduler<Mode>> {
  const client = new Cluster([...cluster.urls], {
    enableOfflineQueue: false,
    slotsRefreshTimeout: 500,
    slotsRefreshInterval: 500,
    clusterRetryStrategy: () => 50,
    redisOptions: { maxRetriesPerRequest: 0, connectTimeout: 200 },
  })
  client.on('error', () => undefined)
  clients.push(client)
  return schedulers.open(redisStore({ client, budgetMs }), fleet)
}

beforeEach(async () => {
  cluster = await startCluster()
})

afterEach(async () => {
  await schedulers.closeAll()
  for (const client of clients.splice(0)) client.disconnect()
  await cluster.stop()
})

/** The shard that has all of health. */
async function shardOfHealth(): Promise<number> {
  return cluster.shardOf(await cluster.slotOf('{health}'))
}

describe('fault: Redis Cluster', () => {
  test('primary killed: decides locally until a replica leads, and tells it what was reported', async () => {
    const scheduler = await open()
    await block(scheduler, 'a0')
    const held = await lease(scheduler, 'a1')
    const load = new Load(scheduler)
    await load.more(100)
    const failover = cluster.failover(await shardOfHealth(), 'crash')
    await until('calls are decided locally', () => load.degraded > 20)
    await scheduler.report(held, { kind: 'blocked' })
    await block(scheduler, 'a2')
    await expect(lease(scheduler, 'a0')).rejects.toThrow('expected an agent')
    await failover
    await cluster.settled()
    const returnMs = await recovered(scheduler)
    await load.more(100)
    const { codes, slowestMs, exhausted } = await load.stop()
    expect([[...codes], exhausted]).toEqual([[], 0])
    expect(slowestMs).toBeLessThan(BUDGET_MS + 50)
    expect(returnMs).toBeLessThan(1_000)
    const other = await open([], 1_000)
    expect(await excluded(other)).toEqual(['a0', 'a1', 'a2'])
  })

  test('handed over: goes on with the new primary, and nothing is lost', async () => {
    const scheduler = await open()
    await block(scheduler, 'a0')
    const load = new Load(scheduler)
    await load.more(50)
    await cluster.failover(await shardOfHealth(), 'handover')
    await cluster.settled()
    await recovered(scheduler)
    await load.more(100)
    const { codes, slowestMs, exhausted } = await load.stop()
    expect([[...codes], exhausted]).toEqual([[], 0])
    expect(slowestMs).toBeLessThan(BUDGET_MS + 50)
    expect(await excluded(await open([], 1_000))).toEqual(['a0'])
  })

  test('resharded: goes on while slots move, and nothing is lost', async () => {
    const scheduler = await open()
    await block(scheduler, 'a0')
    for (let i = 0; i < 5; i++) await scheduler.admit({ key: 'moved', tier: 'tight' })
    const load = new Load(scheduler)
    await load.more(50)
    const slot = await cluster.slotOf('{health}')
    const from = await cluster.shardOf(slot)
    const others = Array.from({ length: 40 }, (_, i) => (slot + 1 + i * 397) % 16_384)
    await cluster.moveSlots([slot, ...others], (from + 1) % 3)
    await cluster.moveSlots([slot], (from + 2) % 3)
    await recovered(scheduler)
    await load.more(100)
    const { codes, slowestMs, exhausted } = await load.stop()
    expect([[...codes], exhausted]).toEqual([[], 0])
    expect(slowestMs).toBeLessThan(BUDGET_MS + 50)
    const other = await open([], 1_000)
    expect(await excluded(other)).toEqual(['a0'])
    expect((await other.admit({ key: 'moved', tier: 'tight' })).allowed).toBe(false)
    expect((await other.health(DOMAIN)).counts.available).toBe(AGENTS.length - 1)
  })
})
