import type { Clock } from '../clock.ts'
import type { AgentBreaker, BreakerPolicy } from '../health/breaker.ts'
import type { Incident, IncidentPolicy } from '../health/incident.ts'
import type { HealthPolicy, OutcomeKind, PairRecord } from '../health/record.ts'
import type { ResolvedPolicy } from '../limit/policy.ts'
import type { StoredAgent } from '../pick/agent.ts'
import type { Gate } from './gate.ts'
import type { BeginRequest, Begun, CompleteRequest } from './idempotency.ts'

export type Mode = 'sync' | 'async'

/** A value from a synchronous store, a promise of it from an asynchronous one. `await` fits both. */
export type Result<M extends Mode, T> = M extends 'sync' ? T : Promise<T>

// ---- limits ------------------------------------------------------------------------------------

/** A permit to take together with the policies: one of `cap`, held until released or `deadlineMs`. */
export interface PermitRequest {
  readonly id: string
  readonly cap: number
  readonly deadlineMs: number
}

export interface ConsumeRequest {
  /** Checked by the scheduler: 1 to 128 bytes of well-formed UTF-8 without control characters. */
  readonly key: string
  readonly policies: readonly ResolvedPolicy[]
  /** An integer from 1 to 2^31-1. */
  readonly cost: number
  readonly nowMs: number
  readonly permit?: PermitRequest
  /** Names the call, so that repeating it is safe. 1 to 128 bytes. */
  readonly opId?: string
}

/**
 * What a store answers to a consume or a peek.
 * `policy` is the binding one: of a denial the one that holds out longest, of an admission the one with least left
 * (the first of equals); `permits` when it is the permit, `none` for a tier without policies.
 */
export interface Verdict {
  readonly allowed: boolean
  readonly policy: string
  readonly limit: number
  /** Cost left in the binding policy after this call; 0 or more. */
  readonly remaining: number
  /** When the binding policy's whole limit is restored: newest hit + windowMs, or `atMs` if there is none. */
  readonly resetAtMs: number
  /** 0 when allowed; else ms until this same call would be admitted; -1 where it never can be (cost > limit). */
  readonly retryAfterMs: number
  /** The instant the store decided at: max(nowMs, its newest). A refund names it. */
  readonly atMs: number
  /** Set where a scheduler's fallback decided, because the store was out of reach. */
  readonly degraded?: boolean
}

export interface RefundRequest {
  readonly key: string
  readonly policies: readonly ResolvedPolicy[]
  readonly cost: number
  /** `atMs` of the verdict that is given back. */
  readonly atMs: number
  readonly nowMs: number
  readonly opId?: string
  /** `degraded` of the verdict: a scheduler's fallback gives back what a fallback counted. No store sees one. */
  readonly degraded?: boolean
}

/** What a key has used of one policy (or of its permits) now. */
export interface Usage {
  readonly policy: string
  readonly limit: number
  readonly used: number
  readonly remaining: number
  readonly resetAtMs: number
}

// ---- health ------------------------------------------------------------------------------------

/** An agent that the caller's walk chose; the store has the last word. */
export interface Candidate {
  readonly agentId: string
  readonly exit: string
  readonly maxConcurrency: number
}

export interface AcquireRequest {
  readonly domain: string
  /** In order of preference, 1 to 16. */
  readonly candidates: readonly Candidate[]
  readonly leaseId: string
  readonly deadlineMs: number
  readonly nowMs: number
  /** The version of the domain that the caller's view has seen. */
  readonly viewVersion: number
  readonly health: HealthPolicy
}

/** One dispatch to one agent for one domain. Plain data: it may travel to another process and be reported there. */
export interface Lease {
  readonly id: string
  readonly agentId: string
  readonly exit: string
  readonly domain: string
  readonly epoch: number
  readonly pickedAtMs: number
  readonly deadlineMs: number
  readonly probe: boolean
}

/** A pair as it is now; `record: null` means that nothing is known of it any more: available. */
export interface Change {
  readonly exit: string
  readonly record: PairRecord | null
}

/** What a view needs to follow a domain. `reset`: forget all you have, `changes` is the whole. */
export interface Changes {
  readonly version: number
  readonly reset: boolean
  readonly changes: readonly Change[]
  readonly incident: Incident | null
  /**
   * The store is not the one that gave `sinceVersion`, or has lost what it decided since (emptied, restored, failed over): always
   * with `reset`. What the caller knows may be told again, by `merge`.
   */
  readonly lost?: true
}

