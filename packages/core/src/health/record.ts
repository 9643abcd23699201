/** What a dispatch came to, as the caller saw it (the table of outcomes in docs/semantics.md). */
export type OutcomeKind =
  'ok' | 'rate_limited' | 'challenged' | 'blocked' | 'target_error' | 'agent_error' | 'neutral'

/** The health of an (exit, domain) pair. */
export type Health = 'available' | 'limited' | 'unavailable'

/** Why a pair is excluded. */
export type ExclusionReason = 'rate_limited' | 'challenged' | 'blocked' | 'manual'

/** The single trial dispatch that is on its way to bring an unavailable pair back. */
export interface Probe {
  readonly leaseId: string
  readonly deadlineMs: number
}

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
  /** Raised on entering an exclusion: reports of older leases no longer count. At most 2^32-1. */
  readonly epoch: number
  /** Counted blocks, 0 to 255. */
  readonly strikes: number
  /** The instant of the newest strike or decay: strikes decay from max(untilMs, strikeAtMs) on. */
  readonly strikeAtMs: number
  /** Oks since the last strike, 0 to `okStreakToForget`. */
  readonly okStreak: number
  /** rate_limited outcomes in a row, 0 to 255. */
  readonly limitedStreak: number
  readonly reason: ExclusionReason
  /**
   * From this instant on the record says nothing any more: the pair is available, its epoch 0, and a store drops it unasked.
   * At least LATE_REPORT_MS after the newest event and exclusion; a whole minute, so that it packs into four bytes.
   */
  readonly forgetAtMs: number
  /** The one trial dispatch under way, on an unavailable pair past its untilMs. */
  readonly probe?: Probe
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

/** A lease may bring a block this long after its pick; its pair's epoch is remembered for as long. */
export const LATE_REPORT_MS = 3_600_000

/** Strikes and streaks stop counting here: one byte each in a store. */
export const MOST_COUNTED = 255

/** Epochs stop here: four bytes in a store. */
export const MOST_EPOCH = 0xffff_ffff

const AVAILABLE: PairState = { health: 'available' }

/** What holds for a pair at an instant. Pure; no record, or one past its `forgetAtMs`, is available. */
export function stateAt(record: PairRecord | null, nowMs: number): PairState {
  if (record === null || nowMs >= record.forgetAtMs) return AVAILABLE
  const { manual } = record
  if (manual === undefined || nowMs >= manual.untilMs) return reportedState(record, nowMs)
  // What reports said may outlast the manual exclusion: the pair is pickable when both have passed.
  const beneath = reportedState(record, manual.untilMs)
  const untilMs =
    beneath.health === 'available' ? manual.untilMs : Math.max(manual.untilMs, beneath.untilMs)
  return { health: 'unavailable', phase: 'excluded', untilMs, reason: 'manual' }
}

/** The state that reports alone make, without the manual exclusion. */
function reportedState(record: PairRecord, nowMs: number): PairState {
  const { untilMs, reason, probe } = record
  switch (record.health) {
    case 'available':
      return AVAILABLE
    case 'limited':
      return nowMs < untilMs ? { health: 'limited', untilMs, reason } : AVAILABLE
    case 'unavailable': {
      const probeUntilMs = probe === undefined ? 0 : probe.deadlineMs
      if (nowMs < untilMs) {
        const freeAtMs = Math.max(untilMs, probeUntilMs)
        return { health: 'unavailable', phase: 'excluded', untilMs: freeAtMs, reason }
      }
      if (nowMs < probeUntilMs) {
        return { health: 'unavailable', phase: 'probing', untilMs: probeUntilMs, reason }
      }
      return { health: 'unavailable', phase: 'probation', untilMs, reason }
    }
    default:
      return record.health satisfies never
  }
}

/** True where an ordinary dispatch may go, or the probe. */
export function isPickable(state: PairState): boolean {
  if (state.health === 'available') return true
  return state.health === 'unavailable' && state.phase === 'probation'
}

/** The outcomes that exclude a pair: they count even when they come late. */
export function isExclusion(kind: OutcomeKind): boolean {
  return kind === 'blocked' || kind === 'challenged' || kind === 'rate_limited'
}

const SEVERITY = { available: 0, limited: 1, unavailable: 2 } as const
const WEIGHT = { rate_limited: 0, challenged: 1, blocked: 2, manual: 3 } as const

/**
 * Merges two copies of a pair's record by maximum: commutative, associative, idempotent, so that any order and any repetition
 * of merges give the same. The higher epoch wins whole. Of equal epochs each field is the larger: the graver health, the later
 * instant, the higher count, the graver reason (manual, blocked, challenged, rate_limited), the probe with the later deadline
 * (then the greater lease id). So where only one copy has seen the probe's ok, the pair goes on probation once more.
 */
export function join(a: PairRecord | null, b: PairRecord | null): PairRecord | null {
  if (a === null || b === null) return a ?? b
  if (a.epoch !== b.epoch) return a.epoch > b.epoch ? a : b
  const probe = laterProbe(a.probe, b.probe)
  const manualUntilMs = Math.max(a.manual?.untilMs ?? -1, b.manual?.untilMs ?? -1)
  return {
    health: SEVERITY[a.health] >= SEVERITY[b.health] ? a.health : b.health,
    rung: Math.max(a.rung, b.rung),
    untilMs: Math.max(a.untilMs, b.untilMs),
    epoch: a.epoch,
    strikes: Math.max(a.strikes, b.strikes),
    strikeAtMs: Math.max(a.strikeAtMs, b.strikeAtMs),
    okStreak: Math.max(a.okStreak, b.okStreak),
    limitedStreak: Math.max(a.limitedStreak, b.limitedStreak),
    reason: WEIGHT[a.reason] >= WEIGHT[b.reason] ? a.reason : b.reason,
    forgetAtMs: Math.max(a.forgetAtMs, b.forgetAtMs),
    ...(probe !== undefined && { probe }),
    ...(manualUntilMs >= 0 && { manual: { untilMs: manualUntilMs } }),
  }
}

/** Whether two records say the same, field by field. */
export function sameRecord(a: PairRecord, b: PairRecord): boolean {
  return (
    a.health === b.health &&
    a.rung === b.rung &&
    a.untilMs === b.untilMs &&
    a.epoch === b.epoch &&
    a.strikes === b.strikes &&
    a.strikeAtMs === b.strikeAtMs &&
    a.okStreak === b.okStreak &&
    a.limitedStreak === b.limitedStreak &&
    a.reason === b.reason &&
    a.forgetAtMs === b.forgetAtMs &&
    a.probe?.leaseId === b.probe?.leaseId &&
    a.probe?.deadlineMs === b.probe?.deadlineMs &&
    a.manual?.untilMs === b.manual?.untilMs
  )
}

function laterProbe(a: Probe | undefined, b: Probe | undefined): Probe | undefined {
  if (a === undefined || b === undefined) return a ?? b
  if (a.deadlineMs !== b.deadlineMs) return a.deadlineMs > b.deadlineMs ? a : b
  return a.leaseId >= b.leaseId ? a : b
}
