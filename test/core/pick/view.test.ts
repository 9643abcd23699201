import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exitOf, type StoredAgent } from '../../../packages/core/src/pick/agent.ts'
import { Fleet } from '../../../packages/core/src/pick/fleet.ts'
import { bitOf, type Cell } from '../../../packages/core/src/pick/localities.ts'
import { View, type Judge, type Phase } from '../../../packages/core/src/pick/view.ts'
import { applyTo, churn, fleetOf, numbersOf, put, type Churn } from './rig.ts'

/** A pair that is excluded until `untilMs`, on probation until `forgetMs` if it has one, and available after. */
interface Pair {
  readonly untilMs: number
  readonly forgetMs?: number
  readonly probing?: true
}

const judge: Judge<Pair> = {
  phase({ untilMs, forgetMs, probing }, nowMs) {
    if (nowMs < untilMs) return probing ? 'probing' : 'excluded'
    return forgetMs !== undefined && nowMs < forgetMs ? 'probation' : 'available'
  },
  nextMs({ untilMs, forgetMs }, nowMs) {
    if (nowMs < untilMs) return untilMs
    return forgetMs !== undefined && nowMs < forgetMs ? forgetMs : Infinity
  },
}

/** What the view should hold, by asking every agent. */
function expectTrue(
  view: View<Pair>,
  fleet: Fleet,
  pairs: ReadonlyMap<string, Pair>,
  nowMs: number,
): void {
  const phaseOf = (agent: number): Phase => {
    const pair = pairs.get(exitOf(fleet.agents.get(agent) as StoredAgent))
    return pair === undefined ? 'available' : judge.phase(pair, nowMs)
  }
  const up = numbersOf(fleet).filter((agent) => fleet.isUp(agent))
  const positions = (agents: readonly number[]) =>
    agents.map((agent) => fleet.positionOf(agent)).sort()
  expect([...view.excluded.positions()].sort()).toEqual(
    positions(up.filter((agent) => phaseOf(agent) !== 'available')),
  )
  expect([...view.probation.positions()].sort()).toEqual(
    positions(up.filter((agent) => phaseOf(agent) === 'probation')),
  )
  const alive = new Set<Cell>()
  for (const agent of up.filter((number) => phaseOf(number) === 'available')) {
    for (let cell = fleet.placeOf(agent).cell; cell !== null; cell = cell.parent) alive.add(cell)
  }
  for (const [cell, kids] of view.dead) {
    for (const kid of cell.kids) if ((kids & bitOf(kid)) !== 0) expect(alive.has(kid)).toBe(false)
  }
  for (const agent of up) {
    const place = fleet.placeOf(agent)
    const healthy = up.filter(
      (n) => fleet.placeOf(n) === place && phaseOf(n) === 'available',
    ).length
    expect(view.healthyAt(place)).toBe(healthy)
  }
}

type Step =
  | { readonly kind: 'fleet'; readonly change: Churn }
  | { readonly kind: 'pair'; readonly exit: string; readonly pair: Pair | null }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'look' }

const pair: fc.Arbitrary<Pair> = fc
  .tuple(fc.nat(60), fc.option(fc.nat(60)), fc.boolean())
  .map(([ms, more, probing]) => ({
    untilMs: ms,
    ...(more !== null && { forgetMs: ms + more }),
    ...(probing && { probing }),
  }))
const exit = fc.constantFrom(
  'e1',
  'e2',
  'stranger',
  ...Array.from({ length: 12 }, (_, i) => `a${i}`),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: churn.map((change): Step => ({ kind: 'fleet', change })) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(exit, fc.option(pair, { freq: 4 }))
      .map(([exit, pair]): Step => ({ kind: 'pair', exit, pair })),
  },
  { weight: 2, arbitrary: fc.nat(30).map((ms): Step => ({ kind: 'time', ms })) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'look' }) },
)