export type Acquired =
  | {
      readonly kind: 'acquired'
      /** Which candidate. */
      readonly index: number
      readonly epoch: number
      readonly probe: boolean
      readonly changes: Changes
      /** See `Settled`. */
      readonly fleetVersion?: number
      readonly degraded?: boolean
    }
  /** `busyUntilMs[i]`: candidate i has no free slot before then; 0 when its pair is excluded. */
  | {
      readonly kind: 'refused'
      readonly busyUntilMs: readonly number[]
      readonly changes: Changes
      readonly fleetVersion?: number
      readonly degraded?: boolean
    }

/** What came of a dispatch. */
export interface Outcome {
  readonly kind: OutcomeKind
  /** What showed it, for people; at most 500 characters are kept. */
  readonly evidence?: string
  /** What the target asked for, in ms from now. Clamped to 1 s .. 1 h. */
  readonly retryAfterMs?: number
  /** How long the dispatch took; feeds the latency estimate. */
  readonly latencyMs?: number
}

export interface SettleRequest {
  readonly lease: Lease
  readonly outcome: Outcome
  readonly nowMs: number
  readonly viewVersion: number
  readonly health: HealthPolicy
  readonly incident: IncidentPolicy
  readonly breaker: BreakerPolicy
  /** Distinct exits in the fleet: the incident guard counts in shares of it. */
  readonly exits: number
}

/** What a report changed. */
export interface Settled {
  /**
   * `applied`; `stale` (older epoch, told twice, or told too late): slots are freed, and the pair stays as it is. A first report of
   * an older epoch is still heard by the domain's incident and the agent's breaker, which no epoch fences.
   */
  readonly kind: 'applied' | 'stale'
  /** Whether the pair's record is another than before. */
  readonly changed: boolean
  readonly record: PairRecord | null
  readonly breaker: AgentBreaker | null
  readonly changes: Changes
  /** The version of the fleet, from a store whose `agents` costs a round trip: a caller who is behind asks for them. */
  readonly fleetVersion?: number
  /** Set where a scheduler's fallback decided, because the store was out of reach. */
  readonly degraded?: boolean
}

// ---- agents ------------------------------------------------------------------------------------

export type AgentChange =
  | { readonly kind: 'put'; readonly agent: StoredAgent }
  | { readonly kind: 'removed'; readonly id: string }
  | { readonly kind: 'breaker'; readonly id: string; readonly breaker: AgentBreaker }
  /** A manual exclusion of an exit for every domain; `untilMs: 0` restores it. */
  | { readonly kind: 'exit'; readonly exit: string; readonly untilMs: number }

export interface AgentChanges {
  readonly version: number
  readonly reset: boolean
  readonly changes: readonly AgentChange[]
  /** As of `Changes`: agents that the caller still has may be put again. */
  readonly lost?: true
}

// ---- the contract ------------------------------------------------------------------------------

/**
 * What Ostler asks of a store. Each method is a whole atomic decision: it reads, decides and writes as one step, so that any
 * number of processes on one store act as one scheduler. The pure functions of `limit/` and `health/` say what each decision is;
 * a store carries them out. Deadlines are absolute. A store that decides on its own clock ignores `nowMs`; its time never goes
 * back: effective now is the larger of the reading and the newest instant it has decided at.
 * @throws OstlerError STORE_UNAVAILABLE when no decision can be had within the budget, CLOSED after `close`.
 */
export interface Store<M extends Mode = Mode> {
  readonly mode: M
  /** A short name for `source` in decisions, such as `memory`. */
  readonly name: string
  /** It lives in this process, and so is never out of reach: a scheduler keeps no fallback for it. */
  readonly local?: true
  /** The clock that the store decides by, as near as this process knows it: a scheduler that is given none reads this one. */
  readonly clock?: Clock

  /**
   * Admits the call if every policy and the permit, if one is asked for, has room; then all count it, else none changes.
   * Repeating an admitted `opId` within the longest window gives the same verdict and counts once; a denied call leaves no
   * trace, so its repeat is decided afresh. A permit id that is still held is extended, not counted twice.
   * When no record can be kept without losing a live one, over-counts (denies the flooder), never under-counts.
   * O(policies). @throws OstlerError STORE_FULL when an `opId` can't be remembered.
   */
  consume(request: ConsumeRequest): Result<M, Verdict>

  /** A faster way to the same decisions, from a store of this process: see `Gate`. @throws OstlerError STORE_FULL, CLOSED */
  gate?(policies: readonly ResolvedPolicy[]): Gate

