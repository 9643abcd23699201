import type { Lease, Outcome, PairRecord, Settled } from '@ostler/core'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startReplicated } from '../../servers/replicated.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { until } from '../../servers/until.ts'
import { codeOf, linkTo, openHealth, type HalfOptions, type HealthHalf } from './health-rig.ts'
import { T } from './records.ts'

const MINUTE = 60_000
const HOUR = 3_600_000

const HEALTH = {
  ladder: [
    { health: 'limited', durationMs: 30_000 },
    { health: 'unavailable', durationMs: 300_000 },
  ],
  rateLimitedMs: 30_000,
  strikeDecayMs: HOUR,
  okStreakToForget: 3,
  jitter: 0,
} as const
const INCIDENT = { minExclusions: 1_000, exclusionShare: 1, minFailures: 1_000, failureShare: 1 }
const BREAKER = { threshold: 3, restMs: 10_000, maxRestMs: 300_000 }

let server: RedisServer
let redis: Redis
const opened: HealthHalf[] = []

beforeAll(async () => {
  server = await startRedis()
  redis = linkTo(server.url).client as Redis
})
afterEach(async () => {
  for (const half of opened.splice(0)) await half.close()
  await redis.flushall()
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

function open(options: HalfOptions = {}, url = server.url): HealthHalf {
  const half = openHealth(linkTo(url), options)
  opened.push(half)
  return half
}

interface Wanted {
  readonly domain?: string
  readonly nowMs?: number
  readonly holdMs?: number
  readonly viewVersion?: number
  readonly slots?: number
}

async function acquire({ store }: HealthHalf, exit: string, leaseId: string, wanted: Wanted = {}) {
  const { domain = 'd', nowMs = T, holdMs = MINUTE, viewVersion = 0, slots = 50 } = wanted
  const candidates = [{ agentId: exit, exit, maxConcurrency: slots }]
  const request = { domain, candidates, leaseId, deadlineMs: nowMs + holdMs, nowMs, viewVersion }
  return store.acquire({ ...request, health: HEALTH })
}

async function lease(
  half: HealthHalf,
  exit: string,
  id: string,
  wanted: Wanted = {},
): Promise<Lease> {
  const { domain = 'd', nowMs = T, holdMs = MINUTE } = wanted
  const answer = await acquire(half, exit, id, wanted)
  if (answer.kind === 'refused') throw new Error(`${exit} was refused`)
  const { epoch, probe } = answer
  const deadlineMs = nowMs + holdMs
  return { id, agentId: exit, exit, domain, epoch, pickedAtMs: nowMs, deadlineMs, probe }
}

async function settle(
  { store }: HealthHalf,
  told: Lease,
  kind: Outcome['kind'],
  { nowMs = T, viewVersion = 0 } = {},
): Promise<Settled> {
  const policies = { health: HEALTH, incident: INCIDENT, breaker: BREAKER, exits: 100 }
  return store.settle({ lease: told, outcome: { kind }, nowMs, viewVersion, ...policies })
}

let ids = 0

async function block(half: HealthHalf, exit: string, wanted: Wanted = {}): Promise<Settled> {
  const told = await lease(half, exit, `b${ids++}`, wanted)
  return settle(half, told, 'blocked', { nowMs: wanted.nowMs ?? T })
}

/** A record that the block of an exit has left. */
async function blocked(half: HealthHalf, exit = 'a'): Promise<PairRecord> {
  return (await block(half, exit)).record as PairRecord
}

describe('two stores on one Redis', () => {
  it('hear of what the other changed, a domain or the fleet, and not of their own', async () => {
    const [one, two] = [open(), open()]
    const heard: { one: unknown[]; two: unknown[] } = { one: [], two: [] }
    one.subscribe((domain) => heard.one.push(domain))
    two.subscribe((domain) => heard.two.push(domain))
    await until('both are subscribed', () => heard.one.length === 1 && heard.two.length === 1)
    await block(one, 'a', { domain: 'bücher:2.example' })
    await one.store.putAgents([{ id: 'x' }])
    await two.store.exclude('a', '*', T + MINUTE, T)
    await two.store.exclude('a', 'e', T + MINUTE, T)
    await until('all is heard', () => heard.one.length === 3 && heard.two.length === 3)
    expect(heard.two).toEqual([null, 'bücher:2.example', '*'])
    expect(heard.one).toEqual([null, '*', 'e'])
  })

  it('are told nothing by a call that changed nothing', async () => {
    const [one, two] = [open(), open()]
    const heard: unknown[] = []
    two.subscribe((domain) => heard.push(domain))
    await until('it is subscribed', () => heard.length === 1)
    const told = await lease(one, 'a', 'l')
    await settle(one, told, 'ok')
    await one.store.merge('d', [{ exit: 'a', record: null }], T)
    await one.store.removeAgents(['nobody'])
    await one.store.restore('a', '*', T)
    await one.store.exclude('z', 'last', T + MINUTE, T)
    await until('the last is heard', () => heard.includes('last'))
    expect(heard).toEqual([null, 'last'])
  })

  it('ask anew after a lost subscription, which is told by null', async () => {
    const [one, two] = [open(), open()]
    const heard: unknown[] = []
    const end = two.subscribe((domain) => heard.push(domain))
    await until('it is subscribed', () => heard.length === 1)
    expect(await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBeGreaterThan(0)
    await until('it is subscribed again', () => heard.length === 2)
    expect(heard).toEqual([null, null])
    await block(one, 'a')
    await until('it hears again', () => heard.length === 3)
    end()
    await until('nobody listens', async () => (await subscribers()) === 0)
    await block(one, 'b')
    expect(heard).toEqual([null, null, 'd'])
  })

  it('end their connections with the last listener, and start again with the next', async () => {
    const half = open()
    const ends = [half.subscribe(() => {}), half.subscribe(() => {})]
    await until('it listens', async () => (await subscribers()) === 1)
    ends[0]()
    ends[0]()
    expect(await subscribers()).toBe(1)
    ends[1]()
    await until('it has stopped', async () => (await subscribers()) === 0)
    const heard: unknown[] = []
    half.subscribe((domain) => heard.push(domain))
    half.subscribe((domain) => heard.push(domain))
    await until('both are told to ask', () => heard.length === 2)
    await half.close()
    await until('it is closed', async () => (await subscribers()) === 0)
  })

  it('subscribe once the server that was away is back', async () => {
    const away = await startRedis()
    try {
      const half = open({}, away.url)
      const heard: unknown[] = []
      half.subscribe((domain) => heard.push(domain))
      await until('it is subscribed', () => heard.length === 1)
      await away.kill()
      await away.restart()
      await until('it is subscribed again', () => heard.length === 2)
      expect(heard).toEqual([null, null])
    } finally {
      await away.stop()
    }
  })
})

async function subscribers(): Promise<number> {
  const [, count] = (await redis.call('PUBSUB', 'NUMSUB', 'ostler:changes')) as [string, number]
  return count
}

describe('a server that is not the one of before', () => {
  it('is known once it was emptied: whole, and lost', async () => {
    const half = open()
    const { changes } = await block(half, 'a')
    await half.store.putAgents([{ id: 'x' }])
    const fleet = await half.store.agents(0)
    const since = changes.version
    expect(await half.store.exclusions('d', since, T)).toMatchObject({ reset: false, changes: [] })
    await redis.flushall()
    const gone = await half.store.exclusions('d', since, T)
    expect(gone).toEqual({ version: 0, reset: true, lost: true, changes: [], incident: null })
    const given = await acquire(half, 'a', 'l', { viewVersion: since })
    expect(given).toMatchObject({ kind: 'acquired', changes: { reset: true, lost: true } })
    expect(given.fleetVersion).not.toBe(fleet.version)
    const told = await lease(half, 'b', 'l2')
    const { changes: after } = await settle(half, told, 'blocked', { viewVersion: since })
    expect(after).toMatchObject({ reset: true, lost: true, changes: [{ exit: 'b' }] })
    expect((await half.store.exclusions('d', after.version, T)).reset).toBe(false)
    const agents = await half.store.agents(fleet.version)
    expect(agents).toMatchObject({ reset: true, lost: true, changes: [] })
    await half.store.putAgents([{ id: 'y' }])
    const again = await half.store.agents(fleet.version)
    expect(again).toMatchObject({ reset: true, lost: true, changes: [{ agent: { id: 'y' } }] })
    expect(await half.store.agents(again.version)).not.toHaveProperty('lost')
  })

  it('is known once a replica took over that had not heard of the newest', async () => {
    const pair = await startReplicated()
    try {
      const before = open({}, pair.primary.url)
      const { changes: known } = await block(before, 'a')
      await before.store.putAgents([{ id: 'x' }])
      const fleet = await before.store.agents(0)
      await until('the replica has it', () => pair.isInSync())
      await pair.cutOff()
      const { changes: unheard } = await block(before, 'b')
      const unheardFleet = await before.store.putAgents([{ id: 'y' }])
      await pair.promote()
      const after = open({}, pair.replica.url)
      const told = await after.store.exclusions('d', unheard.version, T)
      expect(told).toMatchObject({ reset: true, lost: true, changes: [{ exit: 'a' }] })
      expect(await after.store.exclusions('d', known.version, T)).not.toHaveProperty('lost')
      expect(await after.store.agents(unheardFleet)).toMatchObject({ reset: true, lost: true })
      expect(await after.store.agents(fleet.version)).not.toHaveProperty('lost')
      // It never comes to the versions that it has lost, however much it goes on to change.
      for (const exit of ['c', 'd', 'e']) await block(after, exit)
      for (const id of ['y', 'z']) await after.store.putAgents([{ id }])
      expect(await after.store.exclusions('d', unheard.version, T)).toHaveProperty('lost', true)
      expect(await after.store.agents(unheardFleet)).toHaveProperty('lost', true)
      const since = await after.store.exclusions('d', known.version, T)
      expect(since).toMatchObject({
        reset: false,
        changes: [{ exit: 'c' }, { exit: 'd' }, { exit: 'e' }],
      })
      const puts = (await after.store.agents(fleet.version)).changes
      expect(puts).toMatchObject([{ agent: { id: 'y' } }, { agent: { id: 'z' } }])
      // What it has lost it can be told again.
      await after.store.merge('d', unheard.changes, T)
      expect((await acquire(after, 'b', 'l')).kind).toBe('refused')
    } finally {
      await pair.stop()
    }
  })

  it.each(['caller', 'server'] as const)(
    'is the same one where it comes back with its data (by the %s), and versions go on',
    async (time) => {
      const keeper = await startRedis({ appendonly: true, args: ['--appendfsync', 'always'] })
      try {
        const nowMs = time === 'caller' ? T : Date.now()
        const half = open({ time }, keeper.url)
        const { changes: known } = await block(half, 'a', { nowMs })
        await half.store.putAgents([{ id: 'x' }])
        const fleet = await half.store.agents(0)
        await keeper.restart()
        const back = open({ time }, keeper.url)
        const told = await back.store.exclusions('d', known.version, nowMs)
        expect(told).toMatchObject({ reset: false, version: known.version, changes: [] })
        // Who comes anew hears of all that is there, though nothing has changed since.
        expect((await back.store.exclusions('d', 0, nowMs)).changes).toHaveLength(1)
        expect((await back.store.agents(0)).changes).toMatchObject([{ agent: { id: 'x' } }])
        const { changes: newer } = await block(back, 'b', { nowMs })
        expect(newer.version).toBeGreaterThan(known.version + 2 ** 32)
        const since = await back.store.exclusions('d', known.version, nowMs)
        expect(since).toMatchObject({ reset: false, changes: [{ exit: 'b' }] })
        await back.store.putAgents([{ id: 'y' }])
        const agents = await back.store.agents(fleet.version)
        expect(agents).toMatchObject({ reset: false, changes: [{ agent: { id: 'y' } }] })
        // A version that was given to what did not come back would lie between the two.
        expect(await back.store.exclusions('d', known.version + 1, nowMs)).toHaveProperty(
          'lost',
          true,
        )
        expect(await back.store.agents(fleet.version + 1)).toHaveProperty('lost', true)
      } finally {
        await keeper.stop()
      }
    },
  )

  it('that only forgot a domain starts it anew, and has lost nothing', async () => {
    const half = open()
    const { changes } = await block(half, 'a')
    await redis.del('ostler:{health}:m:d')
    const told = await half.store.exclusions('d', changes.version, T)
    expect(told).toEqual({ version: 0, reset: true, changes: [], incident: null })
    expect((await acquire(half, 'a', 'l')).kind).toBe('acquired')
    // What the domain's earlier life has left does not come back with its next one.
    await block(half, 'b')
    const whole = await half.store.exclusions('d', 0, T)
    expect(whole.changes.map(({ exit }) => exit)).toEqual(['b'])
    const behind = await half.store.exclusions('d', changes.version, T)
    expect(behind).toMatchObject({ reset: true, changes: [{ exit: 'b' }] })
    expect(behind).not.toHaveProperty('lost')
  })
})

describe('keys', () => {
  const FLEET = ['meta', 'g', 'b', 'x', 'c', 't'].map((part) => `ostler:{health}:${part}`)

  it('of domains, leases and agents all end by themselves, those of the fleet do not', async () => {
    const half = open({ time: 'server' })
    const nowMs = Date.now()
    for (const [i, kind] of (['ok', 'blocked', 'target_error', 'agent_error'] as const).entries()) {
      const told = await lease(half, `a${i}`, `l${i}`, { nowMs })
      await lease(half, `a${i}`, `kept${i}`, { nowMs, holdMs: (i + 1) * HOUR })
      await settle(half, told, kind, { nowMs })
    }
    await half.store.exclude('z', 'e', nowMs + 48 * HOUR, nowMs)
    await half.store.exclude('z', '*', nowMs + MINUTE, nowMs)
    await half.store.putAgents([{ id: 'x' }, { id: 'y' }])
    await half.store.removeAgents(['x'])
    const endless: string[] = []
    const left: Record<string, number> = {}
    for (const key of await redis.keys('*')) {
      const ttlMs = await redis.pttl(key)
      if (ttlMs === -1) endless.push(key)
      else left[key.replace('ostler:{health}:', '')] = ttlMs
    }
    expect(endless.toSorted()).toEqual(FLEET.toSorted())
    // Each lasts as long as the newest in it says something, and not much longer.
    expect(left['d:d']).toBeGreaterThan(HOUR)
    expect(left['d:d']).toBeLessThan(3 * HOUR)
    expect(left['m:d']).toBeGreaterThan(4 * HOUR)
    expect(left['m:d']).toBeLessThan(5 * HOUR)
    expect(left['i:d']).toBeGreaterThan(4 * HOUR - MINUTE)
    expect(left['m:e']).toBeGreaterThan(48 * HOUR)
    expect(left['l:kept0']).toBeLessThanOrEqual(HOUR + 1_000)
    expect(left['a:a3']).toBeGreaterThan(4 * HOUR - MINUTE)
    expect(left['s:d']).toBeGreaterThan(HOUR - MINUTE)
  })

  it(
    'of leases that nobody reported go with them: 10,000 leave nothing',
    { timeout: 60_000 },
    async () => {
      const half = open({ time: 'server' })
      const count = 10_000
      const holdMs = 300
      for (let from = 0; from < count; from += 500) {
        const nowMs = Date.now()
        const some = Array.from({ length: 500 }, (_, i) => from + i)
        await Promise.all(
          some.map((i) =>
            acquire(half, `a${i % 100}`, `l${i}`, {
              domain: `d${i % 5}`,
              nowMs,
              holdMs,
              slots: 1_000,
            }),
          ),
        )
      }
      const keysOf = async (pattern: string): Promise<number> => (await redis.keys(pattern)).length
      expect(await keysOf('ostler:{health}:[la]:*')).toBeGreaterThan(500)
      await until('leases and slots are gone', async () => (await keysOf('*:[la]:*')) === 0, 20_000)
      // What is left of a domain is dropped with its next leases.
      for (let i = 0; i < 5 * 16; i++) {
        await acquire(half, 'late', `late${i}`, {
          domain: `d${i % 5}`,
          nowMs: Date.now(),
          slots: 1_000,
        })
      }
      for (let d = 0; d < 5; d++) {
        expect(await redis.zcard(`ostler:{health}:i:d${d}`)).toBeLessThanOrEqual(16)
      }
      expect(await keysOf('*')).toBe(1 + 16 * 5 + 1 + 2 * 5)
    },
  )

  it('of records that are forgotten are let go in passing, without a word to who knew them', async () => {
    const half = open()
    for (let i = 0; i < 20; i++) await block(half, `a${i}`)
    const { version } = await half.store.exclusions('d', 0, T)
    expect(await redis.hlen('ostler:{health}:d:d')).toBe(20)
    // The exclusion by hand outlasts the others: with it the domain's records stay known.
    await half.store.exclude('long', 'd', T + 48 * HOUR, T)
    const nowMs = T + 24 * HOUR
    for (let i = 0; i < 5; i++) await half.store.exclude('new', 'd', nowMs + MINUTE, nowMs)
    expect(await redis.hlen('ostler:{health}:d:d')).toBe(2)
    const told = await half.store.exclusions('d', version, nowMs)
    expect(told.reset).toBe(false)
    expect(told.changes.map(({ exit }) => exit)).toEqual(['long', 'new'])
    // Who had not seen all of them cannot know which are gone.
    expect((await half.store.exclusions('d', version - 1, nowMs)).reset).toBe(true)
  })
})

describe('a domain whose records are all forgotten', () => {
  it('has none, and who had not seen the last of them starts anew', async () => {
    const half = open()
    for (let i = 0; i < 9; i++) await block(half, `more${i}`)
    const { changes: first } = await block(half, 'a')
    await half.store.restore('a', 'd', T)
    const { version } = await half.store.exclusions('d', 0, T)
    const nowMs = T + 3 * HOUR
    const expectForgotten = async (changes: readonly string[]) => {
      const told = await half.store.exclusions('d', version, nowMs)
      expect([told.reset, told.changes.map(({ exit }) => exit)]).toEqual([false, changes])
      const behind = await half.store.exclusions('d', first.version, nowMs)
      expect([behind.reset, behind.changes.map(({ exit }) => exit)]).toEqual([true, changes])
      expect(await half.store.exclusions('d', 0, nowMs)).toMatchObject({ changes: told.changes })
    }
    await expectForgotten([])
    expect(await acquire(half, 'a', 'l', { nowMs })).toMatchObject({ epoch: 0, probe: false })
    await half.store.exclude('b', 'd', nowMs + MINUTE, nowMs)
    await expectForgotten(['b'])
    expect(await redis.hkeys('ostler:{health}:d:d')).toEqual(['b'])
  })
})

describe('much', () => {
  it(
    'of a domain comes in pages, whole and in order: 5,000 exclusions',
    { timeout: 60_000 },
    async () => {
      const half = open()
      const record = await blocked(half)
      await redis.flushall()
      const changes = Array.from({ length: 5_000 }, (_, i) => ({ exit: `x${i}`, record }))
      await half.store.merge('d', changes, T)
      const all = await half.store.exclusions('d', 0, T)
      expect(all.reset).toBe(false)
      expect(all.changes).toEqual(changes)
      expect(await half.store.exclusions('d', all.version, T)).toMatchObject({ changes: [] })
      const behind = all.version - 1_234
      const rest = await half.store.exclusions('d', behind, T)
      expect(rest.changes).toEqual(changes.slice(-1_234))
      // A decision brings some itself, and the rest follows it.
      const given = await acquire(half, 'fine', 'l', { viewVersion: 0 })
      expect(given).toMatchObject({ kind: 'acquired', changes: { version: all.version } })
      expect(given.changes.changes).toEqual(changes)
      const refused = await acquire(half, 'x7', 'l2', { viewVersion: all.version - 300 })
      expect(refused.kind).toBe('refused')
      expect(refused.changes.changes).toEqual(changes.slice(-300))
    },
  )

  it('is no more than the domain may hold: a report without room changes nothing', async () => {
    const half = open({ maxRecords: 3 })
    for (const exit of ['a', 'b', 'c']) await block(half, exit)
    const told = await lease(half, 'd', 'l')
    expect(await codeOf(settle(half, told, 'blocked'))).toBe('STORE_FULL')
    expect(await codeOf(half.store.exclude('d', 'd', T + MINUTE, T))).toBe('STORE_FULL')
    const record = await blockedElsewhere(half)
    expect(await codeOf(half.store.merge('d', [{ exit: 'e', record }], T))).toBe('STORE_FULL')
    // A record that is there has room, and so have other domains.
    await half.store.exclude('a', 'd', T + MINUTE, T)
    const { changes } = await half.store.exclusions('d', 0, T)
    expect(changes.map(({ exit }) => exit)).toEqual(['b', 'c', 'a'])
    // The lease is still out: it may report again once something is forgotten.
    const nowMs = T + 3 * HOUR
    const late = await lease(half, 'd', 'late', { nowMs })
    expect((await settle(half, late, 'blocked', { nowMs })).kind).toBe('applied')
  })

  it('is no more leases than a domain may have', async () => {
    const half = open({ maxLeases: 2 })
    await lease(half, 'a', 'l1', { holdMs: MINUTE })
    await lease(half, 'a', 'l2', { holdMs: 2 * MINUTE })
    expect(await codeOf(acquire(half, 'a', 'l3'))).toBe('STORE_FULL')
    expect((await acquire(half, 'a', 'l1')).kind).toBe('acquired')
    expect((await acquire(half, 'a', 'l4', { domain: 'e' })).kind).toBe('acquired')
    expect((await acquire(half, 'a', 'l3', { nowMs: T + MINUTE })).kind).toBe('acquired')
  })
})

async function blockedElsewhere(half: HealthHalf): Promise<PairRecord> {
  return (await block(half, 'a', { domain: 'elsewhere' })).record as PairRecord
}

describe('time', () => {
  it("is the server's, whatever the caller reads", async () => {
    const half = open({ time: 'server' })
    const beganMs = Date.now()
    const nowMs = beganMs - 10 * MINUTE
    const { record } = await block(half, 'a', { nowMs, holdMs: HOUR })
    const untilMs = record?.untilMs ?? 0
    expect(untilMs).toBeGreaterThanOrEqual(beganMs + 300_000)
    expect(untilMs).toBeLessThanOrEqual(Date.now() + 300_000)
    expect((await acquire(half, 'a', 'l', { nowMs: beganMs + 24 * HOUR })).kind).toBe('refused')
  })

  it('never goes back, whoever asks', async () => {
    const [one, two] = [open(), open()]
    await block(one, 'a', { nowMs: T })
    await one.store.exclusions('other', 0, T + 300_000)
    const given = await acquire(two, 'a', 'l', { nowMs: T })
    expect(given).toMatchObject({ kind: 'acquired', probe: true })
  })
})

describe('a store whose decisions are to be replicated', () => {
  it('answers a report once a replica has it, and fails where none is', async () => {
    const pair = await startReplicated()
    try {
      const half = open({ replicated: true, budgetMs: 1_500 }, pair.primary.url)
      const { record } = await block(half, 'a')
      // Not a moment later: the replica is asked for what it holds, not the primary.
      const keptHere = await pair.replica.ask('HGET', 'ostler:{health}:d:d', 'a')
      expect(String(keptHere)).toContain(String(record?.untilMs))
      await half.store.merge('e', [{ exit: 'a', record }], T)
      expect(await pair.replica.ask('HLEN', 'ostler:{health}:d:e')).toBe(1)
      await pair.cutOff()
      const told = await lease(half, 'b', 'l')
      expect(await codeOf(settle(half, told, 'blocked'))).toBe('STORE_UNAVAILABLE')
      expect(await codeOf(half.store.exclude('a', '*', T + MINUTE, T))).toBe('STORE_UNAVAILABLE')
    } finally {
      await pair.stop()
    }
  })
})

describe('a server without memory to spare', () => {
  it('still frees what was reported and tells what it knows, and takes nothing more', async () => {
    const full = await startRedis()
    try {
      const half = open({}, full.url)
      await block(half, 'a')
      const fine = await lease(half, 'b', 'l1', { domain: 'quiet' })
      const bad = await lease(half, 'c', 'l2')
      await full.ask('CONFIG', 'SET', 'maxmemory', 1)
      const nowMs = T + 1
      expect(await codeOf(acquire(half, 'd', 'l3', { nowMs }))).toBe('STORE_UNAVAILABLE')
      expect(await codeOf(settle(half, bad, 'blocked', { nowMs }))).toBe('STORE_UNAVAILABLE')
      expect(await settle(half, fine, 'ok', { nowMs })).toMatchObject({ kind: 'applied' })
      expect((await half.store.exclusions('d', 0, nowMs)).changes).toHaveLength(1)
      await full.ask('CONFIG', 'SET', 'maxmemory', 0)
      // What could not be written has changed nothing.
      expect(await settle(half, bad, 'blocked', { nowMs })).toMatchObject({ kind: 'applied' })
      expect((await acquire(half, 'b', 'l4', { nowMs, slots: 1 })).kind).toBe('acquired')
    } finally {
      await full.stop()
    }
  })
})

describe('ping', () => {
  it('answers where the server reads and writes, and leaves nothing', async () => {
    await open().ping()
    expect(await redis.keys('*')).toEqual([])
  })

  it('fails where it is full, or only a replica', async () => {
    const pair = await startReplicated()
    try {
      expect(await codeOf(open({}, pair.replica.url).ping())).toBe('STORE_UNAVAILABLE')
      const half = open({}, pair.primary.url)
      await half.ping()
      await pair.primary.ask('CONFIG', 'SET', 'maxmemory', 1)
      expect(await codeOf(half.ping())).toBe('STORE_UNAVAILABLE')
      await pair.primary.ask('CONFIG', 'SET', 'maxmemory', 0)
      await half.ping()
    } finally {
      await pair.stop()
    }
  })
})
