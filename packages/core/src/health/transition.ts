import type { HealthPolicy, OutcomeKind, PairRecord } from './record.ts'
import { excludedUntilMs, lastLimitedRung } from './ladder.ts'
import { LATE_REPORT_MS, MOST_COUNTED, MOST_EPOCH, stateAt } from './record.ts'

/** What a lease's dispatch came to, as the pair sees it. */
export interface OutcomeEvent {
  readonly kind: 'outcome'
  readonly outcome: { readonly kind: OutcomeKind; readonly retryAfterMs?: number }
  /** The lease's. */
  readonly epoch: number
  readonly leaseId: string
  /** A domain incident is open: rungs do not climb, new exclusions are limited ones, strikes freeze. */
  readonly capped: boolean
  readonly exit: string
  readonly domain: string
}

/** All that can happen to a pair. Time is not among it: that is `nowMs`. */
export type PairEvent =
  | OutcomeEvent
  /** A probe was given out; counts only for a pair on probation. */
  | { readonly kind: 'probe'; readonly leaseId: string; readonly deadlineMs: number }
  /** Excluded by hand. The newest word counts, so it may also shorten an earlier one. */
  | { readonly kind: 'exclude'; readonly untilMs: number }
  /** Restored by hand: available, no strikes; reports of older leases do not count. */
  | { readonly kind: 'restore' }

/**
 * A pair's record after an event. Pure and total; the same object comes back when nothing changed (null stays null).
 * An outcome of an older epoch does nothing but release its own probe; an exclusion under way is never shortened by an outcome.
 */
export function transition(
  record: PairRecord | null,
  event: PairEvent,
  nowMs: number,
  policy: HealthPolicy,
): PairRecord | null {
  const known = record === null || nowMs >= record.forgetAtMs ? null : record
  switch (event.kind) {
    case 'outcome':
      return afterOutcome(known, event, nowMs, policy)
    case 'probe': {
      const state = stateAt(known, nowMs)
      if (known === null || state.health !== 'unavailable' || state.phase !== 'probation')
        return known
      const probe = { leaseId: event.leaseId, deadlineMs: event.deadlineMs }
      return kept({ ...known, probe }, nowMs, policy)
    }
    case 'exclude': {
      const before = known ?? BLANK
      const manual = { untilMs: event.untilMs }
      return kept({ ...before, manual, epoch: raised(before.epoch) }, nowMs, null)
    }
    case 'restore':
      return kept({ ...BLANK, epoch: raised(known?.epoch ?? 0) }, nowMs, null)
    default:
      return event satisfies never
  }
}

/** What is known of a pair of which nothing is known. */
const BLANK: PairRecord = {
  health: 'available',
  rung: 0,
  untilMs: 0,
  epoch: 0,
  strikes: 0,
  strikeAtMs: 0,
  okStreak: 0,
  limitedStreak: 0,
  reason: 'manual',
  forgetAtMs: 0,
}

function raised(epoch: number): number {
  return Math.min(epoch + 1, MOST_EPOCH)
}

function afterOutcome(
  record: PairRecord | null,
  event: OutcomeEvent,
  nowMs: number,
  policy: HealthPolicy,
): PairRecord | null {
  // Fencing: what an older lease saw, the exclusion since then already knows.
  if (record !== null && event.epoch < record.epoch) return released(record, event.leaseId, nowMs)
  const { kind } = event.outcome
  switch (kind) {
    case 'ok':
      return record === null ? null : afterOk(record, event, nowMs, policy)
    case 'target_error':
    case 'agent_error':
    case 'neutral':
      return record === null ? null : released(record, event.leaseId, nowMs)
    case 'rate_limited':
      return afterRateLimited(decayed(record ?? BLANK, nowMs, policy), event, nowMs, policy)
    case 'challenged':
    case 'blocked':
      return afterBlock(decayed(record ?? BLANK, nowMs, policy), event, kind, nowMs, policy)
    default:
      return kind satisfies never
  }
}

/** True where the lease holds the pair's probe, and in time. */
function holdsProbe(record: PairRecord, leaseId: string, nowMs: number): boolean {
  return record.probe?.leaseId === leaseId && nowMs < record.probe.deadlineMs
}