describe('a view', () => {
  test('holds what asking every agent would, through any churn of agents, pairs and time', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const fleet = new Fleet()
        const view = new View('shop.example', fleet, judge)
        const pairs = new Map<string, Pair>()
        let nowMs = 1
        for (const step of [...steps, { kind: 'look' } as const]) {
          if (step.kind === 'fleet') applyTo(fleet, step.change)
          else if (step.kind === 'time') nowMs += step.ms
          else if (step.kind === 'pair') {
            view.catchUp()
            // Pairs are told from now on, as the store tells them.
            const { exit } = step
            const pair = step.pair === null ? null : shifted(step.pair, nowMs)
            if (pair === null) pairs.delete(exit)
            else pairs.set(exit, pair)
            view.apply(exit, pair, nowMs)
          } else {
            view.catchUp()
            view.drain(nowMs, Infinity)
            expect(view.isDue(nowMs)).toBe(false)
            expectTrue(view, fleet, pairs, nowMs)
          }
        }
      }),
      { numRuns: 400 },
    )
  })

  test('follows a change of the whole fleet by building itself anew', () => {
    const agents = Array.from({ length: 300 }, (_, i) => ({
      id: `a${i}`,
      country: 'DE',
      lat: 50,
      lon: i / 10,
    }))
    const fleet = fleetOf(agents)
    const view = new View('shop.example', fleet, judge)
    const pairs = new Map([['a7', { untilMs: 100 }]])
    view.apply('a7', { untilMs: 100 }, 1)
    put(fleet, ...agents.map((agent) => ({ ...agent, country: 'AT' })))
    view.catchUp()
    expectTrue(view, fleet, pairs, 1)
  })

  test('follows an agent from one exit to another, and leaves it be where nothing it reads has changed', () => {
    const fleet = fleetOf([{ id: 'a', exitIp: 'e1', country: 'DE' }])
    const view = new View('shop.example', fleet, judge)
    view.apply('e1', { untilMs: 10 }, 1)
    for (const [exitIp, excluded] of [
      ['e2', 0],
      ['e1', 1],
      [undefined, 0],
      ['e1', 1],
    ] as const) {
      put(fleet, { id: 'a', country: 'DE', ...(exitIp !== undefined && { exitIp }) })
      view.catchUp()
      expect(view.excluded.size).toBe(excluded)
    }
    const { version } = fleet
    put(fleet, { id: 'a', country: 'DE', exitIp: 'e1', weight: 5, tags: ['t'] })
    expect(fleet.version).toBe(version)
  })

  test('lets go of so many that are due an instant, and says whether more is', () => {
    const fleet = fleetOf(['a', 'b', 'c'].map((id) => ({ id })))
    const view = new View('shop.example', fleet, judge)
    for (const id of ['a', 'b', 'c']) view.apply(id, { untilMs: 10 }, 1)
    view.drain(9, 2)
    expect([view.isDue(9), view.excluded.size]).toEqual([false, 3])
    view.drain(10, 2)
    expect([view.isDue(10), view.excluded.size]).toEqual([true, 1])
    // Looking again at the same instant sees the same.
    view.drain(10, 2)
    expect([view.isDue(10), view.excluded.size]).toEqual([true, 1])
    view.drain(10, Infinity)
    expect([view.isDue(10), view.excluded.size]).toEqual([false, 0])
  })

  test('puts what it drains on probation before it forgets it', () => {
    const fleet = fleetOf([{ id: 'a' }])
    const view = new View('shop.example', fleet, judge)
    view.apply('a', { untilMs: 10, forgetMs: 20 }, 1)
    expect([view.phaseOf('a'), view.pickableAtMs('a')]).toEqual(['excluded', 10])
    view.drain(10, 64)
    expect([view.phaseOf('a'), view.pickableAtMs('a')]).toEqual(['probation', 0])
    expect([view.excluded.size, view.probation.size]).toEqual([1, 1])
    view.drain(20, 64)
    expect([view.phaseOf('a'), view.size, view.recordOf('a')]).toEqual(['available', 0, null])
  })

  test('visits what is excluded by the instant at which it is pickable, but not what is so now', () => {
    const fleet = fleetOf([])
    const view = new View('shop.example', fleet, judge)
    view.apply('c', { untilMs: 30 }, 1)
    view.apply('a', { untilMs: 20 }, 1)
    view.apply('p', { untilMs: 0, forgetMs: 10 }, 1)
    view.apply('b', { untilMs: 25 }, 1)
    const seen: [string, number][] = []
    view.inOrder((exit, atMs) => seen.push([exit, atMs]) < 2)
    expect(seen).toEqual([
      ['a', 20],
      ['b', 25],
    ])
    expect([...view.entries()].map(([exit]) => exit).sort()).toEqual(['a', 'b', 'c', 'p'])
  })

  test('knows nothing once it is reset', () => {
    const fleet = fleetOf([{ id: 'a', country: 'DE' }])
    const view = new View('shop.example', fleet, judge)
    view.apply('a', { untilMs: 10 }, 1)
    expect(view.dead.size).toBeGreaterThan(0)
    view.reset()
    expect([view.size, view.excluded.size, view.dead.size, view.phaseOf('a')]).toEqual([
      0,
      0,
      0,
      'available',
    ])
    expect(view.isDue(100)).toBe(false)
  })
})

function shifted({ untilMs, forgetMs, probing }: Pair, byMs: number): Pair {
  return {
    untilMs: untilMs + byMs,
    ...(forgetMs !== undefined && { forgetMs: forgetMs + byMs }),
    ...(probing && { probing }),
  }
}
