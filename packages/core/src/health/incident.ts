import type { Problem } from '../errors.ts'
import type { OutcomeKind } from './record.ts'
import { expectInteger, fieldPath, throwIfAny, unknownField } from '../errors.ts'
import { expectShare, fieldsOf } from './ladder.ts'

/** What opened an incident: a wave of newly excluded exits, or failures on many exits with no ok in between. */
export type IncidentCause = 'exclusions' | 'failures'

/** An open incident of a domain: rungs are capped and strikes frozen until its first ok. */
export interface Incident {
  readonly openedAtMs: number
  readonly cause: IncidentCause
  /** Its newest event: an hour of silence after it ends the incident. */
  readonly lastEventMs: number
}

export interface IncidentPolicy {
  /** Newly excluded exits in a minute above max(minExclusions, exclusionShare of the exits) open one. Default 10. */
  readonly minExclusions: number
  /** Default 0.05. */
  readonly exclusionShare: number
  /** Distinct failing exits with no ok in between, from max(minFailures, failureShare of the tried) on, open one. Default 5. */
  readonly minFailures: number
  /** Default 0.3. */
  readonly failureShare: number
}

/** What is counted of a domain: plain data, null while it is quiet. */
export type Watch =
  | {
      readonly kind: 'watching'
      /** Newly excluded exits by bucket of 5 s, the newest first: the last minute to within a bucket. */
      readonly buckets: readonly number[]
      /** The newest bucket: its start divided by 5 s. */
      readonly bucket: number
      /** Distinct exits that failed since the last ok, at most 1,024. */
      readonly failing: readonly string[]
      /** The domain's dispatches before those in flight at the first of these failures. */
      readonly triedFrom: number
      readonly lastEventMs: number
    }
  | ({ readonly kind: 'open' } & Incident)

/** An outcome as the domain sees it. */
export interface DomainEvent {
  readonly outcome: OutcomeKind
  readonly exit: string
  /** The pair was available before the outcome, and is excluded by it. */
  readonly newlyExcluded: boolean
  /** Dispatches to the domain so far: only differences count. */
  readonly dispatched: number
  /** Dispatches on their way, this one aside. */
  readonly inFlight: number
}

/** What an embedder gets who says nothing. */
export const DEFAULT_INCIDENT_POLICY: IncidentPolicy = Object.freeze({
  minExclusions: 10,
  exclusionShare: 0.05,
  minFailures: 5,
  failureShare: 0.3,
})

const BUCKET_MS = 5_000
const BUCKETS = 12
/** So many failing exits in a row are an incident, however many were tried: it bounds what is kept. */
const MOST_FAILING = 1_024
const NONE: readonly string[] = Object.freeze([])
/** An incident, or a count, without an event for so long is over. */
export const QUIET_MS = 3_600_000

/** The domain's open incident at an instant, or null. */
export function incidentAt(watch: Watch | null, nowMs: number): Incident | null {
  if (watch === null || watch.kind !== 'open') return null
  return nowMs - watch.lastEventMs >= QUIET_MS ? null : watch
}

/**
 * A domain's counters after an outcome. Pure; the same object comes back when nothing changed. O(12 + failing exits).
 * `exits` is the number of distinct exits in the fleet. The first ok ends an open incident and forgets all counts;
 * an incident also ends after an hour without a failure or an exclusion.
 */
export function observe(
  watch: Watch | null,
  event: DomainEvent,
  nowMs: number,
  policy: IncidentPolicy,
  exits: number,
): Watch | null {
  const before = watch !== null && nowMs - watch.lastEventMs >= QUIET_MS ? null : watch
  switch (event.outcome) {
    case 'ok':
      return afterOk(before, nowMs)
    case 'neutral':
    case 'agent_error':
      return before
    case 'target_error':
    case 'challenged':
    case 'blocked':
      return afterTrouble(before, event, true, nowMs, policy, exits)
    case 'rate_limited':
      return afterTrouble(before, event, false, nowMs, policy, exits)
    default:
      return event.outcome satisfies never
  }
}

