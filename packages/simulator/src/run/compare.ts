import { blacklistPolicy } from '../policies/blacklist.ts'
import { ostlerPolicy } from '../policies/ostler.ts'
import type { PolicySpec } from '../policies/policy.ts'
import { randomPolicy } from '../policies/random.ts'
import { roundRobinPolicy } from '../policies/round-robin.ts'
import { sessionPoolPolicy } from '../policies/session-pool.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { buildWorld, type World } from '../world/world.ts'
import { runPolicy } from './run.ts'
import type { PolicyResult } from './tally.ts'

/** Every policy that can be compared, in the order of the table. */
export const policies: readonly PolicySpec[] = [
  ostlerPolicy,
  randomPolicy,
  roundRobinPolicy,
  blacklistPolicy,
  sessionPoolPolicy,
]

/** What was compared, and how each did: the same bytes for the same scenario and seed. */
export interface Comparison {
  readonly format: 'ostler-comparison/1'
  readonly scenario: string
  readonly seed: number
  readonly durationMs: number
  readonly agents: number
  readonly exits: number
  readonly countries: number
  readonly domains: number
  readonly clients: number
  /** Calls of the clients; those that the limiter refused are `limited`, and no policy saw them. */
  readonly calls: number
  readonly limited: number
  readonly results: readonly PolicyResult[]
}

export interface CompareOptions {
  /** Default: the scenario's. */
  readonly seed?: number
  /** Default: all. */
  readonly policies?: readonly PolicySpec[]
  readonly onProgress?: (progress: Progress) => void
}

/** `policy` is `world` while the world is being built. */
export interface Progress {
  readonly policy: string
  readonly done: number
  readonly total: number
}

export interface Compared {
  readonly world: World
  readonly comparison: Comparison
  /** By policy, on this machine, this time. */
  readonly picksPerSecond: Readonly<Record<string, number>>
}

/**
 * Runs policies side by side: the same requests, each with a world of its own that remembers only
 * what it sent.
 */
export function compare(scenario: Scenario, options: CompareOptions = {}): Compared {
  const { seed = scenario.seed, policies: chosen = policies, onProgress = () => {} } = options
  const total = scenario.requests * chosen.length
  onProgress({ policy: 'world', done: 0, total })
  const world = buildWorld(scenario, seed)
  const results: PolicyResult[] = []
  const picksPerSecond: Record<string, number> = {}
  chosen.forEach((spec, i) => {
    const before = i * scenario.requests
    const run = runPolicy(world, spec, (done) =>
      onProgress({ policy: spec.name, done: before + done, total }),
    )
    results.push(run.result)
    picksPerSecond[spec.name] = run.picksPerSecond
  })
  onProgress({ policy: 'done', done: total, total })
  return { world, comparison: describe(world, results), picksPerSecond }
}

function describe(world: World, results: readonly PolicyResult[]): Comparison {
  const { scenario, fleet, trace } = world
  return {
    format: 'ostler-comparison/1',
    scenario: scenario.name,
    seed: world.seed,
    durationMs: scenario.durationMs,
    agents: fleet.agents.length,
    exits: fleet.exits,
    countries: fleet.countries.length,
    domains: world.domains.length,
    clients: world.clients.length,
    calls: scenario.requests,
    limited: trace.limited,
    results,
  }
}
