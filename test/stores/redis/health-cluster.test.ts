import { Cluster } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Link } from '../../../packages/store-redis/src/client.ts'
import { startCluster, type RedisCluster } from '../../servers/cluster.ts'
import { until } from '../../servers/until.ts'
import { openHealth, type HealthHalf } from './health-rig.ts'
import { T } from './records.ts'

let cluster: RedisCluster
const halves: HealthHalf[] = []
const clients: Cluster[] = []

beforeAll(async () => {
  cluster = await startCluster()
  for (let i = 0; i < 2; i++) {
    const client = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
    client.on('error', () => {})
    clients.push(client)
    halves.push(openHealth(new Link(client, false, 5_000)))
  }
}, 60_000)
afterAll(async () => {
  for (const half of halves) await half.close()
  for (const client of clients) client.disconnect()
  await cluster.stop()
})

const HEALTH = {
  ladder: [{ health: 'unavailable', durationMs: 300_000 }],
  rateLimitedMs: 30_000,
  strikeDecayMs: 3_600_000,
  okStreakToForget: 3,
  jitter: 0,
} as const

async function acquire({ store }: HealthHalf, exit: string, leaseId: string) {
  const candidates = [{ agentId: exit, exit, maxConcurrency: 9 }]
  const usual = { domain: 'd', deadlineMs: T + 60_000, nowMs: T, viewVersion: 0, health: HEALTH }
  return store.acquire({ ...usual, candidates, leaseId })
}

async function subscribers(): Promise<number> {
  const counts = await Promise.all(
    cluster.nodes.map(async (node) => {
      const [, count] = (await node.ask('PUBSUB', 'NUMSUB', 'ostler:changes')) as [string, number]
      return count
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

it('decides on a Cluster, and tells the others through whichever node they listen to', async () => {
  const [one, two] = halves
  const heard: unknown[] = []
  const end = two.subscribe((domain) => heard.push(domain))
  await until('it is subscribed', () => heard.length === 1)
  await one.store.putAgents([{ id: 'a' }])
  await one.store.exclude('a', 'd', T + 60_000, T)
  expect((await acquire(two, 'a', 'l1')).kind).toBe('refused')
  expect((await acquire(two, 'b', 'l2')).kind).toBe('acquired')
  expect((await two.store.agents(0)).changes).toHaveLength(1)
  await until('it has heard both', () => heard.length === 3)
  expect(heard).toEqual([null, '*', 'd'])
  for (const node of cluster.nodes) await node.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until('it is subscribed again', () => heard.length === 4)
  expect(heard[3]).toBeNull()
  end()
  await until('nobody listens', async () => (await subscribers()) === 0)
})
