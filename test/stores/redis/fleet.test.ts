import type { AgentChange, StoredAgent } from '@ostler/core'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { codeOf, linkTo, openHealth, type HalfOptions, type HealthStore } from './health-rig.ts'
import { T } from './records.ts'

const HEALTH = {
  ladder: [{ health: 'limited', durationMs: 30_000 }],
  rateLimitedMs: 30_000,
  strikeDecayMs: 3_600_000,
  okStreakToForget: 3,
  jitter: 0,
} as const
const INCIDENT = { minExclusions: 10, exclusionShare: 0.05, minFailures: 5, failureShare: 0.3 }

let server: RedisServer
let redis: Redis
const closes: (() => Promise<void>)[] = []

beforeAll(async () => {
  server = await startRedis()
  redis = linkTo(server.url).client as Redis
})
afterEach(async () => {
  for (const close of closes.splice(0)) await close()
  await redis.flushall()
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

function open(options: HalfOptions = {}): HealthStore {
  const half = openHealth(linkTo(server.url), options)
  closes.push(half.close)
  return half.store
}

const named = (from: number, count: number): StoredAgent[] =>
  Array.from({ length: count }, (_, i) => ({ id: `a${from + i}`, country: 'DE' }))

/** Reports an agent error, or another outcome, of an agent. */
async function report(store: HealthStore, agentId: string, kind: 'agent_error' | 'ok') {
  const leaseId = `${agentId} ${Math.random()}`
  const [domain, deadlineMs, nowMs, viewVersion] = ['d', T + 60_000, T, 0]
  const candidates = [{ agentId, exit: agentId, maxConcurrency: 9 }]
  await store.acquire({
    domain,
    candidates,
    leaseId,
    deadlineMs,
    nowMs,
    viewVersion,
    health: HEALTH,
  })
  const lease = { id: leaseId, agentId, exit: agentId, domain, epoch: 0, pickedAtMs: T, deadlineMs }
  return store.settle({
    lease: { ...lease, probe: false },
    outcome: { kind },
    nowMs,
    viewVersion,
    health: HEALTH,
    incident: INCIDENT,
    breaker: { threshold: 1, restMs: 10_000, maxRestMs: 300_000 },
    exits: 10,
  })
}

describe('the fleet on Redis', () => {
  it('comes and is followed in portions: 20,000 agents', { timeout: 60_000 }, async () => {
    const store = open()
    const agents = named(0, 20_000)
    let version = 0
    for (let from = 0; from < agents.length; from += 1_000) {
      const before = version
      version = await store.putAgents(agents.slice(from, from + 1_000))
      if (from > 0) expect(version).toBe(before + 1_000)
    }
    const all = await store.agents(0)
    expect(all.version).toBe(version)
    expect(all.changes).toEqual(agents.map((agent) => ({ kind: 'put', agent })))
    expect(await store.agents(version)).toEqual({ version, reset: false, changes: [] })
    const some = await store.agents(version - 2_500)
    expect(some.changes).toHaveLength(2_500)
    expect(some.changes[0]).toEqual({ kind: 'put', agent: agents[17_500] })
  })

  it('keeps an agent as it was given, to the last digit', async () => {
    const store = open()
    const agent: StoredAgent = {
      id: 'ü:1',
      country: 'DE',
      region: 'DE-BE',
      city: 'Berlin "Mitte"\u2028',
      lat: 52.520008 + 1e-13,
      lon: -1.0000000000000002,
      exitIp: '2001:db8::1',
      asn: 4_294_967_295,
      tags: ['fast', 'é'],
      weight: 0.1 + 0.2,
      maxConcurrency: 65_535,
      url: 'http://user:p%40ss@agent.example:8080/',
      drained: true,
    }
    await store.putAgents([agent])
    expect((await store.agents(0)).changes).toEqual([{ kind: 'put', agent }])
  })

  it('holds no more agents than it may: all come, or none', async () => {
    const store = open({ maxAgents: 5 })
    await store.putAgents(named(0, 4))
    expect(await codeOf(store.putAgents(named(3, 3)))).toBe('FLEET_FULL')
    expect((await store.agents(0)).changes).toHaveLength(4)
    // Those that are there already, or come twice, take no more room.
    const version = await store.putAgents([...named(0, 4), ...named(4, 1), ...named(4, 1)])
    expect((await store.agents(0)).changes).toHaveLength(5)
    expect((await store.agents(0)).version).toBe(version)
    await store.removeAgents(['a0'])
    await store.putAgents(named(9, 1))
  })

  it('refuses more in one decision than a server should be held up for', async () => {
    const store = open()
    expect(await codeOf(store.putAgents(named(0, 20_001)))).toBe('INVALID_REQUEST')
    const ids = named(0, 20_001).map(({ id }) => id)
    expect(await codeOf(store.removeAgents(ids))).toBe('INVALID_REQUEST')
  })

  it('takes 20,000 in one decision too', { timeout: 60_000 }, async () => {
    const store = open()
    const version = await store.putAgents(named(0, 20_000))
    const { changes } = await store.agents(0)
    expect(changes).toHaveLength(20_000)
    const gone = await store.removeAgents(named(0, 20_000).map(({ id }) => id))
    expect(gone).toBe(version + 20_000)
    expect((await store.agents(0)).changes).toEqual([])
  })

  it('remembers the dead for who has yet to hear of them, and not without bound', async () => {
    const store = open()
    const version = await store.putAgents(named(0, 3_000))
    const some = named(0, 1_000).map(({ id }) => id)
    await store.removeAgents(some)
    const told = await store.agents(version)
    expect(told.reset).toBe(false)
    expect(told.changes).toEqual(some.map((id) => ({ kind: 'removed', id })))
    await store.removeAgents(named(1_000, 2_000).map(({ id }) => id))
    expect(await redis.zcard('ostler:{health}:t')).toBe(1_024)
    expect(await redis.zcard('ostler:{health}:c')).toBe(1_024)
    // Of the oldest 1,976 nobody knows any more.
    expect((await store.agents(version)).reset).toBe(true)
    expect((await store.agents(version + 1_975)).reset).toBe(true)
    const rest = await store.agents(version + 1_976)
    expect([rest.reset, rest.changes.length]).toEqual([false, 1_024])
    const { changes } = await store.agents(0)
    expect(changes).toEqual([])
  })

  it('tells of an agent that came back after it was removed', async () => {
    const store = open()
    const version = await store.putAgents(named(0, 1))
    await store.removeAgents(['a0'])
    await store.putAgents([{ id: 'a0', weight: 2 }])
    expect((await store.agents(version)).changes).toEqual([
      { kind: 'put', agent: { id: 'a0', weight: 2 } },
    ])
    expect(await redis.zcard('ostler:{health}:t')).toBe(0)
  })

  it('clears what stands against an agent with the agent', async () => {
    const store = open()
    await store.putAgents(named(0, 2))
    expect((await report(store, 'a0', 'agent_error')).breaker).toEqual({
      failures: 1,
      downUntilMs: T + 10_000,
    })
    const { version } = await store.agents(0)
    await store.removeAgents(['a0'])
    expect((await store.agents(version)).changes).toEqual([
      { kind: 'breaker', id: 'a0', breaker: { failures: 0, downUntilMs: 0 } },
      { kind: 'removed', id: 'a0' },
    ])
    expect((await report(store, 'a0', 'ok')).breaker).toBeNull()
  })

  it('keeps breakers of strangers within bounds', { timeout: 60_000 }, async () => {
    const store = open({ maxAgents: 1 })
    const strangers = Array.from({ length: 1_030 }, (_, i) => `s${i}`)
    for (let from = 0; from < strangers.length; from += 100) {
      await Promise.all(
        strangers.slice(from, from + 100).map((id) => report(store, id, 'agent_error')),
      )
    }
    expect(await redis.hlen('ostler:{health}:b')).toBe(1_025)
    expect(await redis.hget('ostler:{health}:meta', 'bn')).toBe('1025')
    const { changes } = await store.agents(0)
    expect(changes.filter(({ kind }) => kind === 'breaker')).toHaveLength(1_025)
  })

  it('lets exits rest everywhere, tells of it, and drops what has run out', async () => {
    const store = open()
    const rest = (exit: string, forMs: number, nowMs = T) =>
      store.exclude(exit, '*', nowMs + forMs, nowMs)
    for (const exit of ['x', 'y', 'z']) await rest(exit, 1_000)
    await rest('long', 60_000)
    const { version, changes } = await store.agents(0)
    const exits = (all: readonly AgentChange[]) =>
      all.map((change) => (change.kind === 'exit' ? [change.exit, change.untilMs - T] : change))
    expect(exits(changes)).toEqual([
      ['x', 1_000],
      ['y', 1_000],
      ['z', 1_000],
      ['long', 60_000],
    ])
    await rest('new', 1, T + 2_000)
    expect(await redis.zcard('ostler:{health}:x')).toBe(3)
    // One that ends before it begins is restored; restoring what does not rest is no change.
    await store.exclude('long', '*', T, T + 2_000)
    await store.restore('long', '*', T + 2_000)
    await store.restore('nobody', '*', T + 2_000)
    const told = exits((await store.agents(version)).changes)
    expect(told).toHaveLength(4)
    expect(told.slice(-2)).toEqual([
      ['new', 2_001],
      ['long', -T],
    ])
  })

  it('is full of resting exits only where none has run out', { timeout: 60_000 }, async () => {
    const store = open({ maxAgents: 1 })
    const exits = Array.from({ length: 1_025 }, (_, i) => `x${i}`)
    await Promise.all(exits.map((exit) => store.exclude(exit, '*', T + 5_000, T)))
    expect(await codeOf(store.exclude('more', '*', T + 5_000, T))).toBe('STORE_FULL')
    await store.exclude('x0', '*', T + 9_000, T)
    await store.exclude('more', '*', T + 9_000, T + 5_000)
  })
})