  /** The verdict that `consume` would give now; changes nothing. An `opId` that was admitted gives its verdict again. */
  peek(request: ConsumeRequest): Result<M, Verdict>

  /**
   * Gives back what an admitted call used, where it still counts. False when nothing does: it has left the window, its op was
   * given back before, or the key does not know such a hit.
   */
  refund(request: RefundRequest): Result<M, boolean>

  /** What the key has used of each policy. Changes nothing. */
  usage(
    key: string,
    policies: readonly ResolvedPolicy[],
    nowMs: number,
  ): Result<M, readonly Usage[]>

  /** Permits held by a key. Changes nothing. */
  permits(key: string, nowMs: number): Result<M, number>

  /** Moves a held permit's deadline. False when it is no longer held (released, or past its deadline): it stays so. */
  renew(key: string, permitId: string, deadlineMs: number, nowMs: number): Result<M, boolean>

  /** Frees a held permit. False when it was not held. */
  release(key: string, permitId: string, nowMs: number): Result<M, boolean>

  /**
   * Gives the first candidate that the domain does not exclude at the store's time, and that has a free slot: takes the slot,
   * and the probe if the pair is on probation. Nothing is taken when there is none. Either way the answer carries what changed
   * since `viewVersion`. A slot frees itself at `deadlineMs`. Repeating a `leaseId` that is held gives the same answer.
   * O(candidates + changes).
   */
  acquire(request: AcquireRequest): Result<M, Acquired>

  /**
   * Frees the lease's slot and probe and applies its outcome: `observe` to the domain's incident (the outcome that opens one is
   * capped itself), `transition` to the pair, `trip` to the agent's breaker. Resolved means decided: from then on `acquire` knows it, in any process.
   * Told twice is told once. A lease past its deadline may still bring a block of the current epoch, within an hour of its pick.
   */
  settle(request: SettleRequest): Result<M, Settled>

  /** Excludes a pair by hand until `untilMs`, or an exit for every domain (`domain: '*'`). Raises the epoch. */
  exclude(exit: string, domain: string, untilMs: number, nowMs: number): Result<M, void>

  /** Clears a pair, or what `exclude(exit, '*')` set: available, strikes 0. Raises the epoch, so that older reports do not count. */
  restore(exit: string, domain: string, nowMs: number): Result<M, void>

  /** What changed in a domain since a version; everything since 0. Cheap when nothing did. O(changes). */
  exclusions(domain: string, sinceVersion: number, nowMs: number): Result<M, Changes>

  /**
   * A pair's record now, or null. For a store that keeps its records in this process: views then keep none of their own.
   * What it answers follows at once what the other methods have changed. O(1), changes nothing.
   */
  record?(exit: string, domain: string, nowMs: number): PairRecord | null

  /**
   * Joins records that the caller holds with the store's own, by maximum (`join`): what a fallback has decided while the store was out
   * of reach, or what the store has lost. In any order and any number of times it comes to the same. Nulls and records that say
   * nothing any more are passed over; a join that says nothing new is no change. At most 1,000 changes. O(changes).
   */
  merge(domain: string, changes: readonly Change[], nowMs: number): Result<M, void>

  /** Adds or replaces agents, in order: all or none. Each is one version further; answers the version then. */
  putAgents(agents: readonly StoredAgent[]): Result<M, number>

  /** Removes agents; unknown ids are passed over. Answers the version then. */
  removeAgents(ids: readonly string[]): Result<M, number>

  /** What changed in the fleet since a version; everything since 0. */
  agents(sinceVersion: number): Result<M, AgentChanges>

  /** Starts an idempotent operation, or says how an earlier one of this id stands. @throws OstlerError STORE_FULL */
  begin(request: BeginRequest): Result<M, Begun>

  /** Ends what `begin` started. False when it is not running under this fingerprint any more. */
  complete(request: CompleteRequest): Result<M, boolean>

  /**
   * Calls back when another process changed a domain, or the fleet (`'*'`); with null when changes may have been missed, so that all is
   * to be asked anew. A hint: views stay right without it. Answers how to end it.
   */
  subscribe?(onChange: (domain: string | null) => void): () => void

  /** Answers once the store can decide, that is read and write; else fails as any call does. Changes nothing. */
  ping?(): Result<M, void>

  /** Frees what the store holds. Later calls throw CLOSED; a second close does nothing. */
  close(): Result<M, void>
}
