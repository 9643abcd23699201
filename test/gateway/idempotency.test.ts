import { setTimeout } from 'node:timers/promises'
import { redisStore } from '@ostler/store-redis'
import { sqliteStore } from '@ostler/store-sqlite'
import { memoryStore, type Mode, type Store } from '@ostler/core'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { until } from '../servers/until.ts'
import { startRedis } from '../servers/redis.ts'
import { freshPath } from '../stores/sqlite/rig.ts'
import { closing } from './rig/closing.ts'
import { serve } from './rig/sockets.ts'
import { errorOf, makeKey, ringOf, startRig, type Rig, type RigOptions } from './rig/gateway.ts'
import { redirect } from './rig/targets.ts'

const stores: Readonly<Record<string, () => Store<Mode> | Promise<Store<Mode>>>> = {
  memory: () => memoryStore(),
  sqlite: () => {
    const store = sqliteStore({ path: freshPath(), time: 'caller' })
    closing(() => store.close())
    return store
  },
  redis: async () => (await openRedis()).store,
}

async function openRedis() {
  const server = await startRedis()
  closing(() => server.stop())
  const client = new Redis(server.port, '127.0.0.1', {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    commandTimeout: 1000,
    socketTimeout: 2000,
  })
  client.on('error', () => undefined)
  closing(() => client.disconnect())
  await until('a connection to redis-server', () => client.status === 'ready')
  // Patient: on a busy machine a late answer would be decided without it.
  const store = redisStore({ client, time: 'caller', budgetMs: 1000 })
  closing(() => store.close())
  return { server, store }
}

const once = { headers: { 'idempotency-key': 'order-1' } }
const replayed = ({ headers }: { readonly headers: Headers }) => headers.get('idempotent-replayed')

