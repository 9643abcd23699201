import { memoryStore } from '@ostler/core'
import { expect, test } from 'vitest'
import { freePort } from '../servers/ports.ts'
import { errorOf, makeKey, ringOf, startRig, type Answer, type Rig } from './rig/gateway.ts'
import { dialTarget, startTarget } from './rig/ws-peers.ts'

const PROXY = { trustProxy: ['127.0.0.1'] }

/** Statuses of requests that come from an address, as the proxy in front says. */
async function statuses(rig: Rig, from: string, count: number): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < count; i++) {
    const headers = { 'x-forwarded-for': from }
    all.push((await rig.ask('/openapi.json', { key: null, headers })).status)
  }
  return all
}

const ten = Array.from({ length: 10 }, () => 200)

test('callers without a key are counted by address', async () => {
  const rig = await startRig(PROXY)
  expect(await statuses(rig, '198.51.100.1', 11)).toEqual([...ten, 429])
  expect(await statuses(rig, '198.51.100.2', 1)).toEqual([200])
})

test('addresses of one /64 are one caller, those of two are two', async () => {
  const rig = await startRig(PROXY)
  const all: number[] = []
  for (let i = 0; i < 11; i++) {
    all.push(...(await statuses(rig, `2001:db8:1:2:${i}::${i}`, 1)))
  }
  expect(all).toEqual([...ten, 429])
  expect(await statuses(rig, '2001:db8:1:3::1', 1)).toEqual([200])
  expect(await statuses(rig, '2001:0DB8:0001:0002::99', 1)).toEqual([429])
})

test('an IPv4 address that is written as an IPv6 one is the same caller', async () => {
  const rig = await startRig(PROXY)
  expect(await statuses(rig, '198.51.100.1', 10)).toEqual(ten)
  expect(await statuses(rig, '::ffff:198.51.100.1', 1)).toEqual([429])
})

test('what a caller says of its address counts only through a proxy that is trusted', async () => {
  const rig = await startRig()
  const all: number[] = []
  for (let i = 0; i < 11; i++) all.push(...(await statuses(rig, `198.51.100.${i}`, 1)))
  expect(all).toEqual([...ten, 429])
  const behind = await startRig({ trustProxy: ['127.0.0.1', '203.0.113.9'] })
  // The address that the last proxy that is not trusted has, whatever that one says before it.
  expect(await statuses(behind, '10.9.8.7, 198.51.100.1, 203.0.113.9', 10)).toEqual(ten)
  expect(await statuses(behind, '198.51.100.1', 1)).toEqual([429])
})

test('guesses at keys are counted by address, and those of others are not hindered', async () => {
  const rig = await startRig(PROXY)
  const from = (address: string): { headers: Record<string, string> } => ({
    headers: { 'x-forwarded-for': address },
  })
  const all: number[] = []
  for (let i = 0; i < 12; i++) {
    const { key } = makeKey()
    all.push((await rig.ask('/usage', { key, ...from('198.51.100.1') })).status)
  }
  expect(all).toEqual([...Array.from({ length: 10 }, () => 403), 429, 429])
  expect((await rig.ask('/usage', from('198.51.100.2'))).status).toBe(200)
  // Nor is who has a key at that address.
  expect((await rig.ask('/usage', from('198.51.100.1'))).status).toBe(200)
})

test('malformed and missing keys are counted with the guesses', async () => {
  const rig = await startRig()
  const all: number[] = []
  for (let i = 0; i < 5; i++) all.push((await rig.ask('/usage', { key: 'nonsense' })).status)
  for (let i = 0; i < 6; i++) all.push((await rig.ask('/usage', { key: null })).status)
  expect(all).toEqual([...Array.from({ length: 10 }, () => 401), 429])
})

test('RateLimit and RateLimit-Policy are those of draft 10', async () => {
  const policies = [
    { name: 'burst', limit: 5, windowMs: 1000 },
    { name: 'daily', limit: 1000, windowMs: 86_400_000 },
  ]
  const rig = await startRig({ tier: 'both', tiers: { both: { policies } } })
  const { headers } = await rig.ask('/usage')
  expect(headers.get('ratelimit-policy')).toBe('"burst";q=5;w=1, "daily";q=1000;w=86400')
  expect(headers.get('ratelimit')).toBe('"burst";r=4;t=1')
  // Of several policies the tightest is told.
  expect(headers.get('x-ratelimit-limit')).toBe('5')
})