function released(record: PairRecord, leaseId: string, nowMs: number): PairRecord {
  return holdsProbe(record, leaseId, nowMs) ? withoutProbe(record) : record
}

function withoutProbe(record: PairRecord): PairRecord {
  const { probe: _, ...rest } = record
  return rest
}

function afterOk(
  record: PairRecord,
  event: OutcomeEvent,
  nowMs: number,
  policy: HealthPolicy,
): PairRecord {
  const won = holdsProbe(record, event.leaseId, nowMs)
  // An epoch that the pair has not reached is of a record that is forgotten: its ok says nothing of this one.
  if (event.epoch > record.epoch) return released(record, event.leaseId, nowMs)
  if (!won && stateAt(record, nowMs).health !== 'available') return record
  const before = decayed(record, nowMs, policy)
  if (!won && before.strikes === 0 && before.limitedStreak === 0) return record
  const okStreak = Math.min(before.okStreak + 1, policy.okStreakToForget)
  const forgiven = okStreak >= policy.okStreakToForget
  const after: PairRecord = {
    ...before,
    rung: forgiven ? 0 : before.rung,
    strikes: forgiven ? 0 : before.strikes,
    okStreak,
    limitedStreak: 0,
  }
  if (!won) return kept(after, nowMs, policy)
  // Strikes go on decaying from where they were: an untilMs of 0 must not move that back.
  const strikeAtMs = Math.max(before.untilMs, before.strikeAtMs)
  return kept(
    withoutProbe({ ...after, health: 'available', untilMs: 0, strikeAtMs }),
    nowMs,
    policy,
  )
}

/** One strike fewer per `strikeDecayMs` since the exclusion's end and the last strike; the rung falls by as many. */
function decayed(record: PairRecord, nowMs: number, policy: HealthPolicy): PairRecord {
  if (record.strikes === 0) return record.rung === 0 ? record : { ...record, rung: 0 }
  const sinceMs = Math.max(record.untilMs, record.strikeAtMs)
  const steps = Math.floor((nowMs - sinceMs) / policy.strikeDecayMs)
  if (steps <= 0) return record
  const strikes = Math.max(0, record.strikes - steps)
  const rung = strikes === 0 ? 0 : Math.max(0, record.rung - steps)
  return { ...record, strikes, rung, strikeAtMs: sinceMs + steps * policy.strikeDecayMs }
}

function afterBlock(
  record: PairRecord,
  event: OutcomeEvent,
  reason: 'challenged' | 'blocked',
  nowMs: number,
  policy: HealthPolicy,
): PairRecord {
  const top = policy.ladder.length
  const lastLimited = lastLimitedRung(policy)
  const firstUnavailable = Math.min(lastLimited + 1, top)
  // A failed probe never makes a pair milder than it was.
  const atLeast = reason === 'blocked' || record.health === 'unavailable' ? firstUnavailable : 1
  const climbed = Math.min(top, Math.max(record.rung + 1, atLeast))
  const before = { ...record, reason, limitedStreak: 0 }
  if (!event.capped) {
    const { health, durationMs } = policy.ladder[climbed - 1]
    const struck = { ...before, ...strike(record, nowMs), rung: climbed }
    return excluded(struck, event, health, durationMs, nowMs, policy)
  }
  if (record.health === 'unavailable') {
    // A record may outlive the policy that made it: its rung may be beyond this ladder's top.
    const rung = Math.min(top, Math.max(record.rung, firstUnavailable))
    const { durationMs } = policy.ladder[rung - 1]
    return excluded(before, event, 'unavailable', durationMs, nowMs, policy)
  }
  const durationMs = limitedMs(Math.min(climbed, lastLimited), policy)
  return excluded(before, event, 'limited', durationMs, nowMs, policy)
}

/** So many rate limits in a row are a strike. */
const PATIENCE = 3
const LEAST_RETRY_MS = 1_000
const MOST_RETRY_MS = 3_600_000

