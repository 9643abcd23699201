import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exitOf, type StoredAgent } from '../../../packages/core/src/pick/agent.ts'
import { OwnBook } from '../../../packages/core/src/pick/book.ts'
import { Fleet } from '../../../packages/core/src/pick/fleet.ts'
import { parseGeo } from '../../../packages/core/src/geo/hint.ts'
import { nameOf, Steps } from '../../../packages/core/src/pick/steps.ts'
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

const bookOf = (): OwnBook<Pair> =>
  new OwnBook((pair, nowMs) => judge.phase(pair, nowMs) === 'available')

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
        const view = new View('shop.example', fleet, judge, bookOf())
        const pairs = new Map<string, Pair>()
        let nowMs = 1
        for (const step of [...steps, { kind: 'look' } as const]) {
          if (step.kind === 'fleet') applyTo(fleet, step.change)
          else if (step.kind === 'time') nowMs += step.ms
          else if (step.kind === 'pair') {
            view.catchUp(nowMs)
            // Pairs are told from now on, as the store tells them.
            const { exit } = step
            const pair = step.pair === null ? null : shifted(step.pair, nowMs)
            if (pair === null) pairs.delete(exit)
            else pairs.set(exit, pair)
            view.apply(exit, pair, nowMs)
          } else {
            view.catchUp(nowMs)
            view.drainOn(nowMs, Infinity)
            expect(view.isDue(nowMs)).toBe(false)
            expectTrue(view, fleet, pairs, nowMs)
          }
        }
      }),
      { numRuns: 400 },
    )
  })

  test('goes through no pairs that are available again, where few agents have changed', () => {
    const agents = Array.from({ length: 1_000 }, (_, i) => ({ id: `a${i}`, country: 'DE' }))
    const fleet = fleetOf(agents)
    // A store of this process keeps records for long after they matter.
    const pairs = new Map<string, Pair>()
    let looks = 0
    const view = new View<Pair>('shop.example', fleet, judge, {
      get: (_, exit) => pairs.get(exit) ?? null,
      set: () => undefined,
      entries: () => {
        looks++
        return pairs
      },
      clear: () => undefined,
    })
    for (const { id } of agents) {
      pairs.set(id, { untilMs: 100 })
      view.apply(id, { untilMs: 100 }, 1)
    }
    view.drainOn(100, Infinity)
    put(fleet, ...agents.slice(0, 100).map((agent) => ({ ...agent, country: 'FR' })))
    view.catchUp(100)
    expect(looks).toBe(0)
    expectTrue(view, fleet, pairs, 100)
  })

  test('follows a change of the whole fleet by building itself anew', () => {
    const agents = Array.from({ length: 300 }, (_, i) => ({
      id: `a${i}`,
      country: 'DE',
      lat: 50,
      lon: i / 10,
    }))
    const fleet = fleetOf(agents)
    const view = new View('shop.example', fleet, judge, bookOf())
    const pairs = new Map([['a7', { untilMs: 100 }]])
    view.apply('a7', { untilMs: 100 }, 1)
    put(fleet, ...agents.map((agent) => ({ ...agent, country: 'AT' })))
    view.catchUp(1)
    expectTrue(view, fleet, pairs, 1)
  })

  test('follows an agent from one exit to another, and leaves it be where nothing it reads has changed', () => {
    const fleet = fleetOf([{ id: 'a', exitIp: 'e1', country: 'DE' }])
    const view = new View('shop.example', fleet, judge, bookOf())
    view.apply('e1', { untilMs: 10 }, 1)
    for (const [exitIp, excluded] of [
      ['e2', 0],
      ['e1', 1],
      [undefined, 0],
      ['e1', 1],
    ] as const) {
      put(fleet, { id: 'a', country: 'DE', ...(exitIp !== undefined && { exitIp }) })
      view.catchUp(1)
      expect(view.excluded.size).toBe(excluded)
    }
    const { version } = fleet
    put(fleet, { id: 'a', country: 'DE', exitIp: 'e1', weight: 5, tags: ['t'] })
    expect(fleet.version).toBe(version)
  })

  test('lets go of so many that are due an instant, and says whether more is', () => {
    const fleet = fleetOf(['a', 'b', 'c'].map((id) => ({ id })))
    const view = new View('shop.example', fleet, judge, bookOf())
    for (const id of ['a', 'b', 'c']) view.apply(id, { untilMs: 10 }, 1)
    view.drain(9, 2)
    expect([view.isDue(9), view.excluded.size]).toEqual([false, 3])
    view.drain(10, 2)
    expect([view.isDue(10), view.excluded.size]).toEqual([true, 1])
    // Looking again at the same instant sees the same.
    view.drain(10, 2)
    expect([view.isDue(10), view.excluded.size]).toEqual([true, 1])
    view.drainOn(10, Infinity)
    expect([view.isDue(10), view.excluded.size]).toEqual([false, 0])
  })

  test('puts what it drains on probation before it forgets it', () => {
    const fleet = fleetOf([{ id: 'a' }])
    const view = new View('shop.example', fleet, judge, bookOf())
    view.apply('a', { untilMs: 10, forgetMs: 20 }, 1)
    expect([view.phaseOf(0), view.pickableAtMs('a')]).toEqual(['excluded', 10])
    view.drain(10, 64)
    expect([view.phaseOf(0), view.pickableAtMs('a')]).toEqual(['probation', 0])
    expect([view.excluded.size, view.probation.size]).toEqual([1, 1])
    view.drain(20, 64)
    expect([view.phaseOf(0), view.excluded.size, view.recordOf('a')]).toEqual([
      'available',
      0,
      null,
    ])
  })

  test('visits what is excluded by the instant at which it is pickable, but not what is so now', () => {
    const fleet = fleetOf(['a', 'b', 'c', 'p'].map((id) => ({ id })))
    const view = new View('shop.example', fleet, judge, bookOf())
    view.apply('c', { untilMs: 30 }, 1)
    view.apply('a', { untilMs: 20 }, 1)
    view.apply('p', { untilMs: 0, forgetMs: 10 }, 1)
    view.apply('b', { untilMs: 25 }, 1)
    const seen: [string | undefined, number][] = []
    view.inOrder((agent, atMs) => seen.push([fleet.agents.get(agent)?.id, atMs]) < 2)
    expect(seen).toEqual([
      ['a', 20],
      ['b', 25],
    ])
    expect([...view.entries()].map(([exit]) => exit).sort()).toEqual(['a', 'b', 'c', 'p'])
  })

  test('marks the squares of a country in which everyone is excluded, and no longer than that', () => {
    const agents = Array.from({ length: 64 }, (_, i) => ({
      id: `a${i}`,
      country: 'DE',
      lat: 50 + (i % 8) / 10,
      lon: 10 + Math.floor(i / 8) / 10,
    }))
    const fleet = fleetOf([...agents, { id: 'far', country: 'AU', lat: -30, lon: 140 }])
    const view = new View('shop.example', fleet, judge, bookOf())
    const pairs = new Map(agents.map(({ id }) => [id, { untilMs: 100 }]))
    for (const [id, pair] of pairs) view.apply(id, pair, 1)
    expectTrue(view, fleet, pairs, 1)
    const outward = new Steps(fleet)
    const hint = parseGeo('50.1,10.1')
    const walked = (): string[] => {
      const names: string[] = []
      outward.start(hint, view.dead)
      for (let step = outward.next(); step !== null; step = outward.next()) {
        names.push(nameOf(fleet, step))
      }
      return names
    }
    expect(walked()).toEqual(['AU/-30,140'])
    view.apply('a9', null, 1)
    expect(walked()).toContain('DE/50.1,10.1')
    pairs.delete('a9')
    expectTrue(view, fleet, pairs, 1)
  })

  test('knows nothing once it is reset', () => {
    const ids = ['a', 'b', 'c', 'd']
    const fleet = fleetOf(ids.map((id) => ({ id, country: 'DE' })))
    const view = new View('shop.example', fleet, judge, bookOf())
    for (const id of ids) view.apply(id, { untilMs: 10 }, 1)
    expect(view.dead.size).toBeGreaterThan(0)
    view.reset()
    expect([view.excluded.size, view.dead.size, view.phaseOf(0)]).toEqual([0, 0, 'available'])
    expect([...view.entries()]).toEqual([])
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
