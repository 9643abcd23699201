/** What a dispatch came to, as the caller saw it (DESIGN's table of outcomes). */
export type OutcomeKind =
  | 'ok'
  | 'rate_limited'
  | 'challenged'
  | 'blocked'
  | 'target_error'
  | 'agent_error'
  | 'neutral'

/** The health of an (exit, domain) pair. */
export type Health = 'available' | 'limited' | 'unavailable'

/** Why a pair is excluded. */
export type ExclusionReason = 'rate_limited' | 'challenged' | 'blocked' | 'manual'

/**
 * All that is known of an (exit, domain) pair; no record means available, epoch 0.
 * `health` is what the last transition set; what holds now is `stateAt(record, nowMs)`.
 */
export interface PairRecord {
  readonly health: Health
  /** 0 (none) or the step of the ladder, from 1, that the next strike climbs from. */
  readonly rung: number
  /** Excluded before this instant; 0 when a probe, or a restore, cleared it. */
  readonly untilMs: number
  /** Raised on entering an exclusion: reports of older leases no longer count. */
  readonly epoch: number
  readonly strikes: number
  /** The instant of the newest strike: strikes decay from max(untilMs, strikeAtMs) on. */
  readonly strikeAtMs: number
  /** Oks since the last strike, 0 to 3. */
  readonly okStreak: number
  /** rate_limited outcomes in a row. */
  readonly limitedStreak: number
  readonly reason: ExclusionReason
  /** The one trial dispatch under way, on an unavailable pair past its untilMs. */
  readonly probe?: { readonly leaseId: string; readonly deadlineMs: number }
  /** A manual exclusion: outranks all that reports say before `untilMs`. */
  readonly manual?: { readonly untilMs: number }
}

/**
 * A pair at an instant. `probation`: past its untilMs, one probe may go; `probing`: that probe is on its way.
 * `untilMs` is when the pair is next pickable if nothing else happens.
 */
export type PairState =
  | { readonly health: 'available' }
  | { readonly health: 'limited'; readonly untilMs: number; readonly reason: ExclusionReason }
  | {
      readonly health: 'unavailable'
      readonly phase: 'excluded' | 'probation' | 'probing'
      readonly untilMs: number
      readonly reason: ExclusionReason
    }

/** One step of the exclusion ladder. */
export interface Rung {
  readonly health: 'limited' | 'unavailable'
  readonly durationMs: number
}

/** Every number that `transition` uses. Checked once, by the scheduler's constructor. */
export interface HealthPolicy {
  /** Default: limited 30 s, limited 2 min, unavailable 5, 20 and 60 min. Durations never decrease, limited comes first. */
  readonly ladder: readonly Rung[]
  /** Least exclusion after rate_limited, in ms. Default 30_000. */
  readonly rateLimitedMs: number
  /** Strikes forgotten: one per this many ms without a new one. Default 3_600_000. */
  readonly strikeDecayMs: number
  /** Oks after which strikes are forgotten. Default 3. */
  readonly okStreakToForget: number
  /** Share of untilMs's duration added as jitter, at most. Default 0.2. */
  readonly jitter: number
}
