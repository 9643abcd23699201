import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryStore, Scheduler, type Decision, type Store, type Tier } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { asyncStore } from './rig.ts'

const START_MS = 1_200_000_000
const minute = (limit: number, windowMs = 60_000): Tier => ({
  policies: [{ name: 'minute', limit, windowMs }],
})
const TIERS: readonly Tier[] = [
  minute(2, 20),
  minute(3, 40),
  { policies: [] },
  { policies: [{ name: 'minute', limit: 300, windowMs: 30 }] },
  {
    policies: [
      { name: 'hour', limit: 4, windowMs: 50 },
      { name: 'minute', limit: 2, windowMs: 10 },
    ],
  },
  { policies: [{ name: 'slow', limit: 3, windowMs: 30, smooth: { burst: 2 } }] },
]
const KEYS = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5']

function scheduler(store: Store<'sync'>, clock = new ManualClock(START_MS)): Scheduler<'sync'> {
  return new Scheduler({ store, clock, tiers: { free: minute(2), wide: minute(9) } })
}

const step = fc.record({
  key: fc.constantFrom(...KEYS),
  tier: fc.constantFrom('free', 'wide'),
  cost: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 5 })),
  do: fc.constantFrom('admit', 'admit', 'admit', 'plain', 'peek', 'refund', 'set'),
  passMs: fc.oneof({ weight: 4, arbitrary: fc.nat(4) }, fc.nat(60)),
  to: fc.nat(TIERS.length - 1),
})

/** Plays a trace with handles on one store and with `admit` on another: every answer must be the same. */
function play(
  ours: Store<'sync'>,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
): void {
  const clock = new ManualClock(START_MS)
  const byHandle = scheduler(ours, clock)
  const plain = scheduler(memoryStore({ maxKeys: 3, seed: 7 }), clock)
  const handles = new Map<string, ReturnType<typeof byHandle.key>>()
  for (const { key, tier, cost, do: what, passMs, to } of steps) {
    clock.advance(passMs)
    const handle = handles.get(key + tier) ?? byHandle.key(key, tier)
    handles.set(key + tier, handle)
    const request = { key, tier, cost }
    if (what === 'set') {
      byHandle.setTier(tier, TIERS[to])
      plain.setTier(tier, TIERS[to])
    } else if (what === 'plain') expect(byHandle.admit(request)).toEqual(plain.admit(request))
    else {
      const expected = what === 'peek' ? plain.peek(request) : plain.admit(request)
      expect(what === 'peek' ? handle.peek(cost) : handle.admit(cost)).toBe(expected.allowed)
      const { source: _source, ...fields } = expected
      expect(handle).toMatchObject(fields)
      expect(handle.decision()).toEqual(expected)
      if (what === 'refund') {
        expect(byHandle.refund(handle.decision())).toBe(plain.refund(expected))
        expect(byHandle.refund(handle.decision())).toBe(false)
      }
    }
  }
}

describe('a key by handle', () => {
  test('decides like admit, through evictions, lanes, changes of its tier and plain calls between', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) =>
        play(memoryStore({ maxKeys: 3, seed: 7 }), steps),
      ),
      { numRuns: 200 },
    )
  }, 60_000)

  test('decides like admit on a synchronous store without a gate', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) =>
        play({ ...memoryStore({ maxKeys: 3, seed: 7 }) }, steps),
      ),
      { numRuns: 100 },
    )
  }, 60_000)

  test('is told about like admit, one decision for each', () => {
    const heard: unknown[] = []
    const listen = (message: unknown): void => void heard.push(message)
    const handle = scheduler(memoryStore()).key('k', 'free')
    handle.admit()
    subscribe('ostler:admit', listen)
    try {
      handle.admit()
      expect(heard).toEqual([handle.decision()])
      expect(heard[0]).toBe(handle.decision())
      handle.peek()
      expect(heard).toHaveLength(1)
    } finally {
      unsubscribe('ostler:admit', listen)
    }
  })

  test('answers its caller whatever a listener asks meanwhile', () => {
    const used = scheduler(memoryStore())
    const handle = used.key('k', 'free')
    const listen = (): void => {
      unsubscribe('ostler:admit', listen)
      for (let i = 0; i < 3; i++) used.admit({ key: 'k', tier: 'free' })
    }
    subscribe('ostler:admit', listen)
    expect(handle.admit()).toBe(true)
    expect(handle.allowed).toBe(true)
    expect(handle.admit()).toBe(false)
  })

  test('keeps each decision as it was told', () => {
    const handle = scheduler(memoryStore()).key('k', 'free')
    handle.admit()
    const first: Decision = handle.decision()
    handle.admit()
    expect(first).toMatchObject({ allowed: true, remaining: 1, key: 'k', tier: 'free', cost: 1 })
    expect(handle.decision()).toMatchObject({ remaining: 0 })
  })

  test('refuses what admit refuses', () => {
    const used = scheduler(memoryStore())
    expect(() => used.key('', 'free')).toThrow(/key must be 1 to 128 bytes/)
    expect(() => used.key('k', 'none')).toThrow(/tier must be one of: free, wide/)
    const handle = used.key('k', 'free')
    expect(() => handle.decision()).toThrow(/needs an admit/)
    for (const cost of [0, 1.5, -1, NaN, 2 ** 31]) {
      expect(() => handle.admit(cost)).toThrow(/cost must be an integer from 1/)
      expect(() => handle.peek(cost)).toThrow(/cost must be an integer from 1/)
    }
    used.close()
    expect(() => handle.admit()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    const fresh = used.key('k', 'wide')
    expect(() => fresh.admit()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  test('is not to be had of a store that answers by promises', () => {
    const later = new Scheduler({ store: asyncStore(memoryStore()), tiers: { free: minute(2) } })
    const key = later.key as unknown as (key: string, tier: string) => unknown
    expect(() => key.call(later, 'k', 'free')).toThrow(/needs a synchronous store.*use admit/)
  })
})

test("who puts something in place of a store's consume is asked for every call", () => {
  const memory = memoryStore()
  let asked = 0
  const counting = {
    ...memory,
    consume: (request: Parameters<typeof memory.consume>[0]) => (asked++, memory.consume(request)),
  }
  const used = scheduler(counting)
  used.admit({ key: 'k', tier: 'free' })
  used.key('k', 'free').admit()
  expect(asked).toBe(2)
})

test('a key that stood far back among many goes on under a policy of another name', () => {
  const tier = (name: string) => ({ policies: [{ name, limit: 2, windowMs: 60_000 }] })
  const used = new Scheduler({ store: memoryStore(), tiers: { free: tier('old') } })
  for (let i = 0; i < 1_100; i++) used.admit({ key: `k${i}`, tier: 'free' })
  const handle = used.key('k1099', 'free')
  expect([handle.admit(), handle.admit()]).toEqual([true, false])
  used.setTier('free', tier('new'))
  expect([handle.admit(), handle.admit(), handle.admit()]).toEqual([true, true, false])
})
