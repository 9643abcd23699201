import fc from 'fast-check'
import type { IncidentPolicy } from '../../packages/core/src/health/incident.ts'
import type {
  HealthPolicy,
  OutcomeKind,
  PairRecord,
} from '../../packages/core/src/health/record.ts'
import type { Acquired, Candidate, Lease, Settled } from '../../packages/core/src/store/store.ts'
import { DEFAULT_BREAKER_POLICY } from '../../packages/core/src/health/breaker.ts'
import { DEFAULT_INCIDENT_POLICY } from '../../packages/core/src/health/incident.ts'
import { DEFAULT_HEALTH_POLICY } from '../../packages/core/src/health/ladder.ts'
import { MemoryHealth } from '../../packages/core/src/store/memory-health.ts'

export const START_MS = 1_700_000_000_000

/** Four agents on three exits, with few slots. */
export const AGENTS: readonly Candidate[] = [
  { agentId: 'a0', exit: 'x', maxConcurrency: 3 },
  { agentId: 'a1', exit: 'x', maxConcurrency: 1 },
  { agentId: 'a2', exit: 'y', maxConcurrency: 2 },
  { agentId: 'a3', exit: 'z', maxConcurrency: 3 },
]
export const EXITS: readonly string[] = ['x', 'y', 'z']
export const DOMAINS: readonly string[] = ['shop.example', 'news.example']

/** A ladder that a few steps climb, and strikes that soon decay. */
export const QUICK: HealthPolicy = {
  ladder: [
    { health: 'limited', durationMs: 2_000 },
    { health: 'limited', durationMs: 5_000 },
    { health: 'unavailable', durationMs: 10_000 },
    { health: 'unavailable', durationMs: 20_000 },
  ],
  rateLimitedMs: 1_000,
  strikeDecayMs: 60_000,
  okStreakToForget: 3,
  jitter: 0.2,
}

/** No incident, whatever happens. */
export const CALM: IncidentPolicy = {
  minExclusions: 1_000,
  exclusionShare: 1,
  minFailures: 1_000,
  failureShare: 1,
}

export interface Policies {
  readonly health: HealthPolicy
  readonly incident: IncidentPolicy
}

/** Incidents hardly ever, or at every turn. */
export const policiesArbitrary: fc.Arbitrary<Policies> = fc
  .tuple(fc.constantFrom(QUICK, DEFAULT_HEALTH_POLICY), fc.boolean())
  .map(([health, nervous]) => ({
    health,
    incident: nervous
      ? { minExclusions: 2, exclusionShare: 0, minFailures: 2, failureShare: 0.3 }
      : DEFAULT_INCIDENT_POLICY,
  }))

export type Step =
  | { readonly do: 'acquire'; readonly of: readonly number[]; readonly domain: string }
  | {
      readonly do: 'settle'
      readonly lease: number
      readonly kind: OutcomeKind
      readonly retryAfterMs?: number
    }
  | { readonly do: 'move'; readonly ms: number }
  | { readonly do: 'exclude'; readonly exit: string; readonly domain: string; readonly ms: number }
  | { readonly do: 'restore'; readonly exit: string; readonly domain: string }

const domainArbitrary = fc.constantFrom(...DOMAINS)
const kindArbitrary = fc.constantFrom<OutcomeKind>(
  'ok',
  'ok',
  'rate_limited',
  'challenged',
  'blocked',
  'blocked',
  'target_error',
  'agent_error',
  'neutral',
)
const everywhereArbitrary = fc.constantFrom(...DOMAINS, ...DOMAINS, '*')

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('acquire' as const),
      of: fc.array(fc.nat(AGENTS.length - 1), { minLength: 1, maxLength: 4 }),
      domain: domainArbitrary,
    }),
  },
  {
    weight: 9,
    arbitrary: fc.oneof(
      fc.record({ do: fc.constant('settle' as const), lease: fc.nat(12), kind: kindArbitrary }),
      fc.record({
        do: fc.constant('settle' as const),
        lease: fc.nat(12),
        kind: fc.constant('rate_limited' as const),
        retryAfterMs: fc.constantFrom(0, 4_000, 90_000, 9_000_000),
      }),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      ms: fc.constantFrom(-3_000, 1, 1_999, 2_000, 11_000, 31_000, 301_000, 1_300_000, 3_700_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('exclude' as const),
      exit: fc.constantFrom(...EXITS),
      domain: everywhereArbitrary,
      ms: fc.constantFrom(-1, 1_000, 15_000, 7_200_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('restore' as const),
      exit: fc.constantFrom(...EXITS),
      domain: everywhereArbitrary,
    }),
  },
)

