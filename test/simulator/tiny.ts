import type { DomainKind, Scenario } from '@ostler/simulator'

/** A world that fits in the head: 30 agents on exits of their own, one domain of the given kind. */
export function tiny(kind: Partial<DomainKind> = {}, changes: Partial<Scenario> = {}): Scenario {
  return {
    format: 'ostler-scenario/1',
    name: 'tiny',
    seed: 7,
    durationMs: 600_000,
    requests: 500,
    fleets: [{ name: 'home', agents: 30, cities: 20, networks: { perCountry: 1 } }],
    domains: {
      count: 1,
      zipf: 1,
      kinds: [{ name: 'plain', weight: 1, serverMs: 100, ...kind }],
    },
    clients: {
      count: 5,
      zipf: 0,
      tiers: { all: { weight: 1, policies: [] } },
      markets: { IN: 1, CN: 1 },
      hints: { none: 1, soft: 1, strict: 0, point: 0 },
    },
    ...changes,
  }
}
