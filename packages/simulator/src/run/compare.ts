import type { Mode, Result } from '@ostler/core'
import { blacklistPolicy } from '../policies/blacklist.ts'
import { ostlerPolicy } from '../policies/ostler.ts'
import type { PolicySpec } from '../policies/policy.ts'
import { randomPolicy } from '../policies/random.ts'
import { roundRobinPolicy } from '../policies/round-robin.ts'
import { sessionPoolPolicy } from '../policies/session-pool.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { buildWorld, type World } from '../world/world.ts'
import { andThen, walkThrough } from './and-then.ts'
import { runPolicy, type Run } from './run.ts'
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

export interface CompareOptions<M extends Mode = 'sync'> {
  /** Default: the scenario's. */
  readonly seed?: number
  /** Default: all, ours with the memory store. `ostlerOn` makes ours run on another. */
  readonly policies?: readonly (PolicySpec | PolicySpec<M>)[]
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
 * what it sent. A promise where one of the policies is asynchronous.
 */
export function compare<M extends Mode = 'sync'>(
  scenario: Scenario,
  options: CompareOptions<M> = {},
): Result<M, Compared> {
  const { seed = scenario.seed, policies: chosen = policies, onProgress = () => {} } = options
  const total = scenario.requests * chosen.length
  onProgress({ policy: 'world', done: 0, total })
  const world = buildWorld(scenario, seed)
  const results: PolicyResult[] = []
  const picksPerSecond: Record<string, number> = {}
  function* runs(): Generator<Promise<void>, void> {
    for (const [i, spec] of chosen.entries()) {
      const before = i * scenario.requests
      const run: Run | Promise<Run> = runPolicy<Mode>(world, spec, (done) =>
        onProgress({ policy: spec.name, done: before + done, total }),
      )
      const noted = andThen(run, ({ result, picksPerSecond: speed }) => {
        results.push(result)
        picksPerSecond[spec.name] = speed
      })
      if (noted instanceof Promise) yield noted
    }
  }
  const compared = andThen(walkThrough(runs()), () => {
    onProgress({ policy: 'done', done: total, total })
    return { world, comparison: describe(world, results), picksPerSecond }
  })
  return compared as Result<M, Compared>
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
