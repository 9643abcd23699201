import { describe, expect, test } from 'vitest'
import {
  memoryStore,
  Scheduler,
  type Agent,
  type HealthPolicy,
  type Outcome,
  type Tier,
} from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { bad, fingerprint, inUse, NOW_MS, thrownBy, type Row } from './rig.ts'

const url = 'https://shop.example/'

/** Every property of it throws, even the question which there are. */
function trap(error: Error): never {
  const refuse = (): never => {
    throw error
  }
  return bad(new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse }))
}

const CALLS: readonly (readonly [
  string,
  (used: Parameters<Row['call']>[0], trap: never) => unknown,
])[] = [
  ['admit', ({ scheduler }, it) => scheduler.admit(it)],
  ['peek', ({ scheduler }, it) => scheduler.peek(it)],
  ['refund', ({ scheduler }, it) => scheduler.refund(it)],
  ['renew', ({ scheduler }, it) => scheduler.renew(it, 1000)],
  ['release', ({ scheduler }, it) => scheduler.release(it)],
  ['pick', ({ scheduler }, it) => scheduler.pick(it)],
  ['explain', ({ scheduler }, it) => scheduler.explain(it)],
  ['a url', ({ scheduler }, it) => scheduler.pick({ url: it })],
  ['report of a lease', ({ scheduler }, it) => scheduler.report(it, { kind: 'blocked' })],
  ['report of an outcome', ({ scheduler, lease }, it) => scheduler.report(lease, it)],
  ['health', ({ scheduler }, it) => scheduler.health('shop.example', it)],
  ['setTier', ({ scheduler }, it) => scheduler.setTier('free', it)],
  ['upsert', ({ scheduler }, it) => scheduler.agents.upsert([{ id: 'de1' }, it])],
  ['withAgent', ({ scheduler }, it) => scheduler.withAgent(it, () => 1)],
  ['withAgent options', ({ scheduler }, it) => scheduler.withAgent({ url }, () => 1, it)],
]

describe('an input whose properties throw is the caller’s own error, and nothing changes:', () => {
  test.each(CALLS)('%s', async (_, call) => {
    const used = inUse()
    const before = fingerprint(used)
    const error = new Error('a trap')
    expect(await thrownBy(() => call(used, trap(error)))).toBe(error)
    expect(fingerprint(used)).toBe(before)
  })

  test('an iterator that throws half way through a list of ids', async () => {
    const used = inUse()
    const before = fingerprint(used)
    const error = new Error('a trap')
    const ids = Object.assign(['de1'], {
      *[Symbol.iterator]() {
        yield 'de1'
        throw error
      },
    })
    for (const call of [
      () => used.scheduler.agents.remove(ids),
      () => used.scheduler.agents.drain(ids),
      () => used.scheduler.pick({ url, avoid: ids }),
    ]) {
      expect(await thrownBy(call)).toBe(error)
    }
    expect(fingerprint(used)).toBe(before)
  })
})

/** An object whose property is `first` when it is checked, and `then` when it is read again. */
function turning<T extends object>(rest: T, field: string, first: unknown, then: unknown): T {
  let reads = 0
  return Object.defineProperty({ ...rest }, field, {
    enumerable: true,
    get: () => (reads++ === 0 ? first : then),
  })
}

