import { inspect, type SqliteStoreOptions } from '@ostler/store-sqlite'
import {
  DEFAULT_BREAKER_POLICY,
  DEFAULT_HEALTH_POLICY,
  DEFAULT_INCIDENT_POLICY,
  memoryStore,
  seededRandom,
  type Candidate,
  type ResolvedPolicy,
  type Store,
} from '@ostler/core'
import { NaiveLimiter } from '@ostler/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { freshPath, Stores } from './rig.ts'

const T = 1_200_000_000
const HOUR = 3_600_000
const stores = new Stores()

afterEach(() => stores.closeAll())

function exact(limit: number, windowMs = 10_000, name = 'p'): ResolvedPolicy {
  return { kind: 'exact', name, limit, windowMs, quantumMs: 1 }
}

/** A store on a file of its own, and what the file holds when asked. */
function open(options: Omit<SqliteStoreOptions, 'path'>): {
  readonly store: Store<'sync'>
  rows(): Readonly<Record<string, number>>
} {
  const path = freshPath()
  const rows = (): Readonly<Record<string, number>> => {
    const { problems, rows } = inspect(path)
    expect(problems).toEqual([])
    return rows
  }
  return { store: stores.open({ path, ...options }), rows }
}

function full(call: () => unknown, names: string): void {
  expect(call).toThrow(expect.objectContaining({ code: 'STORE_FULL' }))
  expect(call).toThrow(names)
}

describe('flood-bound', () => {
  test('any number of keys stays within maxKeys rows and 1,024 lanes a policy', () => {
    const { store, rows } = open({ maxKeys: 50 })
    const consume = (key: string): boolean => {
      return store.consume({ key, policies: [exact(3)], cost: 1, nowMs: T }).allowed
    }
    for (let i = 0; i < 3; i++) expect(consume('steady')).toBe(true)
    for (let i = 0; i < 5_000; i++) consume(`flood ${i}`)
    expect(rows()['windows']).toBeGreaterThan(50)
    expect(rows()['windows']).toBeLessThanOrEqual(50 + 1_024)
    // Who is over the limit stays so; a flood denies the flooder.
    expect(consume('steady')).toBe(false)
    expect(Array.from({ length: 100 }, (_, i) => consume(`more ${i}`))).toContain(false)
  })

  test('a key that finds no room may be denied too early, and never admitted too often', () => {
    const { store } = open({ maxKeys: 4 })
    const naive = new NaiveLimiter()
    const random = seededRandom(3)
    const policies = [exact(1, 1_000), exact(3, 8_000, 'q')]
    let nowMs = T
    let admitted = 0
    let early = 0
    for (let i = 0; i < 2_500; i++) {
      nowMs += Math.floor(random() * 30)
      const request = { key: `k${Math.floor(random() * 300)}`, policies, cost: 1, nowMs }
      const { allowed } = store.consume(request)
      const expected = naive.peek(request).allowed
      if (allowed) {
        expect(expected).toBe(true)
        naive.consume(request)
        admitted++
      } else if (expected) early++
    }
    expect(admitted).toBeGreaterThan(1_000)
    // The lanes were in use: this is what they cost.
    expect(early).toBeGreaterThan(0)
  })

  test('a key of which nothing counts any more makes room', () => {
    const { store, rows } = open({ maxKeys: 10 })
    for (let i = 0; i < 200; i++) {
      const nowMs = T + i * 1_001
      const call = { key: `k${i}`, policies: [exact(1)], cost: 1, nowMs }
      expect(store.consume(call).allowed).toBe(true)
      expect(store.consume({ ...call, key: `k${i}` }).allowed).toBe(false)
    }
    expect(rows()['windows']).toBeLessThanOrEqual(10)
  })

  test('a key whose row was deleted in passing has another one', () => {
    const path = freshPath()
    const [store, other] = [1, 2].map(() => stores.open({ path }))
    const consume = (key: string, nowMs: number): unknown =>
      store.consume({ key, policies: [exact(5)], cost: 1, nowMs })
    const used = (key: string, nowMs: number): number[] =>
      [store, other].map((each) => each.usage(key, [exact(5)], nowMs)[0].used)
    consume('a', T)
    const laterMs = T + 10_000
    consume('b', laterMs)
    expect(inspect(path).rows['windows']).toBe(1)
    consume('a', laterMs)
    expect([used('a', laterMs), used('b', laterMs)]).toEqual([
      [1, 1],
      [1, 1],
    ])
  })

  test('a lane gives nothing back, and forgets after its longest window', () => {
    const { store } = open({ maxKeys: 1 })
    const call = { key: 'lane', policies: [exact(1)], cost: 1, nowMs: T }
    store.consume({ ...call, key: 'first' })
    const { allowed, atMs } = store.consume(call)
    expect(allowed).toBe(true)
    expect(store.refund({ ...call, atMs })).toBe(false)
    expect(store.usage('lane', [exact(1)], T)[0]).toMatchObject({ used: 1, remaining: 0 })
    expect(store.consume({ ...call, nowMs: T + 9_999 }).allowed).toBe(false)
    expect(store.consume({ ...call, nowMs: T + 10_000 }).allowed).toBe(true)
  })

  test('a lane counts for the longest window of its hits, whoever asks', () => {
    const { store } = open({ maxKeys: 1 })
    const call = { key: 'lane', cost: 1, nowMs: T }
    store.consume({ ...call, key: 'first', policies: [exact(1, 60_000)] })
    store.consume({ ...call, policies: [exact(2, 60_000)] })
    const asked = { ...call, policies: [exact(2, 1_000)], nowMs: T + 5_000 }
    expect(store.consume(asked)).toMatchObject({ allowed: true, remaining: 0 })
    expect(store.consume(asked)).toMatchObject({ allowed: false, retryAfterMs: 55_000 })
    expect(store.usage('lane', asked.policies, T + 5_000)[0].used).toBe(2)
  })
})

