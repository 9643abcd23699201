import type { Policy } from '@ostler/core'

/**
 * A world, its customers and one stretch of virtual time. Written as JSON; `parseScenario` checks
 * it. Weights are relative: they need not add up to 1. Shares are of 1. `docs/simulator.md` says
 * what each number stands for.
 */
export interface Scenario {
  readonly format: 'ostler-scenario/1'
  readonly name: string
  /** An unsigned 32-bit integer; everything that is drawn comes from it. */
  readonly seed: number
  readonly durationMs: number
  /** Calls of the clients over the whole stretch, those that the limiter refuses among them. */
  readonly requests: number
  readonly fleets: readonly FleetSpec[]
  readonly domains: DomainsSpec
  readonly clients: ClientsSpec
}

/** Agents of one sort, placed in real cities in proportion to population. */
export interface FleetSpec {
  readonly name: string
  readonly agents: number
  /** Only the so many largest cities of the world; default: all of them. */
  readonly cities?: number
  /** Networks (ASNs): so many in each country, or so many that are everywhere. */
  readonly networks: { readonly perCountry: number } | { readonly worldwide: number }
  /** So large a share of the agents is behind an exit that `agentsPerExit` of them share. */
  readonly sharedExits?: { readonly share: number; readonly agentsPerExit: number }
  /** So large a share is offline at any time, each for `periodMs` at a stretch. */
  readonly offline?: { readonly share: number; readonly periodMs: number }
  readonly maxConcurrency?: number
}

/** Target domains: the n-th most wanted gets a share of requests proportional to n ** -zipf. */
export interface DomainsSpec {
  readonly count: number
  readonly zipf: number
  /**
   * Dealt out over the ranks in proportion to weight, so that large and small domains have the same
   * mix.
   */
  readonly kinds: readonly DomainKind[]
}

/** How domains of one kind treat those who fetch from them. What is left out does not happen. */
export interface DomainKind {
  readonly name: string
  readonly weight: number
  /** Median time the server takes for a page. */
  readonly serverMs: number
  /** Share of pages that are 404. */
  readonly missingShare?: number
  /** Share of requests answered 500 for no reason. */
  readonly errorShare?: number
  /** Share of requests challenged for no reason, whoever asks. */
  readonly flakyShare?: number
  /** Counts requests per exit, and holds off those that ask too much. */
  readonly rate?: RateRule
  /** Challenges so large a share of exits at any time, anew each `periodMs`. */
  readonly wary?: { readonly share: number; readonly periodMs: number }
  /** Denies so large a share of the networks of some fleets, and of countries, throughout. */
  readonly bans?: {
    readonly fleets: readonly string[]
    readonly networkShare: number
    readonly countryShare?: number
  }
  /** Answers 503 to everybody, so often an hour, for so long. */
  readonly outages?: { readonly perHour: number; readonly lengthMs: number }
}

export interface RateRule {
  /** Requests of an exit in a sliding window; the next one trips the rule. */
  readonly limit: number
  readonly windowMs: number
  readonly answer: 'rate_limited' | 'challenge' | 'block'
  /** How long an exit that tripped the rule is held off. */
  readonly holdMs: number
  /**
   * What a request does while held off: nothing, count towards the rate, or start the hold again.
   */
  readonly knocks: 'free' | 'count' | 'restart'
}

/** Who asks: clients by Zipf's law, each with a key, a tier, a market and a geo hint of its own. */
export interface ClientsSpec {
  readonly count: number
  readonly zipf: number
  readonly tiers: Readonly<Record<string, TierSpec>>
  /** Weight by ISO country: where clients want to be seen from. */
  readonly markets: Readonly<Record<string, number>>
  /**
   * Weights of hints: none, the market's country (soft or strict), or the coordinates of a city of
   * the market.
   */
  readonly hints: {
    readonly none: number
    readonly soft: number
    readonly strict: number
    readonly point: number
  }
}

export interface TierSpec {
  readonly weight: number
  readonly policies: readonly Policy[]
}
