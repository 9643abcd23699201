// hot path: a decision by handle finds the tier, its gate and the key's slot where it left them, and
// writes its answer into fields that are there already.

import { OstlerError, shown } from '../errors.ts'
import { MAX_LIMIT } from '../limit/policy.ts'
import type { Gate } from '../store/gate.ts'
import type { Verdict } from '../store/store.ts'
import { LOCAL } from './degraded.ts'
import { events } from './events.ts'
import type { Decision } from './requests.ts'
import type { StandingTier, Tiers } from './tiers.ts'
import type { Time } from './time.ts'

// A module's own constants are folded into machine code, imported ones are loaded at each use.
const HIGHEST_COST = MAX_LIMIT
const admitted = events.admit

/**
 * A key of a tier, met again and again: the same decisions and events as `admit` of its key and tier, without an object for each.
 * The fields tell of the last `admit` or `peek`; before the first they say nothing. From `scheduler.key`.
 */
export class KeyHandle {
  readonly key: string
  readonly tier: string
  allowed = false
  /** The binding policy: see `Verdict`. */
  policy = 'none'
  limit = 0
  remaining = 0
  // Not 0: V8 would keep a small integer here at first, and each handle's instants far from it.
  resetAtMs: number = NaN
  retryAfterMs = 0
  /** The instant it was decided at. */
  atMs: number = NaN
  cost = 1
  /** Decided in this process, because the store was out of reach. */
  degraded = false
  readonly #standing: StandingTier
  readonly #tiers: Tiers
  readonly #time: Time
  readonly #source: string
  #gate: Gate | null = null
  #slot = 0
  #decision: Decision | null = null

  constructor(key: string, standing: StandingTier, tiers: Tiers, time: Time, source: string) {
    this.key = key
    this.tier = standing.name
    this.#standing = standing
    this.#tiers = tiers
    this.#time = time
    this.#source = source
  }

  /** May this key go on? What it is told is in the fields too. @throws OstlerError INVALID_REQUEST, CLOSED */
  admit(cost = 1): boolean {
    if (!isCost(cost)) checkCost(cost)
    const gate = this.#opened()
    gate.atMs = this.#time.nowMs()
    const allowed = gate.consume(this.key, cost, this.#slot)
    this.#keep(gate, cost)
    if (admitted.hasSubscribers) admitted.publish(this.decision())
    return allowed
  }

  /** What `admit` would say now; counts nothing. */
  peek(cost = 1): boolean {
    if (!isCost(cost)) checkCost(cost)
    const gate = this.#opened()
    gate.atMs = this.#time.nowMs()
    gate.peek(this.key, cost, this.#slot)
    this.#keep(gate, cost)
    return gate.allowed
  }

  /**
   * The last answer as `admit` of the scheduler would have given it, to keep or to `refund`: the same object until the next answer.
   * @throws OstlerError INVALID_REQUEST before the first answer
   */
  decision(): Decision {
    if (this.#gate === null) {
      throw new OstlerError('INVALID_REQUEST', 'decision() needs an admit() or a peek() before it')
    }
    return (this.#decision ??= decisionOf(this, this.key, this.tier, this.cost, this.#source))
  }

  #opened(): Gate {
    const { gate } = this.#standing
    if (gate !== null && gate === this.#gate) return gate
    // The tier has changed, or nobody has asked for it yet: the key's slot may be another.
    this.#slot = 0
    return (this.#gate = gate ?? (this.#tiers.open(this.#standing) as Gate))
  }

  #keep(gate: Gate, cost: number): void {
    this.#slot = gate.slot
    this.allowed = gate.allowed
    this.policy = gate.policy
    this.limit = gate.limit
    this.remaining = gate.remaining
    this.resetAtMs = gate.resetAtMs
    this.retryAfterMs = gate.retryAfterMs
    this.atMs = gate.atMs
    this.degraded = gate.degraded
    this.cost = cost
    this.#decision = null
  }
}

/** A verdict as callers are told it. */
export function decisionOf(
  verdict: Verdict,
  key: string,
  tier: string,
  cost: number,
  source: string,
): Decision {
  const degraded = verdict.degraded === true
  return {
    allowed: verdict.allowed,
    policy: verdict.policy,
    limit: verdict.limit,
    remaining: verdict.remaining,
    resetAtMs: verdict.resetAtMs,
    retryAfterMs: verdict.retryAfterMs,
    atMs: verdict.atMs,
    key,
    tier,
    cost,
    source: degraded ? LOCAL : source,
    degraded,
  }
}

export function isCost(cost: number): boolean {
  return Number.isInteger(cost) && cost >= 1 && cost <= HIGHEST_COST
}

/** @throws OstlerError INVALID_REQUEST */
export function checkCost(cost: number): void {
  if (isCost(cost)) return
  const message = `cost must be an integer from 1 to ${MAX_LIMIT}, got ${shown(cost)}`
  throw new OstlerError('INVALID_REQUEST', message)
}