test('a denial says which policy, and when to come back', async () => {
  const policies = [{ name: 'two', limit: 2, windowMs: 10_000 }]
  const rig = await startRig({ tier: 'two', tiers: { two: { policies } } })
  await rig.ask('/usage')
  await rig.ask('/usage')
  const denied = await rig.ask('/usage')
  expect(errorOf(denied).details).toMatchObject({ policy: 'two', limit: 2 })
  expect(denied.headers.get('ratelimit')).toMatch(/^"two";r=0;t=(9|10)$/)
  const seconds = Number(denied.headers.get('retry-after'))
  rig.later(seconds * 1000 - 1500)
  expect((await rig.ask('/usage')).status).toBe(429)
  rig.later(1500)
  expect((await rig.ask('/usage')).status).toBe(200)
})

test('healthz and readyz are not limited', async () => {
  const rig = await startRig()
  for (let i = 0; i < 30; i++) {
    const alive = await rig.ask('/healthz', { key: null })
    expect(alive.json).toEqual({ status: 'ok' })
    const ready = await rig.ask('/readyz', { key: null })
    expect(ready.json).toEqual({ ready: true, agents: 3, degraded: false })
    expect(ready.headers.get('x-ratelimit-limit')).toBeNull()
  }
})

test('a limit is one over all gateways on a store', async () => {
  const store = memoryStore()
  const shared = makeKey({ id: 'key_shared', tier: 'free' })
  const keys = ringOf(shared)
  const [one, other] = [await startRig({ store, keys }), await startRig({ store, keys })]
  const answers: Answer[] = []
  for (let i = 0; i < 61; i++) {
    answers.push(await (i % 2 === 0 ? one : other).ask('/usage', { key: shared.key }))
  }
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(60)
  expect(answers.at(-1)?.status).toBe(429)
})

test('tiers are options: one can be changed, and others added', async () => {
  const tiers = {
    unauthenticated: { policies: [{ name: 'unauthenticated', limit: 2, windowMs: 60_000 }] },
    free: { policies: [{ name: 'free', limit: 3, windowMs: 60_000 }] },
  }
  const rig = await startRig({ tier: 'free', tiers })
  const all: number[] = []
  for (let i = 0; i < 4; i++) all.push((await rig.ask('/usage')).status)
  expect(all).toEqual([200, 200, 200, 429])
  expect(await statuses(rig, '198.51.100.1', 3)).toEqual([200, 200, 429])
})

test('a tier that allows nothing does not say when to come back', async () => {
  const policies = [{ name: 'shut', limit: 0, windowMs: 60_000 }]
  const rig = await startRig({ tier: 'shut', tiers: { shut: { policies } } })
  const answer = await rig.ask('/usage')
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, null])
  expect(errorOf(answer).details).toEqual({ policy: 'shut', limit: 0, retryAfterMs: null })
})

test('a tier without policies limits nothing, and tells of no limit', async () => {
  const rig = await startRig({ tier: 'trusted', tiers: { trusted: { policies: [] } } })
  for (let i = 0; i < 70; i++) {
    const { status, headers } = await rig.ask('/usage')
    expect([status, headers.get('x-ratelimit-limit'), headers.get('ratelimit')]).toEqual([
      200,
      null,
      null,
    ])
  }
})

test('a tier without permits counts streams and WebSockets, and has no cap on them', async () => {
  const policies = [{ name: 'open', limit: 5, windowMs: 60_000 }]
  const rig = await startRig({ tier: 'open', tiers: { open: { policies } } })
  const { url, key } = rig
  const headers = { authorization: `Bearer ${key}`, accept: 'text/event-stream' }
  const hangUp = new AbortController()
  for (let i = 0; i < 2; i++) {
    const path = `${url}/network/health/shop.example`
    const stream = await fetch(path, { headers, signal: hangUp.signal })
    expect([stream.status, stream.headers.get('content-type')]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ])
  }
  const target = await startTarget()
  const ws = `${url.replace('http', 'ws')}/ws`
  for (let i = 0; i < 2; i++) {
    const { answer } = await dialTarget({ ws, key }, target.url)
    expect(answer).toMatchObject({ type: 'connected' })
  }
  // Nobody is there: but it was tried, and not refused.
  const body = { url: `amqp://127.0.0.1:${await freePort()}/`, queue: 'q' }
  expect(errorOf(await rig.ask('/amqp/consume', { body })).code).toBe('BAD_GATEWAY')
  const { answer } = await dialTarget({ ws, key }, target.url)
  expect(answer).toMatchObject({ type: 'error', code: 'RATE_LIMITED', details: { policy: 'open' } })
  hangUp.abort()
})
