import { beforeEach, describe, expect, test } from 'vitest'
import { memoryStore, Scheduler, seededRandom, type Agent, type PickRequest } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'

const request = { url: 'https://shop.example/p/1' }
let clock: ManualClock
let one: Scheduler<'sync'>
let two: Scheduler<'sync'>

beforeEach(() => {
  clock = new ManualClock(1_200_000_000)
  const store = memoryStore()
  const tiers = { free: { policies: [{ name: 'free', limit: 3, windowMs: 60_000 }], permits: 2 } }
  one = new Scheduler({ store, clock, tiers, random: seededRandom(1) })
  two = new Scheduler({ store, clock, tiers, random: seededRandom(2) })
  one.agents.upsert(['a', 'b', 'c'].map((id) => ({ id, country: 'DE' })))
})

function picked(scheduler: Scheduler<'sync'>, more: PickRequest = {}) {
  const pick = scheduler.pick({ ...request, ...more })
  if (pick.kind !== 'picked') throw new Error(pick.cause)
  return pick
}

/** Agents that a scheduler may give; nothing is taken. */
function eligible(scheduler: Scheduler<'sync'>): string[] {
  scheduler.explain(request)
  const ids = [...scheduler.agents.values()].map(({ id }) => id).sort()
  return ids.filter((id) => scheduler.explain({ ...request, pin: [id] }).kind === 'picked')
}

