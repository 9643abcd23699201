import fc from 'fast-check'
import type { Agent } from '@ostler/core'
import { Fleet } from '../../../packages/core/src/pick/fleet.ts'
import type { StoredAgent } from '../../../packages/core/src/pick/agent.ts'

/** A fleet of these agents. */
export function fleetOf(agents: readonly StoredAgent[]): Fleet {
  const fleet = new Fleet()
  put(fleet, ...agents)
  return fleet
}

export function put(fleet: Fleet, ...agents: readonly StoredAgent[]): void {
  fleet.putAll(agents, () => undefined)
}

/** Places that meet: few, some at one point in two countries, on both sides of the date line, at the poles, and nowhere. */
export const PLACES: readonly Omit<Agent, 'id'>[] = [
  { country: 'DE', lat: 52.5, lon: 13.4 },
  { country: 'DE', region: 'DE-BE', lat: 52.52, lon: 13.41 },
  { country: 'DE' },
  { country: 'PL', lat: 52.5, lon: 13.4 },
  { country: 'FJ', lat: -18.1, lon: 178.4 },
  { country: 'FJ', lat: -18.2, lon: -178.8 },
  { country: 'AQ', lat: -90, lon: 0 },
  { lat: 90, lon: -180 },
  { lat: 89.96, lon: 180 },
  {},
]

/** An agent that is put (in some state) or removed. */
export type Churn =
  | { readonly kind: 'put'; readonly agents: readonly StoredAgent[] }
  | { readonly kind: 'remove'; readonly id: string }
  | { readonly kind: 'rest'; readonly id: string; readonly untilMs: number }

export const agentId: fc.Arbitrary<string> = fc.nat(11).map((i) => `a${i}`)

export const agent: fc.Arbitrary<StoredAgent> = fc
  .tuple(
    agentId,
    fc.constantFrom(...PLACES),
    fc.constantFrom(undefined, undefined, 'e1', 'e2', 'a0'),
    fc.constantFrom(false, false, false, true),
  )
  .map(([id, place, exitIp, drained]) => ({
    id,
    ...place,
    ...(exitIp !== undefined && { exitIp }),
    ...(drained && { drained }),
  }))

export const churn: fc.Arbitrary<Churn> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .array(agent, { minLength: 1, maxLength: 5 })
      .map((agents): Churn => ({ kind: 'put', agents })),
  },
  { weight: 1, arbitrary: agentId.map((id): Churn => ({ kind: 'remove', id })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(agentId, fc.constantFrom(0, 50, 1000))
      .map(([id, untilMs]): Churn => ({ kind: 'rest', id, untilMs })),
  },
)

export function applyTo(fleet: Fleet, change: Churn): void {
  switch (change.kind) {
    case 'put':
      return put(fleet, ...change.agents)
    case 'remove':
      return fleet.remove(change.id)
    case 'rest': {
      const agent = fleet.find(change.id)
      return agent === -1 ? undefined : fleet.rest(agent, change.untilMs)
    }
    default:
      return change satisfies never
  }
}

/** The numbers of all agents, in no order. */
export function numbersOf(fleet: Fleet): number[] {
  const numbers = Array.from({ length: fleet.agents.length }, (_, agent) => agent)
  return numbers.filter((agent) => fleet.agents.get(agent) !== null)
}
