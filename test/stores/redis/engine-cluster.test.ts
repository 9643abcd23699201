import { OstlerError, type ResolvedPolicy, type Verdict } from '@ostler/core'
import { inspect, redisStore, type RedisStore, type RedisStoreOptions } from '@ostler/store-redis'
import { Cluster } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startCluster, type RedisCluster } from '../../servers/cluster.ts'
import { startReplicated } from '../../servers/replicated.ts'
import { until } from '../../servers/until.ts'
import { Link, openClient } from '../../../packages/store-redis/src/client.ts'
import { Engine } from '../../../packages/store-redis/src/engine.ts'
import { Keys } from '../../../packages/store-redis/src/keys.ts'
import { Driven } from '../../../packages/store-redis/src/driven.ts'

const NOW_MS = 1_700_000_000_000
const minute: readonly ResolvedPolicy[] = [
  { kind: 'exact', name: 'minute', limit: 5, windowMs: 60_000, quantumMs: 1 },
  { kind: 'smooth', name: 'flow', limit: 5, windowMs: 60_000, burst: 5 },
]
const PERMIT = new Driven('permit', ['permits'])

let cluster: RedisCluster
let prefixes = 0
const opened: RedisStore[] = []
const clients: Cluster[] = []

beforeAll(async () => {
  cluster = await startCluster()
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  for (const client of clients.splice(0)) client.disconnect()
})
afterAll(() => cluster.stop())

function connect(): Cluster {
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
  const client = new Cluster(nodes, {
    enableOfflineQueue: false,
    retryDelayOnFailover: 0,
    redisOptions: {
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      socketTimeout: 1_000,
    },
  })
  client.on('error', () => undefined)
  clients.push(client)
  return client
}

function open(options: Partial<RedisStoreOptions> = {}): RedisStore {
  const usual = { prefix: `cluster${prefixes++}`, budgetMs: 5_000 }
  const store = redisStore({ client: connect(), ...usual, ...options })
  opened.push(store)
  return store
}

function admit(store: RedisStore, key: string): Promise<Verdict> {
  return store.consume({ key, policies: minute, cost: 1, nowMs: NOW_MS })
}

describe('limits on a Cluster', () => {
  it('are decided where each key is, all that one decision touches together', async () => {
    const store = open()
    const keys = Array.from({ length: 60 }, (_, i) => `key${i}`)
    const permit = { id: 'p', cap: 1, deadlineMs: Date.now() + 60_000 }
    for (const turn of [0, 1]) {
      const verdicts = await Promise.all(
        keys.map((key) => {
          const call = { key, policies: minute, cost: 1, nowMs: NOW_MS, opId: `op${turn}`, permit }
          return store.consume(call)
        }),
      )
      expect(verdicts.map(({ allowed }) => allowed)).toEqual(keys.map(() => true))
    }
    expect((await admit(store, 'key7')).remaining).toBe(2)
    const sizes = await Promise.all(
      [0, 1, 2].map(async (shard) => Number(await (await cluster.primaryOf(shard)).ask('dbsize'))),
    )
    for (const size of sizes) expect(size).toBeGreaterThan(20)
  })

  it('travel together where one key asks several times', async () => {
    const store = open({ subscribe: false })
    await admit(store, 'k')
    const before = await evalshas()
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => admit(store, 'k')))
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(4)
    expect((await evalshas()) - before).toBe(1)
  })

  it('follow a slot that moves, and count on', async () => {
    const store = open({ prefix: 'moving' })
    await admit(store, 'moved')
    const name = `moving:{${new Keys('moving').digest('moved')}}`
    const slot = await cluster.slotOf(name)
    await cluster.moveSlots([slot], ((await cluster.shardOf(slot)) + 1) % 3)
    expect((await admit(store, 'moved')).remaining).toBe(3)
  })

  it('tell of refunds from whatever node', async () => {
    const first = open({ prefix: 'told' })
    const second = open({ prefix: 'told' })
    const { atMs } = await admit(first, 'k')
    await until('the key is denied', async () => !(await admit(first, 'k')).allowed)
    const refund = { key: 'k', policies: minute.slice(0, 1), cost: 1, atMs, nowMs: NOW_MS }
    expect(await second.refund(refund)).toBe(true)
    const one = { key: 'k', policies: minute.slice(0, 1), cost: 1, nowMs: NOW_MS }
    await until('it is admitted', async () => (await first.consume(one)).allowed, 2_000)
  })

  it('are looked at by inspect, node by node', async () => {
    const found = await inspect(connect())
    expect(found.clusterState).toBe('ok')
    expect(found.nodes).toHaveLength(3)
    expect(found.unknown).toEqual([])
    expect(found.problems.filter((problem) => problem.startsWith('client'))).toEqual([])
  })
})

async function evalshas(): Promise<number> {
  let sum = 0
  for (const node of cluster.nodes) {
    const text = String(await node.ask('info', 'commandstats'))
    sum += Number(/cmdstat_evalsha:calls=(\d+)/.exec(text)?.[1] ?? 0)
  }
  return sum
}

describe('a client of one server', () => {
  it('is no client for a Cluster, says inspect', async () => {
    const { problems } = await inspect(cluster.urls[0])
    expect(problems.join('\n')).toContain('this is a node of a Cluster')
  })
})

describe('a replicated decision', () => {
  const engines: Engine[] = []
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.close()
  })
  function engineOn(link: Link, replicas: number, budgetMs = 5_000): Engine {
    const engine = new Engine(link, { budgetMs, time: 'caller', replicas })
    engines.push(engine)
    return engine
  }
  const ask = (engine: Engine, key: string): Promise<unknown> => {
    const args = [engine.given(NOW_MS), 'count', engine.slackMs, 'id', '']
    return engine.call(PERMIT, [key], args, { replicated: true })
  }

  it('resolves once the replica of its node has it', async () => {
    const engine = engineOn(new Link(connect(), false, 5_000), 1)
    for (const tag of ['a', 'b', 'c', 'd']) expect(await ask(engine, `r:{${tag}}`)).toBe(0)
  })

  it('follows a slot that moves', async () => {
    const engine = engineOn(new Link(connect(), false, 5_000), 1)
    expect(await ask(engine, 'r:{slot}')).toBe(0)
    const slot = await cluster.slotOf('{slot}')
    await cluster.moveSlots([slot], ((await cluster.shardOf(slot)) + 1) % 3)
    expect(await ask(engine, 'r:{slot}')).toBe(0)
  })

  it('fails within its budget where too few replicas have it, and holds up nothing else', async () => {
    const pair = await startReplicated()
    try {
      const { url } = pair.primary
      const engine = engineOn(new Link(openClient(url, 200), true, 200), 1, 200)
      await until('the primary counts its replica', async () => {
        return (await ask(engine, 'r:{x}').catch(() => null)) === 0
      })
      await pair.cutOff()
      const startMs = performance.now()
      const asked = ask(engine, 'r:{x}').catch((error: unknown) => error)
      const other = await engine.call(PERMIT, ['r:{x}'], ['1', 'count', 0, 'id', ''])
      expect(other).toBe(0)
      expect(performance.now() - startMs).toBeLessThan(150)
      const error = (await asked) as OstlerError
      expect(error).toBeInstanceOf(OstlerError)
      expect(error.code).toBe('STORE_UNAVAILABLE')
      expect(performance.now() - startMs).toBeLessThan(300)
    } finally {
      await pair.stop()
    }
  })
})
