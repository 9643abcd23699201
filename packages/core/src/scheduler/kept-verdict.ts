// hot path: fields that are there already, for an answer without an object.

import { MAX_LIMIT } from '../limit/policy.ts'
import type { LatestVerdict } from '../store/gate.ts'
import type { Verdict } from '../store/store.ts'

/** The fields of a gate that has its answers from another: it copies them. */
export abstract class KeptVerdict implements Required<LatestVerdict> {
  allowed = false
  policy = 'none'
  limit: number = MAX_LIMIT
  remaining: number = MAX_LIMIT
  // Not 0: V8 would keep a small integer here at first.
  resetAtMs: number = NaN
  retryAfterMs = 0
  atMs: number = NaN
  degraded = false

  protected keep(verdict: Verdict): boolean {
    this.allowed = verdict.allowed
    this.policy = verdict.policy
    this.limit = verdict.limit
    this.remaining = verdict.remaining
    this.resetAtMs = verdict.resetAtMs
    this.retryAfterMs = verdict.retryAfterMs
    this.atMs = verdict.atMs
    this.degraded = verdict.degraded === true
    return verdict.allowed
  }
}