describe('two schedulers on one store', () => {
  test('share what is excluded, at once, whoever reports it', () => {
    expect(eligible(two)).toEqual(['a', 'b', 'c'])
    one.report(picked(one, { pin: ['a'] }).lease, { kind: 'blocked' })
    expect(eligible(two)).toEqual(['b', 'c'])
    two.exclude('b', 'shop.example', clock.nowMs() + 1000)
    expect([eligible(one), eligible(two)]).toEqual([['c'], ['c']])
    one.restore('b', 'shop.example')
    expect([eligible(one), eligible(two)]).toEqual([
      ['b', 'c'],
      ['b', 'c'],
    ])
    expect(one.health('shop.example')).toEqual(two.health('shop.example'))
  })

  test('know the agents that the other put once they have caught up', () => {
    expect(two.agents.size).toBe(0)
    two.agents.refresh()
    expect([...two.agents.values()].map(({ id }) => id).sort()).toEqual(['a', 'b', 'c'])
    one.agents.remove(['b'])
    two.agents.refresh()
    expect(two.agents.get('b')).toBeUndefined()
  })

  test('take the report of the other’s lease', () => {
    const { lease } = picked(one, { pin: ['a'] })
    expect(two.report(structuredClone(lease), { kind: 'blocked' }).kind).toBe('applied')
    expect(eligible(one)).toEqual(['b', 'c'])
    expect(one.report(lease, { kind: 'ok' }).kind).toBe('stale')
    expect(eligible(one)).toEqual(['b', 'c'])
  })

  test('share one probe', () => {
    one.agents.remove(['b', 'c'])
    one.report(picked(one).lease, { kind: 'blocked' })
    clock.advance(7 * 60_000)
    const probe = picked(two)
    expect(probe.probe).toBe(true)
    expect(one.pick(request)).toMatchObject({ kind: 'exhausted', cause: 'all_excluded' })
    two.report(probe.lease, { kind: 'ok' })
    expect(picked(one).probe).toBe(false)
  })

  test('share the fleet: who comes, changes, is drained and goes', () => {
    const moved: Agent = { id: 'a', country: 'FR', weight: 2 }
    two.agents.upsert([{ id: 'd' }, moved])
    expect(eligible(one)).toEqual(['a', 'b', 'c', 'd'])
    expect(one.agents.get('a')).toEqual(moved)
    one.agents.drain(['a', 'b'])
    expect(eligible(two)).toEqual(['c', 'd'])
    expect(two.agents.get('a')).toEqual({ ...moved, drained: true })
    two.agents.remove(['c'])
    expect(eligible(one)).toEqual(['d'])
    expect([one.agents.size, two.agents.size]).toEqual([3, 3])
  })

  test('drain what the other has just put, as it is now', () => {
    expect(two.agents.get('a')).toBeUndefined()
    one.agents.upsert([{ id: 'a', country: 'AT' }])
    two.agents.drain(['a'])
    eligible(one)
    expect(one.agents.get('a')).toEqual({ id: 'a', country: 'AT', drained: true })
  })

  test('exclude and restore what the other has just put', () => {
    one.agents.upsert([{ id: 'new' }])
    two.exclude('new', 'shop.example', clock.nowMs() + 1000)
    expect(eligible(one)).toEqual(['a', 'b', 'c'])
    two.restore('new', 'shop.example')
    expect(eligible(one)).toEqual(['a', 'b', 'c', 'new'])
  })

  test('share slots: together an agent has no more than its own', () => {
    one.agents.upsert(['a', 'b', 'c'].map((id) => ({ id, maxConcurrency: 2 })))
    const leases = Array.from({ length: 6 }, (_, i) => picked(i % 2 === 0 ? one : two).lease)
    const counts = ['a', 'b', 'c'].map(
      (id) => leases.filter(({ agentId }) => agentId === id).length,
    )
    expect(counts).toEqual([2, 2, 2])
    for (const scheduler of [one, two]) {
      expect(scheduler.pick(request)).toMatchObject({
        kind: 'exhausted',
        cause: 'at_capacity',
        retryAtMs: clock.nowMs() + 60_000,
      })
    }
    two.report(leases[1], { kind: 'neutral' })
    expect(picked(one).agent.id).toBe(leases[1].agentId)
    clock.advance(60_000)
    expect(one.pick(request).kind).toBe('picked')
  })

  test('say when a slot is free that the other holds', () => {
    one.agents.upsert([{ id: 'two', maxConcurrency: 2 }])
    one.agents.remove(['a', 'b', 'c'])
    picked(one, { deadlineMs: clock.nowMs() + 9000 })
    picked(two, { deadlineMs: clock.nowMs() + 5000 })
    for (const scheduler of [one, two]) {
      expect(scheduler.pick(request)).toMatchObject({
        kind: 'exhausted',
        cause: 'at_capacity',
        retryAtMs: clock.nowMs() + 5000,
      })
    }
    clock.advance(5000)
    expect(picked(one).agent.id).toBe('two')
  })

  test('share the breaker of an agent', () => {
    for (let i = 0; i < 10 && eligible(two).includes('a'); i++) {
      one.report(picked(one, { pin: ['a'] }).lease, { kind: 'agent_error' })
    }
    expect([eligible(one), eligible(two)]).toEqual([
      ['b', 'c'],
      ['b', 'c'],
    ])
    const refused = two.pick({ ...request, pin: ['a'] })
    if (refused.kind !== 'exhausted' || refused.retryAtMs === null) throw new Error('it is up')
    clock.set(refused.retryAtMs)
    expect([eligible(one), eligible(two)]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ])
  })

  test('share limits and permits, and know a repeated operation of the other', () => {
    const admit = (scheduler: Scheduler<'sync'>, opId?: string) =>
      scheduler.admit({
        key: 'k',
        tier: 'free',
        permit: { ttlMs: 5000 },
        ...(opId !== undefined && { opId }),
      })
    const first = admit(one, 'op')
    expect(admit(two, 'op')).toEqual(first)
    const second = admit(two)
    expect(admit(one)).toMatchObject({ allowed: false, policy: 'permits' })
    if (second.permit === undefined) throw new Error('no permit')
    expect(one.renew(second.permit, 9000)?.deadlineMs).toBe(clock.nowMs() + 9000)
    expect(one.release(second.permit)).toBe(true)
    expect(two.release(second.permit)).toBe(false)
    expect(admit(one).allowed).toBe(true)
    expect(admit(two)).toMatchObject({ allowed: false })
    expect(one.usage('k')).toEqual(two.usage('k'))
  })

  test('exclude an exit from every domain for both', () => {
    one.exclude('a', '*', clock.nowMs() + 1000)
    expect(eligible(two)).toEqual(['b', 'c'])
    clock.advance(1000)
    expect(eligible(two)).toEqual(['a', 'b', 'c'])
  })
})
