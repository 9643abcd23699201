import type { HealthPolicy, OutcomeKind, PairRecord, Probe } from './record.ts'
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
      return kept(draftOf(known, probe, known.manual, nowMs), nowMs, policy)
    }
    case 'exclude': {
      const before = known ?? BLANK
      const after = draftOf(before, before.probe, { untilMs: event.untilMs }, nowMs)
      after.epoch = raised(before.epoch)
      return kept(after, nowMs, null)
    }
    case 'restore': {
      const after = draftOf(BLANK, undefined, undefined, nowMs)
      after.epoch = raised(known?.epoch ?? 0)
      return kept(after, nowMs, null)
    }
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
  const after = draftOf(before, won ? undefined : before.probe, before.manual, nowMs)
  after.okStreak = Math.min(before.okStreak + 1, policy.okStreakToForget)
  after.limitedStreak = 0
  if (after.okStreak >= policy.okStreakToForget) {
    after.rung = 0
    after.strikes = 0
  }
  if (won) {
    after.health = 'available'
    // Strikes go on decaying from where they were: an untilMs of 0 must not move that back.
    after.strikeAtMs = Math.max(before.untilMs, before.strikeAtMs)
    after.untilMs = 0
  }
  return kept(after, nowMs, policy)
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
  const after = draftOf(record, othersProbe(record, event), record.manual, nowMs)
  after.reason = reason
  after.limitedStreak = 0
  if (!event.capped) {
    const { health, durationMs } = policy.ladder[climbed - 1]
    strike(after, nowMs)
    after.rung = climbed
    return excluded(after, event, health, durationMs, nowMs, policy)
  }
  if (record.health === 'unavailable') {
    // A record may outlive the policy that made it: its rung may be beyond this ladder's top.
    const rung = Math.min(top, Math.max(record.rung, firstUnavailable))
    const { durationMs } = policy.ladder[rung - 1]
    return excluded(after, event, 'unavailable', durationMs, nowMs, policy)
  }
  const durationMs = limitedMs(Math.min(climbed, lastLimited), policy)
  return excluded(after, event, 'limited', durationMs, nowMs, policy)
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
  const after = draftOf(record, othersProbe(record, event), record.manual, nowMs)
  after.limitedStreak = Math.min(record.limitedStreak + 1, MOST_COUNTED)
  after.reason = 'rate_limited'
  const askedMs = event.outcome.retryAfterMs ?? 0
  const retryMs = Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, Math.ceil(askedMs) || 0))
  let durationMs = Math.max(policy.rateLimitedMs, retryMs)
  if (after.limitedStreak >= PATIENCE) {
    const climbed = Math.min(record.rung + 1, lastLimitedRung(policy))
    durationMs = Math.max(durationMs, limitedMs(climbed, policy))
    if (!event.capped) {
      strike(after, nowMs)
      if (record.health !== 'unavailable') after.rung = Math.max(record.rung, climbed)
    }
  }
  const health = record.health === 'unavailable' ? 'unavailable' : 'limited'
  return excluded(after, event, health, durationMs, nowMs, policy)
}

/** One more strike. */
function strike(draft: Draft, nowMs: number): void {
  draft.strikes = Math.min(draft.strikes + 1, MOST_COUNTED)
  draft.strikeAtMs = Math.max(draft.strikeAtMs, nowMs)
  draft.okStreak = 0
}

/** How long a limited rung excludes; a ladder without one rests a pair as after a rate limit. */
function limitedMs(rung: number, policy: HealthPolicy): number {
  return rung < 1 ? policy.rateLimitedMs : policy.ladder[rung - 1].durationMs
}

/** Another lease's probe stays on its way: its pair gets no second one before it has ended. */
function othersProbe({ probe }: PairRecord, event: OutcomeEvent): Probe | undefined {
  return probe === undefined || probe.leaseId === event.leaseId ? undefined : probe
}

/** Enters an exclusion: a new epoch, a later end, never a milder state than one under way. */
function excluded(
  draft: Draft,
  event: OutcomeEvent,
  health: 'limited' | 'unavailable',
  durationMs: number,
  nowMs: number,
  policy: HealthPolicy,
): PairRecord {
  const epoch = raised(Math.max(draft.epoch, event.epoch))
  const untilMs = excludedUntilMs(nowMs, durationMs, policy, event.exit, event.domain, epoch)
  draft.health = health
  draft.epoch = epoch
  draft.untilMs = Math.max(draft.untilMs, untilMs)
  return kept(draft, nowMs, policy)
}

type Draft = { -readonly [K in keyof PairRecord]: PairRecord[K] }

/**
 * The one copy that a transition makes of a record, to be changed and then `kept`; of the probe and the manual exclusion that it is to go on
 * with, what has run out is left away. Field by field: spreads cost more than all the rest of the transition.
 */
function draftOf(
  record: PairRecord,
  probe: PairRecord['probe'],
  manual: PairRecord['manual'],
  nowMs: number,
): Draft {
  const draft: Draft = {
    health: record.health,
    rung: record.rung,
    untilMs: record.untilMs,
    epoch: record.epoch,
    strikes: record.strikes,
    strikeAtMs: record.strikeAtMs,
    okStreak: record.okStreak,
    limitedStreak: record.limitedStreak,
    reason: record.reason,
    forgetAtMs: record.forgetAtMs,
  }
  if (probe !== undefined && nowMs < probe.deadlineMs) draft.probe = probe
  if (manual !== undefined && nowMs < manual.untilMs) draft.manual = manual
  return draft
}

const MINUTE_MS = 60_000
/** Four bytes of minutes: the year 10136. */
const MOST_MINUTES = 0xffff_ffff

/**
 * Sets from when a record says nothing: an hour after its newest event and all that it still announces, strikes decayed.
 * `policy` is null where the event gives no strike: what stood before stands.
 */
function kept(draft: Draft, nowMs: number, policy: HealthPolicy | null): PairRecord {
  const { untilMs, strikeAtMs, strikes, probe, manual } = draft
  const probeMs = probe === undefined ? 0 : probe.deadlineMs
  const manualMs = manual === undefined ? 0 : manual.untilMs
  let forgetAtMs = Math.max(nowMs, untilMs, probeMs, manualMs) + LATE_REPORT_MS
  if (policy === null) forgetAtMs = Math.max(forgetAtMs, draft.forgetAtMs)
  else if (strikes > 0) {
    forgetAtMs = Math.max(
      forgetAtMs,
      Math.max(untilMs, strikeAtMs) + strikes * policy.strikeDecayMs,
    )
  }
  draft.forgetAtMs = Math.min(Math.ceil(forgetAtMs / MINUTE_MS), MOST_MINUTES) * MINUTE_MS
  return draft
}
