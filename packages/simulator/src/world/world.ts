import type { Scenario } from '../scenario/scenario.ts'
import { hireClients, type Client } from './clients.ts'
import { layDomains, type Domain } from './domains.ts'
import { placeFleet, type Fleet } from './fleet.ts'
import { Judge } from './judge.ts'
import { drawTrace, START_MS, type Trace } from './trace.ts'

/**
 * A scenario brought to life: who is where, who asks for what and when. The same for every policy.
 */
export interface World {
  readonly scenario: Scenario
  readonly seed: number
  readonly fleet: Fleet
  readonly domains: readonly Domain[]
  readonly clients: readonly Client[]
  readonly trace: Trace
}

/** Draws everything that a seed decides. O(requests + agents * log cities). */
export function buildWorld(scenario: Scenario, seed: number = scenario.seed): World {
  const fleet = placeFleet(scenario, seed)
  const domains = layDomains(scenario, fleet, seed)
  const clients = hireClients(scenario, seed)
  return { scenario, seed, fleet, domains, clients, trace: drawTrace(scenario, clients, seed) }
}

/** A judge that has not been sent anything yet. */
export function judgeOf({ scenario, fleet, domains, seed }: World): Judge {
  return new Judge(scenario, fleet, domains, seed, START_MS)
}