describe('what is checked is what is used:', () => {
  test('an agent that changes between two looks', () => {
    const { scheduler } = inUse()
    scheduler.agents.upsert([turning<Agent>({ id: 'x' }, 'weight', 2, NaN)])
    scheduler.agents.upsert([turning<Agent>({ id: 'y' }, 'country', 'DE', 'XX')])
    expect(scheduler.agents.get('x')).toEqual({ id: 'x', weight: 2 })
    expect(scheduler.agents.get('y')).toEqual({ id: 'y', country: 'DE' })
  })

  test('a lease and an outcome that change between two looks', () => {
    const { scheduler, lease } = inUse()
    const report = turning<Outcome>({ kind: 'blocked' }, 'kind', 'blocked', 'nonsense')
    const settled = scheduler.report(
      turning(lease, 'domain', 'shop.example', 'other.example'),
      report,
    )
    expect(settled.kind).toBe('applied')
    expect(scheduler.health('other.example').agents).toEqual([])
    expect(scheduler.health('shop.example').agents.map(({ id }) => id)).toEqual(['de1', 'fr1'])
  })

  test('an agent that is an instance of a class', () => {
    class Exit {
      readonly #name = 'klaus'
      get id() {
        return this.#name
      }
      readonly country = 'DE'
    }
    const { scheduler } = inUse()
    scheduler.agents.upsert([new Exit()])
    expect(scheduler.agents.get('klaus')).toEqual({ id: 'klaus', country: 'DE' })
    expect(scheduler.pick({ url, pin: ['klaus'] })).toMatchObject({ agent: { id: 'klaus' } })
  })
})

describe('names that mean something to JavaScript are names like others:', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then']

  test.each(names)('%s for an agent, a tag, a session, a key and an opId', (name) => {
    const { scheduler } = inUse()
    expect(scheduler.agents.get(name)).toBeUndefined()
    scheduler.agents.upsert([{ id: name, exitIp: name, city: name, tags: [name] }])
    const pick = scheduler.pick({ url, tags: [name], session: name, pin: [name] })
    if (pick.kind !== 'picked') throw new Error(pick.cause)
    expect(pick.agent.id).toBe(name)
    scheduler.report(pick.lease, { kind: 'blocked', evidence: name })
    expect(scheduler.pick({ url, pin: [name] })).toMatchObject({ kind: 'exhausted' })
    const once = scheduler.admit({ key: name, tier: 'free', opId: name })
    expect(scheduler.admit({ key: name, tier: 'free', opId: name }).atMs).toBe(once.atMs)
    expect(scheduler.usage(name, 'free')[0]).toMatchObject({ used: 1 })
    scheduler.agents.remove([name])
    expect(scheduler.agents.get(name)).toBeUndefined()
  })

  test.each(names)('%s for a tier, a policy and a domain', (name) => {
    const policy = { name, limit: 1, windowMs: 1000 }
    const tiers: Record<string, Tier> = JSON.parse(
      `{"${name}":${JSON.stringify({ policies: [policy] })}}`,
    )
    const scheduler = new Scheduler({ store: memoryStore(), tiers, clock: new ManualClock(NOW_MS) })
    expect(scheduler.admit({ key: 'k', tier: name }).allowed).toBe(true)
    expect(scheduler.admit({ key: 'k', tier: name })).toMatchObject({
      allowed: false,
      policy: name,
    })
    scheduler.setTier(name, { policies: [{ ...policy, limit: 2 }] })
    expect(scheduler.admit({ key: 'k', tier: name }).allowed).toBe(true)
    scheduler.agents.upsert([{ id: 'a' }])
    const domain = name.toLowerCase()
    scheduler.exclude('a', domain, NOW_MS + 1000)
    expect(scheduler.pick({ domain })).toMatchObject({ kind: 'exhausted', cause: 'all_excluded' })
    expect(scheduler.pick({ url }).kind).toBe('picked')
  })

  test('nothing reaches the prototype of all objects', () => {
    const { scheduler } = inUse()
    const evil = JSON.parse('{"id":"x","__proto__":{"polluted":1}}') as Agent
    expect(() => scheduler.agents.upsert([evil])).toThrow(/"__proto__", which is not a field/)
    expect(() => scheduler.pick(JSON.parse(`{"url":"${url}","__proto__":{}}`))).toThrow(
      /"__proto__"/,
    )
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
})

/** The same without a prototype, and frozen all the way down. */
function bare<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  const copy: object = Array.isArray(value)
    ? value.map(bare)
    : Object.assign(
        Object.create(null),
        ...Object.entries(value).map(([k, v]) => ({ [k]: bare(v) })),
      )
  return Object.freeze(copy) as T
}