describe.each(Object.keys(stores))('on %s', (name) => {
  const rigOn = async (options: RigOptions = {}): Promise<Rig> =>
    startRig({ store: await stores[name](), ...options })

  test('a repeat is given the stored answer, and the target is asked once', async () => {
    const rig = await rigOn()
    const order = { method: 'POST', body: 'one sack' }
    const first = await rig.fetch('/echo', order, once)
    const second = await rig.fetch('/echo', order, once)
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.text).toBe(first.text)
    expect([replayed(first), replayed(second)]).toEqual([null, 'true'])
    expect(rig.target.visits).toHaveLength(1)
  })

  test('a block is an answer too, and is repeated as it was', async () => {
    const rig = await rigOn()
    const first = await rig.fetch('/blocked', {}, once)
    const second = await rig.fetch('/blocked', {}, once)
    expect(first.json.meta.blocked).toBe(true)
    expect(second.text).toBe(first.text)
  })

  test('the same key with another body is refused', async () => {
    const rig = await rigOn()
    await rig.fetch('/echo', { method: 'POST', body: 'one sack' }, once)
    const other = await rig.fetch('/echo', { method: 'POST', body: 'two sacks' }, once)
    expect([other.status, errorOf(other).code]).toEqual([409, 'IDEMPOTENCY_KEY_REUSED'])
    expect(rig.target.visits).toHaveLength(1)
  })

  test('of two at once one runs, and the other is told so', async () => {
    const rig = await rigOn()
    const both = await Promise.all([rig.fetch('/slow', {}, once), rig.fetch('/slow', {}, once)])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
    const refused = both.find(({ status }) => status === 409)
    expect(refused && errorOf(refused).code).toBe('IDEMPOTENCY_IN_PROGRESS')
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(rig.target.visits).toHaveLength(1)
    expect(replayed(await rig.fetch('/slow', {}, once))).toBe('true')
  })

  test('who takes all of his time is not taken for crashed', async () => {
    const rig = await rigOn()
    const first = rig.fetch('/slow', { timeout: 30 }, once)
    await until('the target is asked', () => rig.target.visits.length === 1)
    rig.later(35_000)
    expect(errorOf(await rig.fetch('/slow', { timeout: 30 }, once)).code).toBe(
      'IDEMPOTENCY_IN_PROGRESS',
    )
    expect((await first).status).toBe(200)
  })

  test('a key whose gateway has crashed is free again', async () => {
    const store = await stores[name]()
    const crashed = await startRig({ store })
    const body = { url: `${crashed.target.url}/hang`, timeout: 20 }
    const gone = new AbortController()
    const never = crashed.ask('/fetch', { body, ...once, signal: gone.signal }).catch(() => null)
    await until('the target is asked', () => crashed.target.visits.length === 1)
    const rig = await startRig({ store })
    const during = await rig.ask('/fetch', { body, ...once })
    expect(errorOf(during).code).toBe('IDEMPOTENCY_IN_PROGRESS')
    rig.later(31_000)
    const after = rig.ask('/fetch', { body, ...once, signal: gone.signal }).catch(() => null)
    await until('the target is asked again', () => crashed.target.visits.length === 2)
    gone.abort()
    await Promise.all([never, after])
  })

  test('a request that came to no answer may be repeated under its key', async () => {
    const rig = await rigOn({ paths: { '/cut': (_, response) => void response.destroy() } })
    expect(errorOf(await rig.fetch('/cut', {}, once)).code).toBe('BAD_GATEWAY')
    expect(errorOf(await rig.fetch('/cut', {}, once)).code).toBe('BAD_GATEWAY')
    expect(rig.target.visits).toHaveLength(2)
  })

  test('what a target may have done is not asked of it again', async () => {
    const rig = await rigOn({ paths: { '/cut': (_, response) => void response.destroy() } })
    const order = { method: 'POST', body: 'one sack' }
    const first = await rig.fetch('/cut', order, once)
    expect([first.status, errorOf(first).code]).toEqual([502, 'BAD_GATEWAY'])
    const second = await rig.fetch('/cut', order, once)
    expect([second.status, second.text, replayed(second)]).toEqual([502, first.text, 'true'])
    const accept = { ...once.headers, accept: 'application/problem+json' }
    const third = await rig.fetch('/cut', order, { headers: accept })
    expect(third.json).toMatchObject({ status: 502, code: 'BAD_GATEWAY' })
    expect(third.json.requestId).toBe(first.json.meta.requestId)
    expect(rig.target.visits).toHaveLength(1)
  })

  test('nor what an agent may have passed on before it failed', async () => {
    const { port, sockets } = await serve((socket) => {
      socket.once('data', () => socket.end())
    })
    const agents = [{ id: 'a', url: `http://127.0.0.1:${port}` }]
    const rig = await rigOn({ agents, resolveAt: 'agent' })
    const order = { method: 'POST', body: 'one sack' }
    const first = await rig.fetch('/', order, once)
    expect(errorOf(first)).toMatchObject({ code: 'BAD_GATEWAY', details: { by: 'agent' } })
    const second = await rig.fetch('/', order, once)
    expect([second.text, replayed(second)]).toEqual([first.text, 'true'])
    expect(sockets).toHaveLength(1)
  })

  test('what a target did before it sent elsewhere is not asked of it again', async () => {
    const elsewhere = 'http://10.0.0.1/thanks'
    const rig = await rigOn({ paths: { '/order': redirect(303, elsewhere) } })
    const order = { method: 'POST', body: 'one sack', redirect: 'follow' }
    const first = await rig.fetch('/order', order, once)
    expect([first.status, errorOf(first).code]).toEqual([403, 'TARGET_FORBIDDEN'])
    const second = await rig.fetch('/order', order, once)
    expect([second.status, second.text, replayed(second)]).toEqual([403, first.text, 'true'])
    expect(rig.target.visits).toHaveLength(1)
  })

  test('what no target was asked for may be asked for again', async () => {
    const rig = await rigOn({ agents: 0 })
    const order = { method: 'POST', body: 'one sack' }
    expect(errorOf(await rig.fetch('/echo', order, once)).code).toBe('NO_AGENT_AVAILABLE')
    await rig.gateway.scheduler.agents.upsert([{ id: 'direct' }])
    expect((await rig.fetch('/echo', order, once)).status).toBe(200)
    expect(rig.target.visits).toHaveLength(1)
  })

  test('who hangs up and asks again is given what the first request came to', async () => {
    const rig = await rigOn()
    const leaves = new AbortController()
    const first = rig.fetch('/slow', {}, { ...once, signal: leaves.signal }).catch(() => null)
    await until('the target is asked', () => rig.target.visits.length === 1)
    leaves.abort()
    await first
    let answer = await rig.fetch('/slow', {}, once)
    for (let tries = 0; answer.status === 409 && tries < 50; tries++) {
      await setTimeout(50)
      answer = await rig.fetch('/slow', {}, once)
    }
    expect([answer.status, replayed(answer)]).toEqual([200, 'true'])
    expect(rig.target.visits).toHaveLength(1)
  })

  test('an answer too large to keep is not fetched twice', async () => {
    const rig = await rigOn()
    expect((await rig.fetch('/large', {}, once)).status).toBe(200)
    const again = await rig.fetch('/large', {}, once)
    expect([again.status, errorOf(again).code]).toEqual([409, 'CONFLICT'])
    expect(errorOf(again).message).toContain('too large')
    expect(rig.target.visits).toHaveLength(1)
  })

  test('answers are kept within bounds, and what is not kept is not done twice', async () => {
    const one = makeKey({ id: 'key_one' })
    const other = makeKey({ id: 'key_other' })
    // A quarter of it holds one answer of 4,000 bytes and no second one.
    const rig = await rigOn({
      keys: ringOf(one, other),
      maxKeptBytes: 24_000,
      paths: { '/page': (_, response) => void response.end('x'.repeat(4_000)) },
    })
    const repeated = async (key: string, name: string): Promise<unknown> => {
      const headers = { 'idempotency-key': name }
      expect((await rig.fetch('/page', {}, { headers, key })).status).toBe(200)
      const repeat = await rig.fetch('/page', {}, { headers, key })
      return errorOf(repeat)?.code ?? replayed(repeat)
    }
    expect(await repeated(one.key, 'first')).toBe('true')
    expect(await repeated(one.key, 'second')).toBe('CONFLICT')
    expect(await repeated(other.key, 'first')).toBe('true')
    expect(rig.target.visits).toHaveLength(3)
    rig.later(86_400_000)
    expect(await repeated(one.key, 'third')).toBe('true')
  })

  test('a repeat uses no quota, and is answered where nothing is left', async () => {
    const tiers = { two: { policies: [{ name: 'two', limit: 2, windowMs: 60_000 }] } }
    const rig = await rigOn({ tier: 'two', tiers })
    const left = ({ headers }: { readonly headers: Headers }) =>
      headers.get('x-ratelimit-remaining')
    expect(left(await rig.fetch('/', {}, once))).toBe('1')
    for (let i = 0; i < 5; i++) expect(left(await rig.fetch('/', {}, once))).toBe('1')
    expect(left(await rig.fetch('/'))).toBe('0')
    expect((await rig.fetch('/')).status).toBe(429)
    const repeat = await rig.fetch('/', {}, once)
    expect([repeat.status, replayed(repeat), left(repeat)]).toEqual([200, 'true', '0'])
    expect(repeat.headers.get('retry-after')).toBeNull()
    const fresh = await rig.fetch('/', {}, { headers: { 'idempotency-key': 'order-2' } })
    expect(fresh.status).toBe(429)
    expect(rig.target.visits).toHaveLength(2)
  })

  test('what was done is forgotten after a day', async () => {
    const rig = await rigOn()
    await rig.fetch('/', {}, once)
    rig.later(86_400_000 - 60_000)
    expect(replayed(await rig.fetch('/', {}, once))).toBe('true')
    rig.later(120_000)
    const later = await rig.fetch('/', {}, once)
    expect([later.status, replayed(later)]).toEqual([200, null])
  })

  test('the keys of two callers do not meet', async () => {
    const [one, other] = [makeKey({ id: 'key_one' }), makeKey({ id: 'key_other' })]
    const rig = await rigOn({ keys: ringOf(one, other) })
    for (const { key } of [one, other]) {
      const answer = await rig.fetch('/', {}, { key, ...once })
      expect([answer.status, replayed(answer)]).toEqual([200, null])
    }
    expect(rig.target.visits).toHaveLength(2)
  })
})

