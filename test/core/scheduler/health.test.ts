import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { beforeEach, describe, expect, test } from 'vitest'
import { memoryStore, Scheduler, seededRandom } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'

const domain = 'shop.example'
let clock: ManualClock
let scheduler: Scheduler<'sync'>

beforeEach(() => {
  clock = new ManualClock(1_200_000_000)
  scheduler = new Scheduler({ store: memoryStore(), clock, random: seededRandom(1) })
  scheduler.agents.upsert(['a', 'b', 'c'].map((id) => ({ id, country: 'DE' })))
})

describe('the health of a domain', () => {
  test('counts and lists an agent that is excluded by hand for all domains', () => {
    const untilMs = clock.nowMs() + 60_000
    scheduler.exclude('b', '*', untilMs)
    const health = scheduler.health(domain)
    expect(health.counts).toEqual({ available: 2, limited: 0, unavailable: 1 })
    expect(health.nextRecoveryAtMs).toBe(untilMs)
    const listed = { id: 'b', exit: 'b', health: 'unavailable', reason: 'manual', untilMs }
    expect(health.agents).toEqual([listed])
    clock.set(untilMs)
    expect(scheduler.health(domain).counts.available).toBe(3)
  })

  test('counts and lists an agent that rests after errors of its own, in every domain', () => {
    for (let i = 0; i < 3; i++) {
      const pick = scheduler.pick({ domain, pin: ['c'] })
      if (pick.kind === 'picked') scheduler.report(pick.lease, { kind: 'agent_error' })
    }
    const untilMs = clock.nowMs() + 10_000
    const listed = { id: 'c', exit: 'c', health: 'unavailable', reason: 'agent_error', untilMs }
    expect(scheduler.health('other.example').agents).toEqual([listed])
  })

  test('says of an agent that rests and is excluded when both are over', () => {
    scheduler.exclude('a', domain, clock.nowMs() + 90_000)
    scheduler.exclude('a', '*', clock.nowMs() + 60_000)
    expect(scheduler.health(domain).agents[0].untilMs).toBe(clock.nowMs() + 90_000)
  })
})

describe('listeners', () => {
  test('hear of each pair once that a report or a hand has changed', () => {
    const heard: unknown[] = []
    const listen = (message: unknown): void => {
      heard.push((message as { readonly exit: string }).exit)
    }
    subscribe('ostler:transition', listen)
    try {
      const pick = scheduler.pick({ domain, pin: ['a'] })
      if (pick.kind !== 'picked') throw new Error(pick.cause)
      scheduler.report(pick.lease, { kind: 'blocked' })
      scheduler.report(pick.lease, { kind: 'blocked' })
      scheduler.exclude('b', domain, clock.nowMs() + 60_000)
      scheduler.restore('b', domain)
      const other = scheduler.pick({ domain, pin: ['c'] })
      if (other.kind === 'picked') scheduler.report(other.lease, { kind: 'ok' })
    } finally {
      unsubscribe('ostler:transition', listen)
    }
    expect(heard).toEqual(['a', 'b', 'b'])
  })

  test('are not told the credentials in a target', () => {
    const heard: unknown[] = []
    const listen = (message: unknown): void => {
      heard.push(message)
    }
    subscribe('ostler:pick', listen)
    try {
      scheduler.pick({ url: 'https://me:secret@shop.example/p?q=1' })
    } finally {
      unsubscribe('ostler:pick', listen)
    }
    expect(heard).toMatchObject([{ request: { url: 'https://shop.example/p?q=1' } }])
    expect(JSON.stringify(heard)).not.toContain('secret')
  })
})
