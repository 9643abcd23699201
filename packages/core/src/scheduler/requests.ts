import type { Agent } from '../pick/agent.ts'
import type { WalkCause } from '../pick/exhaustion.ts'
import type { ExclusionReason, Health, PairState } from '../health/record.ts'
import type { Lease, Verdict } from '../store/store.ts'

/** What an embedder asks of `admit` and `peek`. */
export interface AdmitRequest {
  /** 1 to 128 bytes, no control characters, no lone surrogates. */
  readonly key: string
  readonly tier: string
  /** An integer from 1 to 2^31-1. Default 1. */
  readonly cost?: number
  /** Takes a concurrency slot of the key together with the policies, or nothing at all. */
  readonly permit?: { readonly ttlMs: number }
  /** Names the call: repeating an admitted one gives the same decision and counts once. 1 to 128 bytes. */
  readonly opId?: string
}

/** A held concurrency slot. */
export interface Permit {
  readonly id: string
  readonly key: string
  readonly deadlineMs: number
}

/** What a limiter answered. A refusal is a value: `allowed: false`, and when to come back. */
export interface Decision extends Verdict {
  readonly key: string
  readonly tier: string
  readonly cost: number
  readonly opId?: string
  readonly permit?: Permit
  /** Which store decided; `local` when it could not be asked. */
  readonly source: string
  readonly degraded: boolean
}

/** What an embedder asks of `pick` and `explain`. Exactly one of `url` and `domain`. */
export interface PickRequest {
  readonly url?: string
  readonly domain?: string
  /** A hint in the grammar of `parseGeo`: `DE`, `DE,AT`, `US-CA`, `48.21,16.37`, `EU`, with `;strict`, `;radius=500`, `-GB`. */
  readonly geo?: string
  /** Picks of one session keep their agent while it is eligible. 1 to 128 bytes. */
  readonly session?: string
  /** Agent ids to pass over, at most 1,000. */
  readonly avoid?: readonly string[]
  /** Only these agent ids, at most 1,000. */
  readonly pin?: readonly string[]
  /** Only agents with all of these tags, at most 16. */
  readonly tags?: readonly string[]
  /** An unsigned 32-bit integer; default: drawn from the scheduler's `random`. */
  readonly seed?: number
  /** When the lease ends if nothing is reported. Default now + leaseMs; at most an hour ahead. */
  readonly deadlineMs?: number
}

/** Why nothing was picked: by the walk, or because an incident of the domain is open and `incidentInFlight` dispatches are under way. */
export type ExhaustedCause = WalkCause | 'incident'

/** How many agents of the whole fleet stand where, at the instant of a refusal. */
export interface PickCounts {
  readonly agents: number
  /** Up, and excluded for the domain, those on probation among them. */
  readonly excluded: number
  /** Drained or resting. */
  readonly down: number
  /** Without a free slot. */
  readonly busy: number
}

export interface Picked {
  readonly kind: 'picked'
  readonly agent: Agent
  readonly lease: Lease
  /** From the centre of the hint to the agent; null without a hint that has a centre, or an agent without a place. */
  readonly distanceKm: number | null
  /** The step of the walk that gave it: `DE`, `AT/Vienna`, `anywhere`. */
  readonly locality: string
  readonly probe: boolean
  /** Which store decided; `local` when it could not be asked. */
  readonly source: string
  readonly degraded: boolean
}

export interface Exhausted {
  readonly kind: 'exhausted'
  readonly cause: ExhaustedCause
  /** The first instant at which, if nothing else happens, the same pick succeeds; null where time alone cannot help. */
  readonly retryAtMs: number | null
  readonly counts: PickCounts
  /** Which store decided; `local` when it could not be asked. */
  readonly source: string
  readonly degraded: boolean
}

export type PickResult = Picked | Exhausted

/** Why a candidate was kept or dropped. */
export type CandidateReason =
  | 'picked'
  /** Drawn, and the other one had less load for its weight and latency, or was picked longer ago. */
  | 'busier'
  | 'excluded'
  | 'probation'
  | 'probing'
  | 'drained'
  | 'resting'
  | 'full'
  | 'avoided'
  | 'not_pinned'
  | 'tag_missing'
  | 'too_far'
  /** Eligible, and not drawn. */
  | 'not_drawn'

export interface ExplainedCandidate {
  readonly agent: Agent
  readonly reason: CandidateReason
  readonly locality: string
  readonly distanceKm: number | null
  readonly state: PairState
  readonly inFlight: number
  readonly latencyMs: number | null
}

/** A step that the walk visited, nearest first. total = available + excluded + down. */
export interface ExplainedLocality {
  readonly name: string
  readonly distanceKm: number | null
  readonly total: number
  readonly available: number
  readonly excluded: number
  readonly down: number
  /** Of the available: without a free slot. */
  readonly busy: number
}

interface Shown {
  /** Every step visited, in order; at most 100 are listed. */
  readonly localities: readonly ExplainedLocality[]
  /** At most 20: those drawn first, then others of the visited steps. */
  readonly candidates: readonly ExplainedCandidate[]
}

export type Explained = (Omit<Picked, 'lease'> & Shown) | (Exhausted & Shown)

/** A page of `health(domain)`. */
export interface DomainHealth {
  readonly domain: string
  readonly counts: {
    readonly available: number
    readonly limited: number
    readonly unavailable: number
  }
  readonly incident?: { readonly openedAtMs: number }
  /** The next instant at which an excluded pair is pickable again; null when none is excluded. */
  readonly nextRecoveryAtMs: number | null
  /** Agents that are not available, by id; a page of at most `limit`. */
  readonly agents: readonly {
    readonly id: string
    readonly exit: string
    readonly health: Exclude<Health, 'available'>
    /** Why; `agent_error` for an agent that rests after errors of its own. */
    readonly reason: ExclusionReason | 'agent_error'
    /** When it may be picked again if nothing else happens. In the past for a pair on probation. */
    readonly untilMs: number
  }[]
  /** Where the next page begins; null on the last. */
  readonly next: number | null
}
