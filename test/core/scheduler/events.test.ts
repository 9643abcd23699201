import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memoryStore, Scheduler } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { events, type EventName } from '../../../packages/core/src/scheduler/events.ts'

const NAMES: readonly EventName[] = ['pick', 'report', 'transition', 'admit', 'degraded']
const request = { url: 'https://shop.example/p/1' }
const url = 'http://me:hunter2@exit.example:8080'

let scheduler: Scheduler<'sync'>
let heard: { readonly name: string | symbol; readonly message: unknown }[]
const listen = (message: unknown, name: string | symbol): void => {
  heard.push({ name, message })
}

beforeEach(() => {
  heard = []
  scheduler = new Scheduler({
    store: memoryStore(),
    clock: new ManualClock(1_200_000_000),
    tiers: { free: { policies: [{ name: 'minute', limit: 1, windowMs: 60_000 }] } },
  })
  scheduler.agents.upsert([{ id: 'a', url }])
})

afterEach(() => {
  for (const name of NAMES) unsubscribe(`ostler:${name}`, listen)
})

/** One request through all four steps, and one that is refused. */
function goThrough() {
  const decision = scheduler.admit({ key: 'k', tier: 'free' })
  const pick = scheduler.pick(request)
  if (pick.kind !== 'picked') throw new Error(pick.cause)
  const settled = scheduler.report(pick.lease, { kind: 'blocked', evidence: 'denied' })
  const refused = scheduler.pick(request)
  return { decision, pick, settled, refused }
}

describe('events', () => {
  test('have no subscriber unless somebody subscribes, and then only where', () => {
    for (const name of NAMES) expect(events[name].hasSubscribers).toBe(false)
    subscribe('ostler:admit', listen)
    goThrough()
    expect(NAMES.filter((name) => events[name].hasSubscribers)).toEqual(['admit'])
    expect(heard.map(({ name }) => name)).toEqual(['ostler:admit'])
  })

  test('tell of each step, in order, what its caller was told', () => {
    for (const name of NAMES) subscribe(`ostler:${name}`, listen)
    const { decision, pick, settled, refused } = goThrough()
    const { lease } = pick
    expect(heard).toEqual([
      { name: 'ostler:admit', message: decision },
      { name: 'ostler:pick', message: { request, result: { ...pick, agent: { id: 'a' } } } },
      {
        name: 'ostler:report',
        message: { lease, outcome: { kind: 'blocked', evidence: 'denied' }, settled },
      },
      {
        name: 'ostler:transition',
        message: { domain: 'shop.example', exit: 'a', record: settled.record },
      },
      { name: 'ostler:pick', message: { request, result: refused } },
    ])
  })

  test('hold no agent’s url, while the caller has it', () => {
    for (const name of NAMES) subscribe(`ostler:${name}`, listen)
    const { pick } = goThrough()
    expect(pick.agent.url).toBe(url)
    expect(heard.length).toBeGreaterThan(0)
    expect(JSON.stringify(heard)).not.toMatch(/hunter2|exit\.example/)
  })

  test('do not tell of what only looks: peek, explain, health, usage', () => {
    for (const name of NAMES) subscribe(`ostler:${name}`, listen)
    scheduler.peek({ key: 'k', tier: 'free' })
    scheduler.explain(request)
    scheduler.health('shop.example')
    scheduler.usage('k')
    expect(heard).toEqual([])
  })

  test('tell of denials as of admissions', () => {
    subscribe('ostler:admit', listen)
    scheduler.admit({ key: 'k', tier: 'free' })
    scheduler.admit({ key: 'k', tier: 'free' })
    expect(heard).toMatchObject([{ message: { allowed: true } }, { message: { allowed: false } }])
  })
})
