import type { SmoothPolicy } from './policy.ts'

/**
 * The smooth limiter: GCRA (ITU-T I.371), with a theoretical arrival time (TAT) per key and no log.
 * Cost drains at `limit` per window; up to `burst` may be outstanding. Bound: at most burst + limit
 * in any window.
 *
 * TAT is `wholeMs` + `rest` / `limit` ms, so that nothing is rounded: one cost is windowMs units of
 * 1/limit ms. All numbers stay below 2^53 (`policyProblems` sees to it). When a policy's limit
 * changed, the rest is rounded up to a whole ms; what is outstanding stays as long as it was, so a
 * new rate applies to new cost.
 */
export interface Tat {
  readonly wholeMs: number
  /** In units of 1/limit ms: 0 to limit - 1. */
  readonly rest: number
  /** The rate of the last admitted call. */
  readonly limit: number
  readonly windowMs: number
  /** All that is outstanding and was admitted from this instant on was admitted at this rate. */
  readonly sinceMs: number
}

export const EMPTY_TAT: Tat = { wholeMs: 0, rest: 0, limit: 1, windowMs: 1, sinceMs: 0 }

/**
 * Ms from `nowMs` until a call of `cost` is admitted: 0 where it is now, -1 where it never is (cost
 * > burst). Admitted means that the outstanding cost, with this call, is at most `burst`.
 */
export function gcraRetryMs(tat: Tat, policy: SmoothPolicy, cost: number, nowMs: number): number {
  if (cost > policy.burst) return -1
  // With d ms gone, (wholeMs - now - d) * limit + rest must be at most this room; solved for the
  // least d.
  const room = (policy.burst - cost) * policy.windowMs
  const exact = tat.limit === policy.limit
  const wholeMs = exact ? tat.wholeMs : restoredAtMs(tat)
  const rest = exact ? tat.rest : 0
  const waitMs = wholeMs - nowMs - Math.floor((room - rest) / policy.limit)
  return waitMs > 0 ? waitMs : 0
}

/** How much could be admitted at once at `nowMs`: 0 to burst. */
export function gcraRemaining(tat: Tat, policy: SmoothPolicy, nowMs: number): number {
  const exact = tat.limit === policy.limit
  const aheadMs = (exact ? tat.wholeMs : restoredAtMs(tat)) - nowMs
  const rest = exact ? tat.rest : 0
  if (aheadMs < 0) return policy.burst
  const whole = policy.burst * policy.windowMs
  // Far ahead only after a policy changed: the product would not be exact, and nothing is left
  // anyway.
  if (aheadMs > Math.floor(whole / policy.limit)) return 0
  return Math.max(0, Math.floor((whole - aheadMs * policy.limit - rest) / policy.windowMs))
}

/** TAT after an admitted call of `cost` at `nowMs`. */
export function gcraAdmit(tat: Tat, policy: SmoothPolicy, cost: number, nowMs: number): Tat {
  const { limit, windowMs } = policy
  const drained = restoredAtMs(tat) <= nowMs
  const exact = tat.limit === limit
  let wholeMs = drained ? nowMs : exact ? tat.wholeMs : restoredAtMs(tat)
  let rest = drained || !exact ? 0 : tat.rest
  const sameRate = exact && tat.windowMs === windowMs
  const sinceMs = drained ? nowMs : sameRate ? tat.sinceMs : nowMs + 1
  const units = cost * windowMs
  const steps = Math.floor(units / limit)
  wholeMs += steps
  rest += units - steps * limit
  if (rest >= limit) {
    rest -= limit
    wholeMs++
  }
  return { wholeMs, rest, limit, windowMs, sinceMs }
}

/**
 * TAT after giving back a call of `cost` at `atMs`: what of it can't have drained since, `cost`
 * less the time gone. More could exceed the bound: time that drained this call would have been idle
 * without it, and idle time is not saved. Null where nothing of it is left, or the rate has changed
 * since.
 */
export function gcraRefund(
  tat: Tat,
  policy: SmoothPolicy,
  cost: number,
  atMs: number,
  nowMs: number,
): Tat | null {
  const { limit, windowMs } = policy
  if (tat.limit !== limit || tat.windowMs !== windowMs || cost > policy.burst) return null
  if (atMs < tat.sinceMs || atMs > nowMs || restoredAtMs(tat) <= nowMs) return null
  const units = cost * windowMs
  const goneMs = nowMs - atMs
  if (goneMs > Math.floor(units / limit)) return null
  const back = units - goneMs * limit
  if (back === 0) return null
  const steps = Math.floor(back / limit)
  let wholeMs = tat.wholeMs - steps
  let rest = tat.rest - (back - steps * limit)
  if (rest < 0) {
    rest += limit
    wholeMs--
  }
  if (wholeMs < nowMs) return { ...tat, wholeMs: nowMs, rest: 0 }
  return { ...tat, wholeMs, rest }
}

/** The first millisecond at which nothing is outstanding any more. */
export function restoredAtMs(tat: Tat): number {
  return tat.rest > 0 ? tat.wholeMs + 1 : tat.wholeMs
}
