import type { ExactPolicy } from './policy.ts'

/**
 * The exact limiter as pure functions: the specification that every store carries out.
 *
 * A hit at t has the effective time e(t) = floor(t/q)*q + q - 1 and counts at `now` while e > now -
 * windowMs. A call of cost c is admitted iff c <= limit and used + c <= limit. As e(t) >= t, a hit
 * never counts for less than windowMs: the limit holds in any half-open window; as e(t) <= t + q -
 * 1, it never counts for longer than windowMs + q - 1.
 *
 * What a policy means may change between calls, for hits are kept as effective times and not as
 * counters: a raised limit takes effect at once; a lowered one denies until enough has expired
 * (remaining is 0, never less); a shorter window counts less at once; a longer one starts from what
 * the old one still remembered; another quantum applies to new hits. To that end a log remembers
 * the window of its last admitted call: its hits count for the shorter of that window and the
 * asking policy's, and are all forgotten once that window is over, whoever asks.
 */
export interface HitLog {
  /** By effective time, oldest first; no two with the same. */
  readonly hits: readonly Hit[]
  /** The window of the last admitted call. */
  readonly windowMs: number
}

export interface Hit {
  /** The effective time. */
  readonly atMs: number
  readonly cost: number
}

/** What the log says to one call; `remaining` and `resetAtMs` hold after the call. */
export interface WindowDecision {
  readonly allowed: boolean
  readonly remaining: number
  /** Newest hit + window, or `nowMs` where nothing counts. */
  readonly resetAtMs: number
  /** 0 when allowed; -1 where cost > limit. */
  readonly retryAfterMs: number
}

export const EMPTY_LOG: HitLog = { hits: [], windowMs: 0 }

/** The effective time of a hit at `nowMs`: the last millisecond of its quantum. */
export function effectiveMs(nowMs: number, quantumMs: number): number {
  if (quantumMs === 1) return nowMs
  // Correctly rounded division can't reach the next integer while nowMs < 2^53, so the floor is
  // exact.
  return Math.floor(nowMs / quantumMs) * quantumMs + quantumMs - 1
}

/** The hits that count at `nowMs` in a window. O(hits). */
export function liveHits(log: HitLog, windowMs: number, nowMs: number): readonly Hit[] {
  const afterMs = nowMs - Math.min(windowMs, log.windowMs)
  return log.hits.filter((hit) => hit.atMs > afterMs)
}

/** Decides a call of `cost` at `nowMs`. O(hits). */
export function decideWindow(
  log: HitLog,
  policy: ExactPolicy,
  cost: number,
  nowMs: number,
): WindowDecision {
  const live = liveHits(log, policy.windowMs, nowMs)
  const used = live.reduce((sum, hit) => sum + hit.cost, 0)
  const countsMs = Math.min(policy.windowMs, log.windowMs)
  const newestMs = live.length === 0 ? -Infinity : live[live.length - 1].atMs
  if (cost <= policy.limit && used + cost <= policy.limit) {
    return {
      allowed: true,
      remaining: policy.limit - used - cost,
      resetAtMs: Math.max(newestMs, effectiveMs(nowMs, policy.quantumMs)) + policy.windowMs,
      retryAfterMs: 0,
    }
  }
  return {
    allowed: false,
    remaining: Math.max(0, policy.limit - used),
    resetAtMs: live.length === 0 ? nowMs : newestMs + countsMs,
    retryAfterMs:
      cost > policy.limit ? -1 : untilFree(live, used + cost - policy.limit) + countsMs - nowMs,
  }
}

/** The effective time of the hit with which `excess` cost, from the oldest on, is gone. */
function untilFree(live: readonly Hit[], excess: number): number {
  let gone = 0
  for (const hit of live) {
    gone += hit.cost
    if (gone >= excess) return hit.atMs
  }
  return -Infinity
}

/** The log after an admitted call: what has left the window is dropped. O(hits). */
export function withHit(log: HitLog, policy: ExactPolicy, cost: number, nowMs: number): HitLog {
  const atMs = effectiveMs(nowMs, policy.quantumMs)
  const live = liveHits(log, policy.windowMs, nowMs)
  const same = live.find((hit) => hit.atMs === atMs)
  const others = live.filter((hit) => hit.atMs !== atMs)
  const hits = [...others, { atMs, cost: cost + (same?.cost ?? 0) }]
  // Only a quantum that became shorter puts a hit before an older one.
  return { hits: hits.sort((a, b) => a.atMs - b.atMs), windowMs: policy.windowMs }
}

/**
 * The log without `cost` of the hits that an admission at `atMs` left; null where that many do not
 * count there any more (they have expired, were given back before, or the quantum has changed).
 * O(hits).
 */
export function withoutHit(
  log: HitLog,
  policy: ExactPolicy,
  cost: number,
  atMs: number,
  nowMs: number,
): HitLog | null {
  const effective = effectiveMs(atMs, policy.quantumMs)
  const hit = liveHits(log, policy.windowMs, nowMs).find((each) => each.atMs === effective)
  if (hit === undefined || hit.cost < cost) return null
  const left = { atMs: effective, cost: hit.cost - cost }
  const hits = log.hits.map((each) => (each === hit ? left : each))
  return { hits: hits.filter((each) => each.cost > 0), windowMs: log.windowMs }
}
