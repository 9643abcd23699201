/** Header values by lower-case name; several of one name are joined by newlines. */
export type HeaderMap = ReadonlyMap<string, string>

const REMAINING = ['x-ratelimit-remaining', 'ratelimit-remaining', 'x-rate-limit-remaining']
const RESET = ['x-ratelimit-reset', 'ratelimit-reset', 'x-rate-limit-reset']
const SECONDS = /^\d{1,15}(\.\d{1,9})?$/
// RateLimit: "default";r=0;t=30 (draft-ietf-httpapi-ratelimit-headers-10, section 4.1).
const LEFT = /; *r=(\d{1,15})\b/
const UNTIL = /; *t=(\d{1,15})\b/

// Values above these are instants: seconds since 2001, ms since 1973.
const LEAST_EPOCH_SECONDS = 1e9
const LEAST_EPOCH_MS = 1e11

const MOST_MS = 365 * 86_400_000

/**
 * Milliseconds until the target takes requests again, as `Retry-After` (RFC 9110, section 10.2.3:
 * seconds or a date), else the rate headers, say; undefined when they do not, or name an instant
 * and neither `nowMs` nor a `Date` header says when it is.
 */
export function retryAfterMs(headers: HeaderMap, nowMs: number | undefined): number | undefined {
  const now = nowMs ?? dateMs(headers.get('date'))
  const after = headers.get('retry-after')
  if (after !== undefined) {
    const text = after.trim()
    const ms = SECONDS.test(text) ? Number(text) * 1000 : untilMs(dateMs(text), now)
    if (ms !== undefined) return bounded(ms)
  }
  for (const name of RESET) {
    const reset = headers.get(name)?.trim() ?? ''
    if (!SECONDS.test(reset)) continue
    const value = Number(reset)
    const ms =
      value >= LEAST_EPOCH_MS
        ? untilMs(value, now)
        : value >= LEAST_EPOCH_SECONDS
          ? untilMs(value * 1000, now)
          : value * 1000
    if (ms !== undefined) return bounded(ms)
  }
  const until = UNTIL.exec(headers.get('ratelimit') ?? '')
  return until === null ? undefined : bounded(Number(until[1]) * 1000)
}

/** Whether the rate headers say that nothing is left. */
export function isExhausted(headers: HeaderMap): boolean {
  for (const name of REMAINING) {
    const left = headers.get(name)
    if (left !== undefined && Number.parseFloat(left) <= 0) return true
  }
  const left = LEFT.exec(headers.get('ratelimit') ?? '')
  return left !== null && Number(left[1]) === 0
}

function bounded(ms: number): number {
  return Math.min(Math.ceil(ms), MOST_MS)
}

function untilMs(instantMs: number | undefined, nowMs: number | undefined): number | undefined {
  if (instantMs === undefined || nowMs === undefined) return undefined
  return Math.max(0, instantMs - nowMs)
}

function dateMs(text: string | undefined): number | undefined {
  // Bare numbers are dates to Date.parse ("-5" is May 2001), but none of HTTP's.
  if (text === undefined || text.length > 64 || !/^[A-Za-z]{3}/.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}
