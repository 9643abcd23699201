import { beforeEach, describe, expect, test } from 'vitest'
import { memoryStore, Scheduler, seededRandom, type Store } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { asyncStore } from './rig.ts'

const HOUR_MS = 3_600_000
const domain = 'shop.example'
let clock: ManualClock
let store: Store<'sync'>
let one: Scheduler<'sync'>
let two: Scheduler<'sync'>

beforeEach(() => {
  clock = new ManualClock(1_200_000_000)
  store = memoryStore()
  one = new Scheduler({ store, clock, random: seededRandom(1) })
  two = new Scheduler({ store, clock, random: seededRandom(2) })
})

const de = (id: string, more: object = {}) => ({ id, country: 'DE', ...more })

/** How many calls deep its caller is. */
function stackDepth(): number {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = Infinity
  const depth = new Error().stack?.split('\n').length ?? 0
  Error.stackTraceLimit = stackTraceLimit
  return depth
}

describe('several schedulers on one store', () => {
  test('hear of a restore even after its record has been forgotten', () => {
    one.agents.upsert([de('a'), de('b')])
    one.exclude('a', domain, clock.nowMs() + 365 * 24 * HOUR_MS)
    expect(two.pick({ domain, pin: ['a'] }).kind).toBe('exhausted')
    one.restore('a', domain)
    clock.advance(2 * HOUR_MS)
    // Other domains' traffic sweeps what is forgotten.
    for (let i = 0; i < 100; i++) one.exclude('b', `d${i}.example`, clock.nowMs() + 1)
    expect(two.pick({ domain, pin: ['a'] }).kind).toBe('picked')
  })

  test('pin and avoid whom they name, though the fleet has changed hands meanwhile', () => {
    one.agents.upsert([de('a'), de('y')])
    two.pick({ domain })
    one.agents.remove(['y'])
    one.agents.upsert([de('z')])
    expect(two.pick({ domain, pin: ['y'] })).toMatchObject({ cause: 'filter_empty' })
    one.agents.upsert([de('w')])
    expect(two.pick({ domain, pin: ['w'] })).toMatchObject({ agent: { id: 'w' } })
    one.agents.upsert([de('v')])
    const rest = two.pick({ domain, avoid: ['a', 'z', 'w', 'v'] })
    expect(rest).toMatchObject({ kind: 'exhausted', cause: 'filter_empty' })
  })

  test('pass over thousands of agents that another one has filled, and know it at the next pick', () => {
    const full = Array.from({ length: 300 }, (_, i) => de(`de${i}`, { maxConcurrency: 1 }))
    one.agents.upsert([...full, { id: 'at', country: 'AT' }])
    for (let i = 0; i < 300; i++) one.pick({ domain, geo: 'DE;strict' })
    expect(two.pick({ domain, geo: 'DE' })).toMatchObject({ agent: { id: 'at' } })
    const refused = two.pick({ domain, geo: 'DE;strict' })
    expect(refused).toMatchObject({ cause: 'at_capacity', retryAtMs: clock.nowMs() + 60_000 })
  })

  test('try one full agent after the other without a call deeper for each', () => {
    one.agents.upsert(Array.from({ length: 50 }, (_, i) => de(`de${i}`, { maxConcurrency: 1 })))
    for (let i = 0; i < 50; i++) one.pick({ domain })
    const depths: number[] = []
    const acquire: Store<'sync'>['acquire'] = (request) => {
      depths.push(stackDepth())
      return store.acquire(request)
    }
    const three = new Scheduler({ store: { ...store, acquire }, clock, random: seededRandom(3) })
    expect(three.pick({ domain }).kind).toBe('exhausted')
    expect(depths.length).toBeGreaterThanOrEqual(50)
    expect(Math.max(...depths)).toBeLessThan(depths[0] + 10)
  })

  test('hear that an agent came back without the failures it left with', () => {
    one.agents.upsert([de('a')])
    for (let i = 0; i < 3; i++) {
      const pick = one.pick({ domain })
      if (pick.kind === 'picked') one.report(pick.lease, { kind: 'agent_error' })
    }
    expect(two.pick({ domain })).toMatchObject({ kind: 'exhausted' })
    one.agents.remove(['a'])
    one.agents.upsert([de('a')])
    expect([one.pick({ domain }).kind, two.pick({ domain }).kind]).toEqual(['picked', 'picked'])
  })
})

describe('a scheduler on an asynchronous store', () => {
  test('gives the agent that was leased, though it left while the store answered', async () => {
    let release = (): void => {}
    const waiting = new Promise<void>((resolve) => {
      release = resolve
    })
    const slow = asyncStore(store, (method) => (method === 'acquire' ? waiting : Promise.resolve()))
    const scheduler = new Scheduler({ store: slow, clock, random: seededRandom(1) })
    await scheduler.agents.upsert([de('x')])
    const pending = scheduler.pick({ domain })
    await scheduler.agents.remove(['x'])
    await scheduler.agents.upsert([de('y')])
    release()
    const pick = await pending
    expect(pick).toMatchObject({ agent: { id: 'x' }, lease: { agentId: 'x' } })
    expect((await scheduler.explain({ domain, pin: ['y'] })).candidates[0].inFlight).toBe(0)
  })

  test('walks on when another process has rested an exit everywhere', async () => {
    const asked: string[] = []
    const counting = asyncStore(store, (method) => {
      asked.push(method)
      return Promise.resolve()
    })
    const scheduler = new Scheduler({ store: counting, clock, random: seededRandom(1) })
    await scheduler.agents.upsert([de('x'), { id: 'at', country: 'AT' }])
    await scheduler.pick({ domain, geo: 'DE' })
    one.exclude('x', '*', clock.nowMs() + HOUR_MS)
    asked.length = 0
    expect(await scheduler.pick({ domain, geo: 'DE' })).toMatchObject({ agent: { id: 'at' } })
    expect(asked.filter((method) => method === 'acquire').length).toBeLessThanOrEqual(3)
  })
})
