import { excludedUntilMs } from '@ostler/core'
import type { Health, HealthPolicy, Lease, Outcome } from '@ostler/core'
import { decay, naiveStateAt, remember, type NaivePair } from './pair.ts'

const PATIENCE = 3

export interface OutcomeContext {
  readonly nowMs: number
  readonly policy: HealthPolicy
  readonly incidentOpen: boolean
}

/** What an outcome of a dispatch does to its pair, which must not be a forgotten one. */
export function applyOutcome(
  pair: NaivePair,
  lease: Lease,
  outcome: Outcome,
  context: OutcomeContext,
): void {
  const { nowMs, policy } = context
  const { probe } = pair
  const ownProbe = probe !== null && probe.leaseId === lease.id && nowMs < probe.deadlineMs
  if (ownProbe) pair.probe = null
  if (lease.epoch < pair.epoch) return
  switch (outcome.kind) {
    case 'ok':
      if (lease.epoch === pair.epoch) succeed(pair, ownProbe, nowMs, policy)
      break
    case 'rate_limited':
      decay(pair, nowMs, policy)
      limit(pair, lease, outcome.retryAfterMs ?? 0, context)
      break
    case 'challenged':
    case 'blocked':
      decay(pair, nowMs, policy)
      strike(pair, lease, outcome.kind, context)
      break
    case 'target_error':
    case 'agent_error':
    case 'neutral':
      break
    default:
      outcome.kind satisfies never
  }
}

function succeed(pair: NaivePair, ownProbe: boolean, nowMs: number, policy: HealthPolicy): void {
  if (!ownProbe && naiveStateAt(pair, nowMs) !== 'available') return
  decay(pair, nowMs, policy)
  if (!ownProbe && pair.strikes === 0 && pair.limitedStreak === 0) return
  if (ownProbe) {
    pair.health = 'available'
    pair.strikeAtMs = Math.max(pair.strikeAtMs, pair.untilMs)
    pair.untilMs = 0
  }
  pair.limitedStreak = 0
  pair.okStreak++
  if (pair.okStreak >= policy.okStreakToForget) {
    pair.strikes = 0
    pair.rung = 0
  }
  remember(pair, nowMs, policy)
}

function strike(
  pair: NaivePair,
  lease: Lease,
  kind: 'challenged' | 'blocked',
  context: OutcomeContext,
): void {
  const { nowMs, policy, incidentOpen } = context
  const limitedRungs = policy.ladder.filter((rung) => rung.health === 'limited').length
  const firstUnavailable = Math.min(policy.ladder.length, limitedRungs + 1)
  const wasUnavailable = pair.health === 'unavailable'
  const least = kind === 'blocked' || wasUnavailable ? firstUnavailable : 1
  const climbed = Math.min(policy.ladder.length, Math.max(pair.rung + 1, least))
  pair.limitedStreak = 0
  pair.reason = kind
  if (!incidentOpen) {
    pair.strikes++
    pair.strikeAtMs = nowMs
    pair.okStreak = 0
    pair.rung = climbed
    const { health, durationMs } = policy.ladder[climbed - 1]
    enter(pair, lease, health, durationMs, context)
  } else if (wasUnavailable) {
    const own = Math.max(pair.rung, firstUnavailable)
    enter(pair, lease, 'unavailable', policy.ladder[own - 1].durationMs, context)
  } else {
    const capped = Math.min(climbed, limitedRungs)
    enter(pair, lease, 'limited', limitedMs(capped, policy), context)
  }
}

function limit(pair: NaivePair, lease: Lease, askedMs: number, context: OutcomeContext): void {
  const { nowMs, policy, incidentOpen } = context
  const wasUnavailable = pair.health === 'unavailable'
  const clampedMs = Math.min(3_600_000, Math.max(1_000, Math.ceil(askedMs)))
  let durationMs = Math.max(policy.rateLimitedMs, clampedMs)
  pair.limitedStreak++
  pair.reason = 'rate_limited'
  if (pair.limitedStreak >= PATIENCE) {
    const limitedRungs = policy.ladder.filter((rung) => rung.health === 'limited').length
    const climbed = Math.min(pair.rung + 1, limitedRungs)
    durationMs = Math.max(durationMs, limitedMs(climbed, policy))
    if (!incidentOpen) {
      pair.strikes++
      pair.strikeAtMs = nowMs
      pair.okStreak = 0
      if (!wasUnavailable) pair.rung = Math.max(pair.rung, climbed)
    }
  }
  enter(pair, lease, wasUnavailable ? 'unavailable' : 'limited', durationMs, context)
}

function limitedMs(rung: number, policy: HealthPolicy): number {
  return rung === 0 ? policy.rateLimitedMs : policy.ladder[rung - 1].durationMs
}

/** A new epoch, and an end that is never earlier than the one before. */
function enter(
  pair: NaivePair,
  lease: Lease,
  health: Health,
  durationMs: number,
  { nowMs, policy }: OutcomeContext,
): void {
  pair.epoch = Math.max(pair.epoch, lease.epoch) + 1
  pair.health = health
  const { exit, domain, epoch } = pair
  const untilMs = excludedUntilMs(nowMs, durationMs, policy, exit, domain, epoch)
  pair.untilMs = Math.max(pair.untilMs, untilMs)
  // Another lease's probe is still on its way.
  if (pair.probe !== null && (pair.probe.leaseId === lease.id || nowMs >= pair.probe.deadlineMs)) {
    pair.probe = null
  }
  remember(pair, nowMs, policy)
}
