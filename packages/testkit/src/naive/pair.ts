import type { ExclusionReason, Health, HealthPolicy } from '@ostler/core'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** What the naive model knows of an (exit, domain) pair; changed in place. */
export interface NaivePair {
  readonly exit: string
  readonly domain: string
  health: Health
  epoch: number
  strikes: number
  rung: number
  untilMs: number
  strikeAtMs: number
  okStreak: number
  limitedStreak: number
  reason: ExclusionReason
  manualUntilMs: number
  probe: { readonly leaseId: string; readonly deadlineMs: number } | null
  /** From then on nothing is known of the pair. */
  forgetAtMs: number
}

export function freshPair(exit: string, domain: string, epoch = 0): NaivePair {
  return {
    exit,
    domain,
    health: 'available',
    epoch,
    strikes: 0,
    rung: 0,
    untilMs: 0,
    strikeAtMs: 0,
    okStreak: 0,
    limitedStreak: 0,
    reason: 'manual',
    manualUntilMs: 0,
    probe: null,
    forgetAtMs: 0,
  }
}

/** How a pair stands at an instant, as one word; `excluded` is unavailable, or by hand. */
export type NaiveState = 'available' | 'limited' | 'excluded' | 'probation' | 'probing'

export function naiveStateAt(pair: NaivePair, nowMs: number): NaiveState {
  if (nowMs >= pair.forgetAtMs) return 'available'
  if (nowMs < pair.manualUntilMs) return 'excluded'
  if (nowMs < pair.untilMs) return pair.health === 'unavailable' ? 'excluded' : 'limited'
  if (pair.health !== 'unavailable') return 'available'
  return pair.probe !== null && nowMs < pair.probe.deadlineMs ? 'probing' : 'probation'
}

/** The first instant from `nowMs` on at which the pair is available or on probation, if nothing else happens. */
export function naivePickableAtMs(pair: NaivePair, nowMs: number): number {
  let atMs = nowMs
  for (;;) {
    const state = naiveStateAt(pair, atMs)
    if (state === 'available' || state === 'probation') return atMs
    const ends = [pair.untilMs, pair.manualUntilMs, pair.probe?.deadlineMs ?? 0, pair.forgetAtMs]
    atMs = Math.min(...ends.filter((endMs) => endMs > atMs))
  }
}

/**
 * After an event that changed what is known: forgotten when the strikes have decayed, an hour after the newest that is
 * announced at the earliest, on the whole minute.
 */
export function remember(pair: NaivePair, nowMs: number, policy: HealthPolicy): void {
  const announcedMs = Math.max(
    nowMs,
    pair.untilMs,
    pair.manualUntilMs,
    pair.probe === null ? 0 : pair.probe.deadlineMs,
  )
  const decayedMs =
    pair.strikes === 0
      ? 0
      : Math.max(pair.untilMs, pair.strikeAtMs) + pair.strikes * policy.strikeDecayMs
  const leastMs = Math.max(announcedMs + HOUR_MS, decayedMs)
  pair.forgetAtMs = Math.ceil(leastMs / MINUTE_MS) * MINUTE_MS
}

/** One strike fewer, and one rung lower, for each `strikeDecayMs` of silence. */
export function decay(pair: NaivePair, nowMs: number, policy: HealthPolicy): void {
  let fromMs = Math.max(pair.untilMs, pair.strikeAtMs)
  while (pair.strikes > 0 && nowMs >= fromMs + policy.strikeDecayMs) {
    fromMs += policy.strikeDecayMs
    pair.strikes--
    pair.rung = pair.strikes === 0 ? 0 : Math.max(0, pair.rung - 1)
    pair.strikeAtMs = fromMs
  }
}
