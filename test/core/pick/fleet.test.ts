import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countryIndex } from '../../../packages/core/src/geo/places.ts'
import type { StoredAgent } from '../../../packages/core/src/pick/agent.ts'
import { COUNTRY_SHIFT, LOCAL_MASK } from '../../../packages/core/src/pick/excluded.ts'
import { Fleet } from '../../../packages/core/src/pick/fleet.ts'
import { isPlaceOf } from '../../../packages/core/src/pick/gazetteer.ts'
import type { Cell } from '../../../packages/core/src/pick/localities.ts'
import { applyTo, churn, fleetOf, numbersOf, put, type Churn } from './rig.ts'

/** What the fleet should hold: plain maps. */
class NaiveFleet {
  readonly agents: Map<string, StoredAgent> = new Map()
  readonly resting: Set<string> = new Set()

  apply(change: Churn): void {
    if (change.kind === 'put') {
      for (const agent of change.agents) this.agents.set(agent.id, agent)
    } else if (change.kind === 'remove') {
      this.agents.delete(change.id)
      this.resting.delete(change.id)
    } else if (this.agents.has(change.id)) {
      if (change.untilMs > 0) this.resting.add(change.id)
      else this.resting.delete(change.id)
    }
  }

  isUp({ id, drained }: StoredAgent): boolean {
    return drained !== true && !this.resting.has(id)
  }

  ofExit(exit: string): string[] {
    const found = [...this.agents.values()].filter(({ id, exitIp }) => (exitIp ?? id) === exit)
    return found.map(({ id }) => id).sort()
  }
}

function expectSame(fleet: Fleet, naive: NaiveFleet): void {
  const numbers = numbersOf(fleet)
  const up = [...naive.agents.values()].filter((agent) => naive.isUp(agent))
  expect([fleet.size, numbers.length, fleet.up]).toEqual([
    naive.agents.size,
    naive.agents.size,
    up.length,
  ])
  expect(new Set(numbers.map((agent) => fleet.positionOf(agent))).size).toBe(numbers.length)
  for (const [id, agent] of naive.agents) {
    const number = fleet.find(id)
    expect(fleet.agents.get(number)).toEqual(agent)
    expect(fleet.at(fleet.positionOf(number))).toBe(number)
    expect(fleet.isUp(number)).toBe(naive.isUp(agent))
    expect(isPlaceOf(fleet.placeOf(number), agent)).toBe(true)
    expectHeld(fleet, number)
  }
  const inOrder = [...fleet.values()]
  expect(inOrder.map((agent) => agent.id).sort()).toEqual([...naive.agents.keys()].sort())
  const positions = inOrder.map((agent) => fleet.positionOf(fleet.find(agent.id)))
  expect(positions).toEqual([...positions].sort((a, b) => a - b))
  expectCounts(fleet, naive)
}

/** An agent stands within a segment of its place. */
function expectHeld(fleet: Fleet, agent: number): void {
  const place = fleet.placeOf(agent)
  const position = fleet.positionOf(agent)
  const local = position & LOCAL_MASK
  expect(position >>> COUNTRY_SHIFT).toBe(place.country)
  expect(place.starts.some((start, i) => start <= local && local < place.ends[i])).toBe(true)
  expect(place.starts).toEqual([...place.starts].sort((a, b) => a - b))
}

function expectCounts(fleet: Fleet, naive: NaiveFleet): void {
  const exits = new Set([...naive.agents.values()].map(({ id, exitIp }) => exitIp ?? id))
  const named = [...naive.agents.values()].filter(({ exitIp }) => exitIp !== undefined)
  const own = naive.agents.size - named.length
  expect(fleet.exits).toBe(own + new Set(named.map(({ exitIp }) => exitIp)).size)
  for (const exit of [...exits, 'nobody']) {
    const found: string[] = []
    fleet.eachOfExit(exit, (agent) => found.push(fleet.agents.get(agent)?.id ?? ''))
    expect(found.sort()).toEqual(naive.ofExit(exit))
  }
  const upAt = new Map<Cell | null, number>()
  const upIn = new Map<number, number>()
  for (const agent of numbersOf(fleet).filter((number) => fleet.isUp(number))) {
    const { country, cell } = fleet.placeOf(agent)
    upIn.set(country, (upIn.get(country) ?? 0) + 1)
    for (let at = cell; at !== null; at = at.parent) upAt.set(at, (upAt.get(at) ?? 0) + 1)
  }
  for (const [cell, up] of upAt) if (cell !== null) expect(cell.up).toBe(up)
  for (const [country, up] of upIn) expect(fleet.upByCountry.of(country)).toBe(up)
  expect(fleet.gazetteer.pyramid.root?.up ?? 0).toBe(
    upAt.get(fleet.gazetteer.pyramid.root ?? null) ?? 0,
  )
}