function afterRateLimited(
  record: PairRecord,
  event: OutcomeEvent,
  nowMs: number,
  policy: HealthPolicy,
): PairRecord {
  const limitedStreak = Math.min(record.limitedStreak + 1, MOST_COUNTED)
  const askedMs = event.outcome.retryAfterMs ?? 0
  const retryMs = Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, Math.ceil(askedMs) || 0))
  let durationMs = Math.max(policy.rateLimitedMs, retryMs)
  let after: PairRecord = { ...record, limitedStreak, reason: 'rate_limited' }
  if (limitedStreak >= PATIENCE) {
    const climbed = Math.min(record.rung + 1, lastLimitedRung(policy))
    durationMs = Math.max(durationMs, limitedMs(climbed, policy))
    if (!event.capped) {
      const rung = record.health === 'unavailable' ? record.rung : Math.max(record.rung, climbed)
      after = { ...after, ...strike(record, nowMs), rung }
    }
  }
  const health = record.health === 'unavailable' ? 'unavailable' : 'limited'
  return excluded(after, event, health, durationMs, nowMs, policy)
}

/** What one more strike sets. */
function strike(
  record: PairRecord,
  nowMs: number,
): Pick<PairRecord, 'strikes' | 'strikeAtMs' | 'okStreak'> {
  return {
    strikes: Math.min(record.strikes + 1, MOST_COUNTED),
    strikeAtMs: Math.max(record.strikeAtMs, nowMs),
    okStreak: 0,
  }
}

/** How long a limited rung excludes; a ladder without one rests a pair as after a rate limit. */
function limitedMs(rung: number, policy: HealthPolicy): number {
  return rung < 1 ? policy.rateLimitedMs : policy.ladder[rung - 1].durationMs
}

/** Enters an exclusion: a new epoch, a later end, never a milder state than one under way. */
function excluded(
  record: PairRecord,
  event: OutcomeEvent,
  health: 'limited' | 'unavailable',
  durationMs: number,
  nowMs: number,
  policy: HealthPolicy,
): PairRecord {
  const epoch = raised(Math.max(record.epoch, event.epoch))
  const untilMs = Math.max(
    record.untilMs,
    excludedUntilMs(nowMs, durationMs, policy, event.exit, event.domain, epoch),
  )
  const after: PairRecord = { ...record, health, epoch, untilMs }
  // Another lease's probe stays on its way: its pair gets no second one before it has ended.
  const { probe } = record
  const own = probe !== undefined && (probe.leaseId === event.leaseId || nowMs >= probe.deadlineMs)
  return kept(own ? withoutProbe(after) : after, nowMs, policy)
}

const MINUTE_MS = 60_000
/** Four bytes of minutes: the year 10136. */
const MOST_MINUTES = 0xffff_ffff

/**
 * Drops what has run out, and sets from when the record says nothing: an hour after its newest event and all that it still
 * announces, strikes decayed. `policy` is null where the event gives no strike: what stood before stands.
 */
function kept(record: PairRecord, nowMs: number, policy: HealthPolicy | null): PairRecord {
  const { untilMs, strikeAtMs, strikes, probe, manual } = record
  const probeMs = probe === undefined ? 0 : probe.deadlineMs
  const manualMs = manual === undefined ? 0 : manual.untilMs
  let forgetAtMs = Math.max(nowMs, untilMs, probeMs, manualMs) + LATE_REPORT_MS
  if (policy === null) forgetAtMs = Math.max(forgetAtMs, record.forgetAtMs)
  else if (strikes > 0) {
    forgetAtMs = Math.max(
      forgetAtMs,
      Math.max(untilMs, strikeAtMs) + strikes * policy.strikeDecayMs,
    )
  }
  // Field by field: a rest pattern costs more than all the rest of the transition.
  const after: { -readonly [K in keyof PairRecord]: PairRecord[K] } = {
    health: record.health,
    rung: record.rung,
    untilMs,
    epoch: record.epoch,
    strikes,
    strikeAtMs,
    okStreak: record.okStreak,
    limitedStreak: record.limitedStreak,
    reason: record.reason,
    forgetAtMs: Math.min(Math.ceil(forgetAtMs / MINUTE_MS), MOST_MINUTES) * MINUTE_MS,
  }
  if (probe !== undefined && nowMs < probeMs) after.probe = probe
  if (manual !== undefined && nowMs < manualMs) after.manual = manual
  return after
}