test('while the store is gone nothing with an idempotency key is begun', async () => {
  const { server, store } = await openRedis()
  const rig = await startRig({ store })
  expect((await rig.fetch('/')).status).toBe(200)
  await server.kill()
  const refused = await rig.fetch('/', {}, once)
  expect([refused.status, errorOf(refused).code]).toEqual([503, 'STORE_UNAVAILABLE'])
  expect(rig.target.visits).toHaveLength(1)
  // What needs no memory goes on, and says so.
  const without = await rig.fetch('/')
  expect([without.status, without.json.meta.degraded]).toEqual([200, true])
})

test('a store that hangs is not waited for', async () => {
  const { server, store } = await openRedis()
  const rig = await startRig({ store })
  await server.pause()
  closing(() => server.resume())
  const startMs = performance.now()
  const refused = await rig.fetch('/', {}, once)
  expect([refused.status, errorOf(refused).code]).toEqual([503, 'STORE_UNAVAILABLE'])
  expect(performance.now() - startMs).toBeLessThan(3000)
  expect(rig.target.visits).toHaveLength(0)
})

test('a store with no room for another record keeps nobody from what is harmless to do again', async () => {
  const rig = await startRig({ store: memoryStore({ maxIdempotencyRecords: 1 }) })
  const named = (name: string) => ({ headers: { 'idempotency-key': name } })
  expect((await rig.fetch('/', {}, named('first'))).status).toBe(200)
  const second = await rig.fetch('/', {}, named('second'))
  expect([second.status, replayed(second)]).toEqual([200, null])
  expect(replayed(await rig.fetch('/', {}, named('first')))).toBe('true')
  expect(rig.target.visits).toHaveLength(2)
  const order = await rig.fetch('/', { method: 'POST', body: 'one sack' }, named('third'))
  expect([order.status, errorOf(order).code]).toEqual([503, 'STORE_UNAVAILABLE'])
  expect(rig.target.visits).toHaveLength(2)
})

test('an answer is given even where the store is gone when it should be kept', async () => {
  const { server, store } = await openRedis()
  const rig = await startRig({ store })
  const answer = rig.fetch('/slow', {}, once)
  await until('the target is asked', () => rig.target.visits.length === 1)
  await server.kill()
  expect((await answer).status).toBe(200)
})

test('a malformed idempotency key is refused', async () => {
  const rig = await startRig()
  const answer = await rig.fetch('/', {}, { headers: { 'idempotency-key': 'two words' } })
  expect([answer.status, errorOf(answer).code]).toEqual([400, 'BAD_REQUEST'])
  expect(rig.target.visits).toHaveLength(0)
})