function afterOk(watch: Watch | null, nowMs: number): Watch | null {
  if (watch === null || watch.kind === 'open') return null
  if (nowMs - watch.lastEventMs >= BUCKET_MS * BUCKETS) return null
  if (watch.failing.length === 0) return watch
  if (total(watch.buckets) === 0) return null
  const { buckets, bucket, lastEventMs } = watch
  return { kind: 'watching', buckets, bucket, failing: NONE, triedFrom: 0, lastEventMs }
}

function afterTrouble(
  watch: Watch | null,
  event: DomainEvent,
  failed: boolean,
  nowMs: number,
  policy: IncidentPolicy,
  exits: number,
): Watch | null {
  if (watch !== null && watch.kind === 'open') {
    return watch.lastEventMs === nowMs ? watch : { ...watch, lastEventMs: nowMs }
  }
  if (!failed && !event.newlyExcluded) return watch
  const bucket = Math.floor(nowMs / BUCKET_MS)
  const buckets = shifted(watch, bucket)
  if (event.newlyExcluded) buckets[0]++
  let failing = watch?.failing ?? NONE
  let triedFrom = watch?.triedFrom ?? 0
  if (failed && !failing.includes(event.exit)) {
    if (failing.length === 0) triedFrom = event.dispatched - event.inFlight - 1
    failing = failing.length === 0 ? [event.exit] : failing.concat(event.exit)
  }
  const excluded = total(buckets)
  const tried = Math.min(event.dispatched - triedFrom, exits)
  const enough = Math.min(MOST_FAILING, Math.max(policy.minFailures, policy.failureShare * tried))
  let cause: IncidentCause | null = null
  if (excluded > Math.max(policy.minExclusions, policy.exclusionShare * exits)) cause = 'exclusions'
  else if (failed && failing.length >= enough) cause = 'failures'
  if (cause !== null) return { kind: 'open', openedAtMs: nowMs, cause, lastEventMs: nowMs }
  return { kind: 'watching', buckets, bucket, failing, triedFrom, lastEventMs: nowMs }
}

/** The counts as of a bucket, newest first; those that left the minute are gone. A bucket before the newest counts into it. */
function shifted(watch: Watch | null, bucket: number): number[] {
  const buckets = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
  if (watch === null || watch.kind === 'open') return buckets
  const gone = Math.min(BUCKETS, Math.max(0, bucket - watch.bucket))
  for (let at = gone; at < BUCKETS; at++) buckets[at] = watch.buckets[at - gone]
  return buckets
}

function total(buckets: readonly number[]): number {
  let sum = 0
  for (let at = 0; at < buckets.length; at++) sum += buckets[at]
  return sum
}

/** Fills in the defaults. @throws OstlerError INVALID_OPTIONS, with every problem. */
export function resolveIncidentPolicy(options?: Partial<IncidentPolicy>): IncidentPolicy {
  if (options === undefined) return DEFAULT_INCIDENT_POLICY
  throwIfAny('INVALID_OPTIONS', incidentPolicyProblems(options, ''))
  return {
    minExclusions: options.minExclusions ?? DEFAULT_INCIDENT_POLICY.minExclusions,
    exclusionShare: options.exclusionShare ?? DEFAULT_INCIDENT_POLICY.exclusionShare,
    minFailures: options.minFailures ?? DEFAULT_INCIDENT_POLICY.minFailures,
    failureShare: options.failureShare ?? DEFAULT_INCIDENT_POLICY.failureShare,
  }
}

const FIELDS = Object.keys(DEFAULT_INCIDENT_POLICY)

/** All that is wrong with incident options, by path; empty when they may be resolved. */
export function incidentPolicyProblems(options: unknown, path: string): Problem[] {
  const problems: Problem[] = []
  for (const [name, value] of fieldsOf(options, path, problems)) {
    const at = fieldPath(path, name)
    if (value === undefined) continue
    if (name === 'minExclusions') expectInteger(problems, at, value, 1, 1_000_000)
    else if (name === 'minFailures') expectInteger(problems, at, value, 1, MOST_FAILING)
    else if (name === 'exclusionShare' || name === 'failureShare') expectShare(problems, at, value)
    else problems.push({ path, message: unknownField(name, 'an incident policy', FIELDS) })
  }
  return problems
}
