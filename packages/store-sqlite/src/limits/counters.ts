// hot path: what one policy makes of what is kept of a key. Results stay in fields, so that a decision allocates nothing.

import {
  effectiveMs,
  EMPTY_TAT,
  gcraAdmit,
  gcraRefund,
  gcraRemaining,
  gcraRetryMs,
  restoredAtMs,
  type ExactPolicy,
  type ResolvedPolicy,
  type SmoothPolicy,
  type Tat,
} from '@ostler/core'
import { Log } from './log.ts'
import { packLog, packTat, unpackLog, unpackTat } from './state-codec.ts'

/** What is kept of a key, or of a lane, under one policy name. Each call names the policy as its caller has it now. */
export interface Counter<P extends ResolvedPolicy> {
  /** Of the last look: the limit, or the burst of a smooth policy, for that is what `remaining` is a part of. */
  limit: number
  /** Of the last look: what is left after the call, 0 or more. */
  remaining: number
  /** Of the last look: when all is restored, after the call. */
  resetAtMs: number
  /** From then on nothing counts any more; 0 where nothing is kept. */
  idleMs: number
  /** 0 where a call is admitted, else ms until it would be, -1 for never. Changes nothing but the results. */
  check(cost: number, policy: P, nowMs: number): number
  /** Counts a call that is admitted. */
  admit(cost: number, policy: P, nowMs: number): void
  /** Gives back a call that was admitted at `atMs`; false where nothing of it is left. */
  refund(cost: number, policy: P, atMs: number, nowMs: number): boolean
  /** What counts now; sets `limit` and `resetAtMs`. */
  used(policy: P, nowMs: number): number
  /** Takes the place of what was known. @throws OstlerError STORE_UNAVAILABLE for bytes that nobody packed */
  load(state: Buffer | null): void
  /** Holds until the next state is packed. */
  pack(): Buffer
}

export function counterOf(kind: ResolvedPolicy['kind'], lane: boolean): Counter<ResolvedPolicy> {
  return kind === 'exact' ? new ExactCounter(lane) : new SmoothCounter()
}

class ExactCounter implements Counter<ExactPolicy> {
  limit = 0
  remaining = 0
  resetAtMs = 0
  idleMs = 0
  readonly #lane: boolean
  readonly #log = new Log()

  constructor(lane: boolean) {
    this.#lane = lane
  }

  check(cost: number, policy: ExactPolicy, nowMs: number): number {
    const log = this.#log
    const { limit } = policy
    const windowMs = this.#windowMs(policy)
    log.look(windowMs, nowMs)
    const { used } = log
    const left = limit - used
    this.limit = limit
    if (cost <= left) {
      const hitMs = effectiveMs(nowMs, policy.quantumMs)
      const newestMs = used > 0 && log.newestMs > hitMs ? log.newestMs : hitMs
      this.remaining = left - cost
      this.resetAtMs = newestMs + windowMs
      return 0
    }
    const countsMs = windowMs < log.windowMs ? windowMs : log.windowMs
    this.remaining = left > 0 ? left : 0
    this.resetAtMs = used === 0 ? nowMs : log.newestMs + countsMs
    return cost > limit ? -1 : log.goneMs(cost - left) + countsMs - nowMs
  }

  admit(cost: number, policy: ExactPolicy, nowMs: number): void {
    const log = this.#log
    const windowMs = this.#windowMs(policy)
    log.look(windowMs, nowMs)
    log.add(cost, policy, windowMs, nowMs)
    this.idleMs = log.idleMs
  }

  refund(cost: number, policy: ExactPolicy, atMs: number, nowMs: number): boolean {
    const log = this.#log
    log.look(this.#windowMs(policy), nowMs)
    if (!log.remove(cost, effectiveMs(atMs, policy.quantumMs))) return false
    this.idleMs = log.idleMs
    return true
  }

  used(policy: ExactPolicy, nowMs: number): number {
    const log = this.#log
    const windowMs = this.#windowMs(policy)
    log.look(windowMs, nowMs)
    this.limit = policy.limit
    this.resetAtMs = log.used === 0 ? nowMs : log.newestMs + Math.min(windowMs, log.windowMs)
    return log.used
  }

  load(state: Buffer | null): void {
    this.#log.clear()
    if (state !== null) unpackLog(state, this.#log)
    this.idleMs = this.#log.idleMs
  }

  pack(): Buffer {
    return packLog(this.#log)
  }

  /** A lane counts for the longest window that its live hits were admitted under. */
  #windowMs({ windowMs }: ExactPolicy): number {
    const ownMs = this.#log.windowMs
    return this.#lane && ownMs > windowMs ? ownMs : windowMs
  }
}

class SmoothCounter implements Counter<SmoothPolicy> {
  limit = 0
  remaining = 0
  resetAtMs = 0
  idleMs = 0
  #tat: Tat = EMPTY_TAT

  check(cost: number, policy: SmoothPolicy, nowMs: number): number {
    const waitMs = gcraRetryMs(this.#tat, policy, cost, nowMs)
    const after = waitMs === 0 ? gcraAdmit(this.#tat, policy, cost, nowMs) : this.#tat
    this.#says(after, policy, nowMs)
    return waitMs
  }

  admit(cost: number, policy: SmoothPolicy, nowMs: number): void {
    this.#set(gcraAdmit(this.#tat, policy, cost, nowMs))
  }

  refund(cost: number, policy: SmoothPolicy, atMs: number, nowMs: number): boolean {
    const tat = gcraRefund(this.#tat, policy, cost, atMs, nowMs)
    if (tat === null) return false
    this.#set(tat)
    return true
  }

  used(policy: SmoothPolicy, nowMs: number): number {
    this.#says(this.#tat, policy, nowMs)
    return policy.burst - this.remaining
  }

  load(state: Buffer | null): void {
    this.#set(state === null ? EMPTY_TAT : unpackTat(state))
  }

  pack(): Buffer {
    return packTat(this.#tat)
  }

  #says(tat: Tat, policy: SmoothPolicy, nowMs: number): void {
    this.limit = policy.burst
    this.remaining = gcraRemaining(tat, policy, nowMs)
    this.resetAtMs = Math.max(nowMs, restoredAtMs(tat))
  }

  #set(tat: Tat): void {
    this.#tat = tat
    this.idleMs = restoredAtMs(tat)
  }
}
