import { Cluster } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCluster, type RedisCluster } from './cluster.ts'
import { natMapOf, startProxy } from './proxy.ts'
import { startReplicated } from './replicated.ts'
import { until } from './until.ts'

let cluster: RedisCluster
let startedInMs: number

beforeAll(async () => {
  const beganMs = performance.now()
  cluster = await startCluster()
  startedInMs = performance.now() - beganMs
})
afterAll(() => cluster.stop())

const keys = Array.from({ length: 60 }, (_, i) => `key-${i}`)
const startAt = (): { host: string; port: number }[] =>
  cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))

test('a cluster starts within seconds, and a client finds every shard', async () => {
  expect(startedInMs).toBeLessThan(8_000)
  const client = new Cluster(startAt())
  for (const key of keys) await client.set(key, key)
  const counts = await Promise.all(
    [0, 1, 2].map(async (shard) => (await cluster.primaryOf(shard)).ask('DBSIZE')),
  )
  for (const count of counts) expect(Number(count)).toBeGreaterThan(5)
  client.disconnect()
})

test('a slot that is under way answers ASK for what has gone, and MOVED in the end', async () => {
  const slot = await cluster.slotOf('{tag}')
  const shard = await cluster.shardOf(slot)
  const old = await cluster.primaryOf(shard)
  for (let i = 0; i < 4; i++) await old.ask('SET', `{tag}${i}`, i)
  const move = await cluster.openMove(slot, (shard + 1) % 3)
  expect(await move.migrate(2)).toBe(2)
  const replies = await Promise.all(
    [0, 1, 2, 3].map((i) => old.ask('GET', `{tag}${i}`).catch(String)),
  )
  expect(replies.filter((reply) => String(reply).includes('ASK'))).toHaveLength(2)
  await move.finish()
  await expect(old.ask('GET', '{tag}0')).rejects.toThrow(/MOVED/)
  const client = new Cluster(startAt())
  for (const i of [0, 1, 2, 3]) expect(await client.get(`{tag}${i}`)).toBe(`${i}`)
  client.disconnect()
  expect(await cluster.shardOf(slot)).toBe((shard + 1) % 3)
})

test('moves whole slots, and leaves those that are there already', async () => {
  const slots = [0, 1, 2, 3]
  const to = ((await cluster.shardOf(0)) + 1) % 3
  await cluster.moveSlots([...slots, 0], to)
  for (const slot of slots) expect(await cluster.shardOf(slot)).toBe(to)
  await cluster.settled()
})

test('hands a shard over to its replica, and back', async () => {
  const before = await cluster.primaryOf(1)
  await cluster.failover(1)
  expect((await cluster.primaryOf(1)).port).not.toBe(before.port)
  await cluster.settled()
  await cluster.failover(1)
  expect((await cluster.primaryOf(1)).port).toBe(before.port)
  await cluster.settled()
})

test('elects the replica of a primary that crashed, which comes back as a replica', async () => {
  const crashed = await cluster.primaryOf(2)
  const beganMs = performance.now()
  await cluster.failover(2, 'crash')
  expect(performance.now() - beganMs).toBeLessThan(10_000)
  expect((await cluster.primaryOf(2)).port).not.toBe(crashed.port)
  await crashed.restart()
  await cluster.settled()
  expect(String(await crashed.ask('ROLE'))).toContain('slave')
})

test('a cluster client goes through proxies where it is given their map', async () => {
  const proxies = await Promise.all(cluster.nodes.map(({ port }) => startProxy(port)))
  const client = new Cluster([{ host: '127.0.0.1', port: proxies[0].port }], {
    natMap: natMapOf(proxies),
  })
  for (const key of keys) await client.set(key, key)
  expect(proxies.filter(({ accepted }) => accepted > 0).length).toBeGreaterThanOrEqual(3)
  client.disconnect()
  await Promise.all(proxies.map((proxy) => proxy.stop()))
})

test('a replica that is cut off and promoted has lost what was written since', async () => {
  const pair = await startReplicated()
  try {
    await pair.primary.ask('SET', 'early', 1)
    await until('the replica has it', () => pair.isInSync())
    await pair.cutOff()
    await pair.primary.ask('SET', 'late', 1)
    expect(await pair.isInSync()).toBe(false)
    await pair.promote()
    expect(await pair.replica.ask('MGET', 'early', 'late')).toEqual(['1', null])
    await pair.replica.ask('SET', 'own', 1)
  } finally {
    await pair.stop()
  }
})
