import { distanceKm, domainOf } from '@ostler/core'
import { buildWorld, builtinScenario, placeFleet, START_MS } from '@ostler/simulator'
import { describe, expect, test } from 'vitest'
import { kmBetween } from '../../packages/simulator/src/world/judge.ts'
import { tiny } from './tiny.ts'

describe('the default fleet', () => {
  const scenario = builtinScenario('default')
  const fleet = placeFleet(scenario, 1)

  test('is the same for a seed, and another for another', () => {
    expect(placeFleet(scenario, 1).agents).toEqual(fleet.agents)
    expect(placeFleet(scenario, 2).agents).not.toEqual(fleet.agents)
  })

  test('lives where people live', () => {
    const share = (country: string): number =>
      fleet.agents.filter((agent) => agent.country === country).length / fleet.agents.length
    expect(share('CN')).toBeGreaterThan(share('DE') * 3)
    expect(share('DE')).toBeGreaterThan(share('AT') * 5)
    expect(share('AT')).toBeGreaterThan(0)
  })

  test('shares exits within one city and one network', () => {
    const byExit = new Map<number, number[]>()
    fleet.exitOf.forEach((exit, i) => byExit.set(exit, [...(byExit.get(exit) ?? []), i]))
    expect(byExit.size).toBe(fleet.exits)
    const shared = [...byExit.values()].filter((agents) => agents.length > 1)
    expect(shared.length).toBeGreaterThan(100)
    for (const agents of shared) {
      const one = (name: 'city' | 'asn' | 'exitIp') =>
        new Set(agents.map((i) => fleet.agents[i][name])).size
      expect([one('city'), one('asn'), one('exitIp')]).toEqual([1, 1, 1])
    }
  })
})

test('measures as the core does', () => {
  const { fleet } = buildWorld(tiny())
  const { agents, x, y, z } = fleet
  for (let i = 1; i < agents.length; i++) {
    const expected = distanceKm(agents[0].lat!, agents[0].lon!, agents[i].lat!, agents[i].lon!)
    expect(kmBetween(x[0], y[0], z[0], x[i], y[i], z[i])).toBeCloseTo(expected, 0)
  }
})

test('names domains that are health keys as they stand', () => {
  const { domains } = buildWorld({ ...tiny(), domains: { ...tiny().domains, count: 40 } })
  for (const { name } of domains) expect(domainOf(name)).toBe(name)
})

test('deals kinds out over the ranks in proportion to weight', () => {
  const kinds = [1, 2, 3].map((weight) => ({ name: `k${weight}`, weight, serverMs: 100 }))
  const { domains } = buildWorld({ ...tiny(), domains: { count: 60, zipf: 1, kinds } })
  const count = (name: string, most: number): number =>
    domains.slice(0, most).filter((domain) => domain.kind.name === name).length
  for (const most of [12, 60]) {
    expect(Math.abs(count('k1', most) - most / 6)).toBeLessThanOrEqual(1)
    expect(Math.abs(count('k2', most) - most / 3)).toBeLessThanOrEqual(1)
    expect(Math.abs(count('k3', most) - most / 2)).toBeLessThanOrEqual(1)
  }
})

test('draws a trace in order of time, within the stretch, and leaves out what the limiter refuses', () => {
  const scenario = tiny()
  const policies = [{ name: 'hour', limit: 20, windowMs: 3_600_000 }]
  const clients = { ...scenario.clients, tiers: { all: { weight: 1, policies } } }
  const { trace } = buildWorld({ ...scenario, clients })
  expect(trace.length).toBe(100)
  expect(trace.limited).toBe(400)
  trace.atMs.forEach((atMs, i) => {
    expect(atMs).toBeGreaterThanOrEqual(i === 0 ? START_MS : trace.atMs[i - 1])
    expect(atMs).toBeLessThan(START_MS + scenario.durationMs)
  })
})
