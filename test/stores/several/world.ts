import type { Agent, HealthPolicy, IncidentPolicy, Policy, Tier } from '@ostler/core'

/** What the workers of a herd share beside their store: few keys, few domains and a small fleet, so that they meet all the time. */
export interface World {
  readonly tiers: Readonly<Record<string, Tier>>
  /** Which keys call by which tier. A key that two tiers share counts for both. */
  readonly callers: readonly {
    readonly key: string
    readonly tier: string
    /** A common call's. Default 1. */
    readonly cost?: number
  }[]
  readonly agents: readonly Agent[]
  readonly domains: readonly string[]
  /** Some of the agents, which are asked for by name now and then, and most in the first domain. */
  readonly wanted: readonly string[]
  readonly health: Partial<HealthPolicy>
  readonly incident: Partial<IncidentPolicy>
  readonly leaseMs: number
}

// Less than a herd asks for, so that it is denied about as often as not.
const small: Policy = { name: 'small', limit: 4, windowMs: 300 }
const costly: Policy = { name: 'costly', limit: 20, windowMs: 1_500 }
/** Counted at the ends of quanta, as limits above 256 are. */
const quantised: Policy = { name: 'quantised', limit: 12, windowMs: 500, quantumMs: 20 }
const large: Policy = { name: 'large', limit: 300, windowMs: 2_000 }
const smooth: Policy = { name: 'smooth', limit: 20, windowMs: 1_000, smooth: { burst: 5 } }

/** All durations are as short as they may be, so that exclusions end and probes go in a run of seconds. */
export const WORLD: World = {
  tiers: {
    small: { policies: [small] },
    both: { policies: [small, costly, quantised] },
    quantised: { policies: [quantised] },
    large: { policies: [large] },
    smooth: { policies: [smooth] },
    held: { policies: [small], permits: 3 },
  },
  callers: [
    { key: 'k-small', tier: 'small' },
    { key: 'k-shared', tier: 'small' },
    { key: 'k-shared', tier: 'both' },
    { key: 'k-shared', tier: 'quantised' },
    { key: 'k-quantised', tier: 'quantised' },
    { key: 'k-large', tier: 'large', cost: 12 },
    { key: 'k-smooth', tier: 'smooth' },
  ],
  agents: [
    { id: 'a1', exitIp: 'shared-exit', maxConcurrency: 1 },
    { id: 'a2', exitIp: 'shared-exit', maxConcurrency: 2 },
    { id: 'a3', maxConcurrency: 1 },
    { id: 'a4', maxConcurrency: 2 },
    { id: 'a5', maxConcurrency: 2 },
    { id: 'a6', maxConcurrency: 1 },
    { id: 'a7', maxConcurrency: 1 },
    { id: 'a8', maxConcurrency: 3 },
    { id: 'a9' },
  ],
  domains: ['shop.example', 'news.example', 'wiki.example', 'maps.example', 'jobs.example'],
  wanted: ['a1', 'a2', 'a9'],
  health: {
    ladder: [
      { health: 'limited', durationMs: 1_000 },
      { health: 'unavailable', durationMs: 1_000 },
      { health: 'unavailable', durationMs: 1_200 },
    ],
    rateLimitedMs: 1_000,
    strikeDecayMs: 2_000,
    jitter: 0.1,
  },
  // No incident: it would hold all exclusions to limited ones, and there would be no probes.
  incident: { minExclusions: 1_000_000, minFailures: 1_024 },
  leaseMs: 1_000,
}
