import {
  decideWindow,
  EMPTY_LOG,
  EMPTY_TAT,
  gcraAdmit,
  gcraRefund,
  gcraRemaining,
  gcraRetryMs,
  liveHits,
  restoredAtMs,
  withHit,
  withoutHit,
  type ExactPolicy,
  type HitLog,
  type ResolvedPolicy,
  type SmoothPolicy,
  type Tat,
} from '@ostler/core'
import { packLog, packTat, unpackLog, unpackTat } from './state-codec.ts'
import type { Place } from './windows.ts'

/** What one policy says to a call. */
export interface Said {
  /** 0 where it is admitted, else ms until it would be, -1 for never. */
  readonly waitMs: number
  readonly limit: number
  /** Left after the call, 0 or more. */
  readonly remaining: number
  readonly resetAtMs: number
}

/** What is to be kept of a key, and until when it counts. */
export interface Kept {
  /** Holds until the next one is packed. */
  readonly state: Buffer
  readonly idleMs: number
}

/** What one policy makes of what is kept of a key: the pure functions of core, over packed states. */
export interface Counter {
  check(cost: number, nowMs: number): Said
  /** After the call that `check` admitted, with the same arguments. */
  admitted(cost: number, nowMs: number): Kept
  /** After giving back a call that was admitted at `atMs`; null where nothing of it is left. */
  refunded(cost: number, atMs: number, nowMs: number): Kept | null
  used(nowMs: number): { readonly used: number; readonly limit: number; readonly resetAtMs: number }
}

export function counterOf(policy: ResolvedPolicy, place: Place): Counter {
  return policy.kind === 'exact'
    ? new ExactCounter(policy, place)
    : new SmoothCounter(policy, place)
}

class ExactCounter implements Counter {
  readonly #policy: ExactPolicy
  readonly #log: HitLog

  constructor(policy: ExactPolicy, { state, lane }: Place) {
    this.#log = state === null ? EMPTY_LOG : unpackLog(state)
    const laneMs = this.#log.windowMs
    // A lane counts for the longest window that its live hits were admitted under.
    this.#policy = lane && laneMs > policy.windowMs ? { ...policy, windowMs: laneMs } : policy
  }

  check(cost: number, nowMs: number): Said {
    const { retryAfterMs, ...said } = decideWindow(this.#log, this.#policy, cost, nowMs)
    return { ...said, waitMs: retryAfterMs, limit: this.#policy.limit }
  }

  admitted(cost: number, nowMs: number): Kept {
    return kept(withHit(this.#log, this.#policy, cost, nowMs))
  }

  refunded(cost: number, atMs: number, nowMs: number): Kept | null {
    const log = withoutHit(this.#log, this.#policy, cost, atMs, nowMs)
    return log === null ? null : kept(log)
  }

  used(nowMs: number): ReturnType<Counter['used']> {
    const { limit, windowMs } = this.#policy
    const live = liveHits(this.#log, windowMs, nowMs)
    const used = live.reduce((sum, { cost }) => sum + cost, 0)
    const countsMs = Math.min(windowMs, this.#log.windowMs)
    return { used, limit, resetAtMs: used === 0 ? nowMs : live[live.length - 1].atMs + countsMs }
  }
}

function kept(log: HitLog): Kept {
  const { hits, windowMs } = log
  return {
    state: packLog(log),
    idleMs: hits.length === 0 ? 0 : hits[hits.length - 1].atMs + windowMs,
  }
}

/** In what it says `limit` is the burst, for that is what `remaining` is a part of. */
class SmoothCounter implements Counter {
  readonly #policy: SmoothPolicy
  readonly #tat: Tat

  constructor(policy: SmoothPolicy, { state }: Place) {
    this.#policy = policy
    this.#tat = state === null ? EMPTY_TAT : unpackTat(state)
  }

  check(cost: number, nowMs: number): Said {
    const policy = this.#policy
    const waitMs = gcraRetryMs(this.#tat, policy, cost, nowMs)
    const after = waitMs === 0 ? gcraAdmit(this.#tat, policy, cost, nowMs) : this.#tat
    return {
      waitMs,
      limit: policy.burst,
      remaining: gcraRemaining(after, policy, nowMs),
      resetAtMs: Math.max(nowMs, restoredAtMs(after)),
    }
  }

  admitted(cost: number, nowMs: number): Kept {
    const tat = gcraAdmit(this.#tat, this.#policy, cost, nowMs)
    return { state: packTat(tat), idleMs: restoredAtMs(tat) }
  }

  refunded(cost: number, atMs: number, nowMs: number): Kept | null {
    const tat = gcraRefund(this.#tat, this.#policy, cost, atMs, nowMs)
    return tat === null ? null : { state: packTat(tat), idleMs: restoredAtMs(tat) }
  }

  used(nowMs: number): ReturnType<Counter['used']> {
    const { burst } = this.#policy
    const used = burst - gcraRemaining(this.#tat, this.#policy, nowMs)
    return { used, limit: burst, resetAtMs: Math.max(nowMs, restoredAtMs(this.#tat)) }
  }
}