test('takes objects without a prototype that are frozen all the way down, and answers the same', () => {
  const answers = [bare, <T>(value: T): T => value].map((shape) => {
    const scheduler = new Scheduler(
      Object.assign(
        shape({ leaseMs: 5000, health: { jitter: 0 }, scope: 'host' as const }),
        {},
      ) && {
        ...shape({ leaseMs: 5000, scope: 'host' as const }),
        tiers: shape({ free: { policies: [{ name: 'p', limit: 3, windowMs: 1000 }], permits: 1 } }),
        health: shape({ jitter: 0 }),
        store: memoryStore(shape({ maxKeys: 10 })),
        clock: new ManualClock(NOW_MS),
      },
    )
    scheduler.agents.upsert(shape([{ id: 'a', country: 'DE', tags: ['t'] }, { id: 'b' }]))
    const request = shape({ key: 'k', tier: 'free', permit: { ttlMs: 50 }, opId: 'o' })
    const { permit, ...decision } = scheduler.admit(request)
    const pick = scheduler.pick(shape({ url, geo: 'DE', tags: ['t'], avoid: ['b'], seed: 1 }))
    if (pick.kind !== 'picked' || permit === undefined) throw new Error('refused')
    scheduler.report(shape(pick.lease), shape<Outcome>({ kind: 'blocked', evidence: 'e' }))
    return [
      decision,
      scheduler.renew(shape(permit), 100),
      scheduler.release(shape(permit)),
      scheduler.health('shop.example', shape({ limit: 1 })),
    ]
  })
  expect(answers[0]).toEqual(answers[1])
})

describe('what is changed after the call changes nothing:', () => {
  test('agents, their tags and the list', () => {
    const used = inUse()
    const tags = ['fast']
    const agent = { id: 'x', country: 'DE', tags, weight: 1 }
    const agents = [agent]
    used.scheduler.agents.upsert(agents)
    const before = fingerprint(used)
    agent.country = 'XX'
    agent.weight = NaN
    tags.push(bad(5))
    tags[0] = 'slow'
    agents.length = 0
    expect(fingerprint(used)).toBe(before)
    expect(used.scheduler.agents.get('x')).toEqual({
      id: 'x',
      country: 'DE',
      tags: ['fast'],
      weight: 1,
    })
  })

  test('options, tiers and policies', () => {
    const policy = { name: 'p', limit: 1, windowMs: 1000 }
    const tier = { policies: [policy], permits: 1 }
    const tiers: Record<string, Tier> = { free: tier }
    const rung = { health: 'limited' as const, durationMs: 5000 }
    const health: HealthPolicy = bad({ ladder: [rung], jitter: 0 })
    const options = { store: memoryStore(), tiers, health, clock: new ManualClock(NOW_MS) }
    const scheduler = new Scheduler(options)
    const later = { policies: [policy] }
    scheduler.setTier('later', later)
    policy.limit = 1e6
    tier.permits = 100
    tier.policies.length = 0
    later.policies = bad(null)
    delete tiers['free']
    rung.durationMs = 1e9
    options.store = bad(null)
    expect(scheduler.usage('k', 'free')).toMatchObject([{ limit: 1 }, { limit: 1 }])
    expect(scheduler.usage('k', 'later')).toMatchObject([{ limit: 1 }])
    scheduler.agents.upsert([{ id: 'a' }])
    const pick = scheduler.pick({ url })
    if (pick.kind !== 'picked') throw new Error(pick.cause)
    const settled = scheduler.report(pick.lease, { kind: 'challenged' })
    expect(settled.record?.untilMs).toBe(NOW_MS + 5000)
  })

  test('requests, while a withAgent is under way', async () => {
    const { scheduler } = inUse()
    const avoid = ['x']
    const request = { url, avoid, seed: 1 }
    const ids: string[] = []
    await scheduler.withAgent(
      request,
      (agent) => {
        ids.push(agent.id)
        request.url = 'nonsense://'
        request.avoid = bad(5)
        avoid.push(bad(5))
        return { status: ids.length === 1 ? 451 : 200 }
      },
      { attempts: 2 },
    )
    expect(new Set(ids).size).toBe(2)
  })
})