describe('bounds', () => {
  test('maxOps: an operation that cannot be remembered is refused, and nothing counts it', () => {
    for (const durability of ['sync', 'batched'] as const) {
      const { store, rows } = open({ maxOps: 2, durability })
      const call = { key: 'k', policies: [exact(9)], cost: 1, nowMs: T }
      for (const opId of ['a', 'b']) store.consume({ ...call, opId })
      full(() => store.consume({ ...call, opId: 'c' }), 'maxOps')
      expect(store.usage('k', [exact(9)], T)[0].used).toBe(2)
      expect(store.consume({ ...call, opId: 'a' }).atMs).toBe(T)
      expect(store.consume({ ...call, nowMs: T + 10_000, opId: 'c' }).allowed).toBe(true)
      store.close()
      expect(rows()['operations']).toBe(1)
    }
  })

  test('maxPermits: when all are held, a new one waits for the first to end', () => {
    const { store } = open({ maxPermits: 2 })
    const take = (key: string, id: string, ttlMs: number, nowMs = T) => {
      const permit = { id, cap: 5, deadlineMs: nowMs + ttlMs }
      return store.consume({ key, policies: [], cost: 1, nowMs, permit })
    }
    expect([take('a', 'p', 5_000).allowed, take('b', 'p', 3_000).allowed]).toEqual([true, true])
    expect(take('c', 'p', 1_000)).toMatchObject({ allowed: false, retryAfterMs: 3_000 })
    expect(take('c', 'p', 1_000, T + 3_000).allowed).toBe(true)
    expect([store.permits('a', T + 3_000), store.permits('b', T + 3_000)]).toEqual([1, 0])
  })

  test('policy names: no more than 1,024 at once', () => {
    const { store, rows } = open({})
    const consume = (i: number, nowMs = T): unknown => {
      return store.consume({ key: 'k', policies: [exact(1, 10_000, `p${i}`)], cost: 1, nowMs })
    }
    for (let i = 0; i < 1_024; i++) consume(i)
    full(() => consume(1_024), 'p1024')
    expect(rows()['windows']).toBe(1_024)
    expect(consume(1_024, T + 10_000)).toMatchObject({ allowed: true })
  })

  test('policy names: those that are only asked about take no place of those in use', () => {
    for (const durability of ['sync', 'batched'] as const) {
      const { store } = open({ durability })
      const used = (name: string): number => store.usage('k', [exact(5, HOUR, name)], T)[0].used
      const consume = (): unknown => {
        const policies = [exact(5, HOUR, 'one'), exact(5, HOUR, 'two')]
        return store.consume({ key: 'k', policies, cost: 1, nowMs: T })
      }
      consume()
      // A look ends no batch: what is yet to be written stays known.
      const many = Array.from({ length: 3_000 }, (_, i) => exact(5, HOUR, `q${i}`))
      store.usage('k', many, T)
      expect([used('one'), used('two')]).toEqual([1, 1])
      for (let i = 0; i < 5_000; i++) expect(used(`p${i}`)).toBe(0)
      consume()
      expect([used('one'), used('two')]).toEqual([2, 2])
    }
  })

  test('maxIdempotencyRecords: a job that cannot be remembered does not start', () => {
    const { store, rows } = open({ maxIdempotencyRecords: 2 })
    const begin = (id: string, nowMs = T): unknown => {
      const times = { nowMs, runUntilMs: nowMs + 1_000, expiresAtMs: nowMs + 5_000 }
      return store.begin({ id, fingerprint: 'f', ...times })
    }
    begin('a')
    begin('b')
    full(() => begin('c'), 'maxIdempotencyRecords')
    store.complete({ id: 'a', fingerprint: 'f', value: 'v', nowMs: T })
    expect(begin('c', T + 1_000)).toEqual({ kind: 'started' })
    expect(begin('a', T + 1_000)).toEqual({ kind: 'done', value: 'v' })
    expect(rows()['idempotency']).toBe(2)
  })
})