describe('a fleet', () => {
  test('is what plain maps are, through any churn: who, where, up or not, behind which exit', () => {
    fc.assert(
      fc.property(fc.array(churn, { maxLength: 25 }), (changes) => {
        const fleet = new Fleet()
        const naive = new NaiveFleet()
        for (const change of changes) {
          applyTo(fleet, change)
          naive.apply(change)
        }
        expectSame(fleet, naive)
      }),
      { numRuns: 300 },
    )
  })

  test('tells each change of a position or of being up, so that a follower ends where it is', () => {
    const some = fc.array(churn, { maxLength: 12 })
    fc.assert(
      fc.property(some, some, (before, after) => {
        const fleet = new Fleet()
        for (const change of before) applyTo(fleet, change)
        const known = new Map(numbersOf(fleet).map((n) => [fleet.positionOf(n), n] as const))
        const up = new Set(
          [...known].filter(([, n]) => fleet.isUp(n)).map(([position]) => position),
        )
        const version = fleet.version
        for (const change of after) applyTo(fleet, change)
        const told = fleet.replay(version, (agent, former) => {
          up.delete(former)
          if (fleet.agents.get(agent) !== null && fleet.isUp(agent)) up.add(fleet.positionOf(agent))
        })
        expect(told).toBe(true)
        const now = numbersOf(fleet).filter((agent) => fleet.isUp(agent))
        expect([...up].sort()).toEqual(now.map((agent) => fleet.positionOf(agent)).sort())
      }),
      { numRuns: 300 },
    )
  })

  test('no longer knows what changed once too much has', () => {
    const fleet = fleetOf([{ id: 'a', country: 'DE' }])
    const version = fleet.version
    for (let i = 0; i < 65_537; i++)
      put(fleet, { id: 'a', country: 'DE', ...(i % 2 === 0 && { drained: true }) })
    expect(fleet.replay(version, () => expect.fail('told'))).toBe(false)
    expect(fleet.replay(fleet.version - 65_536, () => undefined)).toBe(true)
  })

  test('keeps what an agent has in flight through a replacement, and forgets it with the agent', () => {
    const fleet = fleetOf([{ id: 'a', country: 'DE' }])
    const agent = fleet.find('a')
    fleet.loads.addInFlight(agent, 2)
    fleet.loads.addLatency(agent, 80)
    put(fleet, { id: 'a', country: 'FR', weight: 3, maxConcurrency: 7 })
    expect(fleet.find('a')).toBe(agent)
    expect([fleet.loads.inFlight(agent), fleet.loads.latencyMs(agent)]).toEqual([2, 80])
    expect([fleet.loads.weight(agent), fleet.loads.capacity(agent)]).toEqual([3, 7])
    fleet.remove('a')
    put(fleet, { id: 'b' })
    expect([fleet.find('a'), fleet.find('b')]).toEqual([-1, agent])
    expect([
      fleet.loads.inFlight(agent),
      fleet.loads.latencyMs(agent),
      fleet.loads.lastPick(agent),
    ]).toEqual([0, 0, 0])
  })

  test('puts an agent that comes twice in a large change, where its number has been at a place that is gone', () => {
    const fleet = fleetOf([
      { id: 'a', country: 'DE' },
      { id: 'b', country: 'AT' },
    ])
    fleet.remove('a')
    const twice = Array.from({ length: 600 }, (_, i) => ({ id: `c${i % 599}`, country: 'AT' }))
    put(fleet, ...twice)
    expect([fleet.size, fleet.up]).toEqual([600, 600])
    expect(fleet.agents.get(fleet.find('c0'))).toEqual(twice[599])
  })

  test('gives the positions of those who left to those who come, so that it does not grow', () => {
    const fleet = fleetOf(Array.from({ length: 100 }, (_, i) => ({ id: `a${i}`, country: 'DE' })))
    const range = fleet.ranges.open(countryIndex('DE'))
    const { length } = range
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 100; i++) fleet.remove(`a${i}`)
      expect([range.agents, fleet.gazetteer.pyramid.size]).toEqual([0, 0])
      put(
        fleet,
        ...Array.from({ length: 100 }, (_, i) => ({
          id: `a${i}`,
          country: 'DE',
          lat: 50,
          lon: i % 7,
        })),
      )
    }
    expect(range.length).toBeLessThanOrEqual(length + 14)
    expect(fleet.size).toBe(100)
  })

  test('wakes agents by the ends of their rests, so many an instant, and says whether more are due', () => {
    const fleet = fleetOf(['a', 'b', 'c', 'd'].map((id) => ({ id })))
    ;['a', 'b', 'c', 'd'].forEach((id, i) => fleet.rest(fleet.find(id), 10 + i))
    expect(fleet.up).toBe(0)
    fleet.wake(9, 64)
    expect(fleet.isDue(9)).toBe(false)
    fleet.wake(12, 2)
    expect(fleet.isDue(12)).toBe(true)
    expect(fleet.up).toBe(2)
    // Looking again at the same instant wakes nobody more.
    fleet.wake(12, 2)
    expect(fleet.isDue(12)).toBe(true)
    expect(fleet.up).toBe(2)
    fleet.wake(12, Infinity)
    expect(fleet.isDue(12)).toBe(false)
    expect([fleet.up, fleet.isUp(fleet.find('d'))]).toEqual([3, false])
    fleet.wake(13, 64)
    expect(fleet.isDue(13)).toBe(false)
    expect(fleet.up).toBe(4)
  })

  test('does not wake the drained, nor drain the resting twice', () => {
    const fleet = fleetOf([{ id: 'a', drained: true }])
    fleet.rest(fleet.find('a'), 10)
    fleet.wake(20, 64)
    expect(fleet.up).toBe(0)
    put(fleet, { id: 'a' })
    expect(fleet.up).toBe(1)
  })

  test('takes an agent that comes twice in one list as the later one', () => {
    const arrivals: [number, boolean][] = []
    const fleet = new Fleet()
    const twice = [{ id: 'a', country: 'DE' }, { id: 'b' }, { id: 'a', country: 'FR' }]
    fleet.putAll(twice, (agent, isNew) => arrivals.push([agent, isNew]))
    expect(arrivals).toEqual([
      [0, true],
      [1, true],
      [0, false],
    ])
    expect(fleet.agents.get(0)).toEqual({ id: 'a', country: 'FR' })
    expect(fleet.ranges.get(countryIndex('DE'))?.agents ?? 0).toBe(0)
    expect([...fleet.gazetteer.ofRegion('x')]).toEqual([])
  })
})
