import { beforeEach, describe, expect, test } from 'vitest'
import { memoryStore, Scheduler, seededRandom, type SchedulerOptions } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'

const START_MS = 1_200_000_000
const MINUTE_MS = 60_000
const request = { url: 'https://shop.example/p/1' }

let clock: ManualClock
let scheduler: Scheduler<'sync'>

function open(options: Partial<SchedulerOptions<'sync'>> = {}): void {
  clock = new ManualClock(START_MS)
  scheduler = new Scheduler({
    store: memoryStore(),
    clock,
    tiers: { free: { policies: [{ name: 'free', limit: 2, windowMs: MINUTE_MS }], permits: 1 } },
    health: { jitter: 0 },
    random: seededRandom(1),
    ...options,
  })
}

beforeEach(() => open())

function picked(more = {}) {
  const pick = scheduler.pick({ ...request, ...more })
  if (pick.kind !== 'picked') throw new Error(pick.cause)
  return pick
}

describe('a clock that steps back', () => {
  test('admits nobody more, and says when in the time that has been', () => {
    const admit = () => scheduler.admit({ key: 'k', tier: 'free' })
    admit()
    admit()
    clock.set(START_MS - 10 * MINUTE_MS)
    const denied = admit()
    expect(denied).toMatchObject({ allowed: false, retryAfterMs: MINUTE_MS, atMs: START_MS })
    clock.set(START_MS + MINUTE_MS - 1)
    expect(admit().allowed).toBe(false)
    clock.set(START_MS + MINUTE_MS)
    expect(admit().allowed).toBe(true)
  })

  test('keeps the excluded excluded, and leases as long as they were', () => {
    scheduler.agents.upsert([{ id: 'a', maxConcurrency: 1 }, { id: 'b' }])
    scheduler.exclude('b', 'shop.example', START_MS + 85_000)
    scheduler.report(picked().lease, { kind: 'challenged' })
    clock.set(START_MS - MINUTE_MS)
    expect(scheduler.pick(request)).toMatchObject({
      kind: 'exhausted',
      retryAtMs: START_MS + 30_000,
    })
    clock.set(START_MS + 30_000)
    const { lease } = picked()
    expect(lease).toMatchObject({ pickedAtMs: START_MS + 30_000, deadlineMs: START_MS + 90_000 })
    clock.set(START_MS)
    expect(scheduler.pick(request)).toMatchObject({ cause: 'at_capacity' })
    const elsewhere = picked({ url: 'https://news.example/', seed: 1, pin: ['b'] })
    expect(elsewhere.lease).toMatchObject({ pickedAtMs: START_MS + 30_000 })
    expect(() => picked({ pin: ['b'], deadlineMs: START_MS + 20_000 })).toThrow(/after now/)
    clock.set(START_MS + 90_000)
    expect(scheduler.pick(request).kind).toBe('picked')
  })
})

describe('a clock that leaps', () => {
  test('ends every exclusion, lease, permit and window at once', () => {
    scheduler.agents.upsert([
      { id: 'a', maxConcurrency: 1 },
      { id: 'b', maxConcurrency: 1 },
    ])
    scheduler.admit({ key: 'k', tier: 'free', cost: 2, permit: { ttlMs: MINUTE_MS } })
    scheduler.report(picked({ pin: ['a'] }).lease, { kind: 'blocked' })
    picked({ pin: ['b'] })
    scheduler.exclude('b', '*', START_MS + MINUTE_MS)
    expect(scheduler.pick(request).kind).toBe('exhausted')
    clock.advance(365 * 86_400_000)
    expect(scheduler.admit({ key: 'k', tier: 'free', cost: 2, permit: { ttlMs: 1 } }).allowed).toBe(
      true,
    )
    expect(new Set([picked().agent.id, picked().agent.id])).toEqual(new Set(['a', 'b']))
    expect(scheduler.health('shop.example').counts.available).toBe(2)
  })

  test('to the end of time is not taken, and what is left goes on', () => {
    scheduler.agents.upsert([{ id: 'a' }])
    const readings = [Number.MAX_SAFE_INTEGER + 2, Infinity, NaN, -1]
    const reading = { nowMs: () => readings.shift() ?? START_MS }
    open({ clock: reading })
    for (let i = 0; i < 4; i++) expect(() => scheduler.pick(request)).toThrow(/milliseconds since/)
    expect(scheduler.pick(request)).toMatchObject({ kind: 'exhausted', cause: 'fleet_empty' })
  })
})

describe('with room for one view', () => {
  test('exclusions hold for every domain, though each pick forgets the last one’s view', () => {
    open({ maxViews: 1 })
    scheduler.agents.upsert(['a', 'b', 'c'].map((id) => ({ id })))
    const domains = ['one.example', 'two.example', 'three.example']
    const blocked = new Map(domains.map((domain) => [domain, new Set<string>()]))
    for (let round = 0; round < 2; round++) {
      for (const domain of domains) {
        const pick = scheduler.pick({ domain })
        if (pick.kind !== 'picked') throw new Error(pick.cause)
        expect(blocked.get(domain)).not.toContain(pick.agent.id)
        blocked.get(domain)?.add(pick.agent.id)
        scheduler.pick({ domain: 'other.example' })
        scheduler.report(pick.lease, { kind: 'blocked' })
      }
    }
    for (const domain of domains) {
      const { counts, agents } = scheduler.health(domain)
      expect(counts).toEqual({ available: 1, limited: 0, unavailable: 2 })
      expect(new Set(agents.map(({ id }) => id))).toEqual(blocked.get(domain))
    }
    clock.advance(5 * MINUTE_MS)
    for (const domain of domains) {
      scheduler.report(
        picked({ url: undefined, domain, pin: [...(blocked.get(domain) ?? [])] }).lease,
        { kind: 'ok' },
      )
      expect(scheduler.health(domain).counts.available).toBe(2)
    }
  })
})

describe('with one exclusion to fall due a pick', () => {
  beforeEach(() => {
    open({ drainPerPick: 1 })
    scheduler.agents.upsert(['a', 'b', 'c', 'd'].map((id) => ({ id })))
    // The view is there before: one that is made later has nothing to let go of.
    scheduler.explain(request)
    for (const id of ['a', 'b', 'c']) scheduler.exclude(id, 'shop.example', START_MS + 1000)
  })

  /** Agents that a hundred picks at one instant give. */
  function given(): string[] {
    const ids = Array.from({ length: 100 }, (_, seed) => {
      const explained = scheduler.explain({ ...request, seed })
      return explained.kind === 'picked' ? explained.agent.id : explained.cause
    })
    return [...new Set(ids)].sort()
  }

  test('one more is back at each instant that is looked at', () => {
    clock.advance(1000)
    expect(given()).toEqual(['a', 'd'])
    clock.advance(1)
    expect(given()).toEqual(['a', 'b', 'd'])
    clock.advance(1)
    expect(given()).toEqual(['a', 'b', 'c', 'd'])
  })

  test('a pick that finds nobody lets all go that are due before it refuses', () => {
    clock.advance(1000)
    expect(picked({ pin: ['c'] }).agent.id).toBe('c')
    // Not the one that was picked last: of two equals it is the other's turn.
    expect(given()).toEqual(['a', 'b', 'd'])
  })

  test('health is told as it is, whatever has not been let go yet', () => {
    clock.advance(1000)
    expect(scheduler.health('shop.example').counts.available).toBe(4)
  })
})