/** Three failures open an incident, where they are half of what was tried; exclusions open none. */
const incident = {
  ...DEFAULT_INCIDENT_POLICY,
  minFailures: 3,
  failureShare: 0.5,
  minExclusions: 100_000,
}

/** Leases an exit for a domain; reports it if an outcome is given. */
function dispatch(
  store: Store<'sync'>,
  id: string,
  exit: string,
  { domain = 'd', nowMs = T, outcome = '' } = {},
): string {
  const candidate: Candidate = { agentId: exit, exit, maxConcurrency: 9 }
  const deadlineMs = nowMs + 60_000
  const policies = { health: DEFAULT_HEALTH_POLICY, viewVersion: 0, nowMs }
  const asked = { domain, candidates: [candidate], leaseId: id, deadlineMs }
  const given = store.acquire({ ...asked, ...policies })
  if (given.kind === 'refused' || outcome === '') return given.kind
  const { epoch, probe } = given
  return store.settle({
    lease: { id, agentId: exit, exit, domain, epoch, pickedAtMs: nowMs, deadlineMs, probe },
    outcome: { kind: outcome as 'ok' },
    incident,
    breaker: DEFAULT_BREAKER_POLICY,
    exits: 1_000_000,
    ...policies,
  }).kind
}

describe('bounds of health', () => {
  test('maxLeases: a lease too many is refused, until one has ended', () => {
    const { store, rows } = open({ maxLeases: 2 })
    dispatch(store, 'l1', 'e1')
    dispatch(store, 'l2', 'e2', { nowMs: T + 1 })
    full(() => dispatch(store, 'l3', 'e3', { nowMs: T + 2 }), 'maxLeases')
    expect(dispatch(store, 'l3', 'e3', { nowMs: T + 60_000 })).toBe('acquired')
    expect(rows()['leases']).toBe(2)
  })

  test('maxRecords: a live exclusion is never dropped; a report that finds no room changes nothing', () => {
    for (const durability of ['sync', 'batched'] as const) {
      const { store, rows } = open({ maxRecords: 3, durability })
      for (let i = 0; i < 3; i++) dispatch(store, `l${i}`, `e${i}`, { outcome: 'blocked' })
      full(() => dispatch(store, 'l3', 'e3', { outcome: 'blocked' }), 'maxRecords')
      expect(store.exclusions('d', 0, T).changes.map(({ exit }) => exit)).toEqual([
        'e0',
        'e1',
        'e2',
      ])
      // The report may be told again: the lease is still out, and counts once there is room.
      const told = { epoch: 0, pickedAtMs: T, deadlineMs: T + 60_000, probe: false }
      const lease = { id: 'l3', agentId: 'e3', exit: 'e3', domain: 'd', ...told }
      const again = { lease, outcome: { kind: 'neutral' as const }, nowMs: T, viewVersion: 0 }
      const policies = { health: DEFAULT_HEALTH_POLICY, incident, breaker: DEFAULT_BREAKER_POLICY }
      expect(store.settle({ ...again, ...policies, exits: 9 }).kind).toBe('applied')
      const later = T + 24 * HOUR
      expect(dispatch(store, 'l9', 'e9', { outcome: 'blocked', nowMs: later })).toBe('applied')
      store.close()
      expect(rows()['pairs']).toBeLessThanOrEqual(3)
    }
  })

  test('leases that end by the hundred are not among those on their way', () => {
    const sqlite = open({}).store
    const told = [memoryStore(), sqlite].map((store) => {
      for (let i = 0; i < 1_000; i++) dispatch(store, `l${i}`, `e${i}`)
      const nowMs = T + 60_000
      for (let i = 0; i < 3; i++) dispatch(store, `m${i}`, `e${i}`, { nowMs })
      for (let i = 0; i < 3; i++)
        dispatch(store, `n${i}`, `e${i}`, { nowMs, outcome: 'target_error' })
      return store.exclusions('d', 0, nowMs).incident
    })
    // Three of six that were tried: as many again on their way, and none of the hundreds.
    expect(told[1]).toEqual({ openedAtMs: T + 60_000, lastEventMs: T + 60_000, cause: 'failures' })
    expect(told[1]).toEqual(told[0])
  })

  test('maxAgents: all are put or none', () => {
    const { store } = open({ maxAgents: 2 })
    store.putAgents([{ id: 'a' }])
    const three = ['b', 'c'].map((id) => ({ id }))
    expect(() => store.putAgents(three)).toThrow(expect.objectContaining({ code: 'FLEET_FULL' }))
    store.putAgents([{ id: 'b' }, { id: 'b', weight: 2 }, { id: 'a' }])
    const puts = store.agents(0).changes.map((change) => change.kind === 'put' && change.agent)
    expect(puts).toEqual([{ id: 'b', weight: 2 }, { id: 'a' }])
  })

  test('what went from the fleet is forgotten in time, and who has not heard of it starts anew', () => {
    const { store, rows } = open({})
    store.putAgents([{ id: 'stays' }])
    const { version } = store.agents(0)
    for (let i = 0; i < 3_000; i++) {
      store.putAgents([{ id: `a${i}` }])
      store.removeAgents([`a${i}`])
    }
    const late = store.agents(version)
    expect(late).toMatchObject({ reset: true, changes: [{ kind: 'put', agent: { id: 'stays' } }] })
    expect(late.lost).toBeUndefined()
    expect(rows()['fleet']).toBeLessThan(1_100)
  })

  test('a flood of domains stays within about those in use', () => {
    const { store, rows } = open({})
    const seen = store.exclusions('d0', 0, T).version
    for (let i = 0; i < 4_000; i++)
      dispatch(store, `l${i}`, 'e', { domain: `d${i}`, outcome: 'ok' })
    expect(rows()['domains']).toBeLessThan(1_100)
    expect(store.exclusions('d0', seen, T).changes).toEqual([])
  })

  test('what is forgotten is deleted in passing, and views of it start anew', () => {
    const { store, rows } = open({})
    for (let i = 0; i < 50; i++) dispatch(store, `l${i}`, `e${i}`, { outcome: 'blocked' })
    const { version } = store.exclusions('d', 0, T)
    const later = T + 48 * HOUR
    for (let i = 0; i < 60; i++) {
      dispatch(store, `m${i}`, 'f', { domain: 'other', outcome: 'ok', nowMs: later })
    }
    expect(rows()['pairs']).toBe(0)
    const told = store.exclusions('d', version - 5, later)
    expect(told).toMatchObject({ reset: true, changes: [] })
    expect(told.lost).toBeUndefined()
  })
})