/** The same dispatch and outcome several times over: what only a row of them brings about. */
const rowArbitrary: fc.Arbitrary<readonly Step[]> = fc
  .record({
    of: fc.nat(AGENTS.length - 1),
    domain: domainArbitrary,
    kind: kindArbitrary,
    times: fc.integer({ min: 1, max: 4 }),
    ms: fc.constantFrom(1, 2_400, 12_500, 31_000, 150_000),
  })
  .map(({ of, domain, kind, times, ms }) =>
    Array.from({ length: times }, (): Step[] => [
      { do: 'acquire', of: [of], domain },
      { do: 'settle', lease: 0, kind },
      { do: 'move', ms },
    ]).flat(),
  )

export const stepsArbitrary: fc.Arbitrary<readonly Step[]> = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: stepArbitrary.map((step): readonly Step[] => [step]) },
      { weight: 1, arbitrary: rowArbitrary },
    ),
    { minLength: 1, maxLength: 60, size: 'max' },
  )
  .map((parts) => parts.flat())

/** What a step came to. */
export interface Seen {
  readonly acquired?: {
    readonly answer: Acquired
    readonly lease?: Lease
    readonly of: readonly Candidate[]
    readonly domain: string
  }
  readonly settled?: {
    readonly answer: Settled
    readonly lease: Lease
    readonly kind: OutcomeKind
    readonly open: boolean
  }
}

/** A store and a clock that steps drive; keeps every lease it was ever given, so that they can be told twice and late. */
export class World {
  readonly store: MemoryHealth
  readonly policies: Policies
  readonly leases: Lease[] = []
  readonly open = new Set<string>()
  /** As the caller reads it; the store's own never goes back. */
  clockMs: number = START_MS
  nowMs: number = START_MS
  #next = 0

  constructor(policies: Policies, store: MemoryHealth = new MemoryHealth()) {
    this.policies = policies
    this.store = store
    this.move(0)
  }

  acquire(of: readonly Candidate[], domain: string, forMs = 60_000): Acquired {
    const leaseId = `l${this.#next++}`
    const { nowMs } = this
    const deadlineMs = nowMs + forMs
    const { health } = this.policies
    const answer = this.store.acquire({
      domain,
      candidates: of,
      leaseId,
      deadlineMs,
      nowMs: this.clockMs,
      viewVersion: 0,
      health,
    })
    if (answer.kind === 'acquired') {
      const { agentId, exit } = of[answer.index]
      const { epoch, probe } = answer
      this.leases.push({
        id: leaseId,
        agentId,
        exit,
        domain,
        epoch,
        pickedAtMs: nowMs,
        deadlineMs,
        probe,
      })
      this.open.add(leaseId)
    }
    return answer
  }

  settle(lease: Lease, kind: OutcomeKind, retryAfterMs?: number): Settled {
    const { health, incident } = this.policies
    this.open.delete(lease.id)
    return this.store.settle({
      lease,
      outcome: { kind, ...(retryAfterMs !== undefined && { retryAfterMs }) },
      nowMs: this.clockMs,
      viewVersion: 0,
      health,
      incident,
      breaker: DEFAULT_BREAKER_POLICY,
      exits: EXITS.length,
    })
  }

  move(ms: number): void {
    this.clockMs += ms
    this.nowMs = Math.max(this.nowMs, this.clockMs)
    // The store's time is the newest instant that it has decided at: it sees each.
    this.store.exclusions(DOMAINS[0], 0, this.clockMs)
  }

  step(step: Step): Seen {
    switch (step.do) {
      case 'acquire': {
        const of = step.of.map((i) => AGENTS[i])
        const answer = this.acquire(of, step.domain)
        const lease = answer.kind === 'acquired' ? this.leases.at(-1) : undefined
        return { acquired: { answer, of, domain: step.domain, ...(lease && { lease }) } }
      }
      case 'settle': {
        // Counted from the newest, so that most reports are of late leases, and some of old ones.
        const lease = this.leases.at(-1 - step.lease)
        if (lease === undefined) return {}
        const open = this.open.has(lease.id) && this.nowMs < lease.deadlineMs
        const answer = this.settle(lease, step.kind, step.retryAfterMs)
        return { settled: { answer, lease, kind: step.kind, open } }
      }
      case 'move':
        this.move(step.ms)
        return {}
      case 'exclude':
        this.store.exclude(step.exit, step.domain, this.nowMs + step.ms, this.clockMs)
        return {}
      case 'restore':
        this.store.restore(step.exit, step.domain, this.clockMs)
        return {}
      default:
        return step satisfies never
    }
  }

  record(exit: string, domain: string): PairRecord | null {
    const { changes } = this.store.exclusions(domain, 0, this.clockMs)
    return changes.find((change) => change.exit === exit)?.record ?? null
  }

  /** Every record, by `exit domain`. */
  records(): Map<string, PairRecord> {
    const all = new Map<string, PairRecord>()
    for (const domain of DOMAINS) {
      for (const { exit, record } of this.store.exclusions(domain, 0, this.clockMs).changes) {
        if (record !== null) all.set(`${exit} ${domain}`, record)
      }
    }
    return all
  }

  incident(domain: string): boolean {
    return this.store.exclusions(domain, 0, this.clockMs).incident !== null
  }
}
