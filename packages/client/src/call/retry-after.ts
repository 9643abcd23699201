const SECONDS = /^\d+(?:\.\d+)?$/
/** The three forms of a date of HTTP: RFC 9110, section 5.6.7. `Date.parse` alone takes almost anything for one. */
const DATE =
  /^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*, \d\d[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/

/**
 * Seconds to wait, as `Retry-After` says: a number, or a date (RFC 9110, section 10.2.3). A date is counted from the answer's own
 * `Date`, so that a clock that goes wrong here does not matter. Null where it says nothing that can be read.
 */
export function retryAfterOf(headers: Headers, nowMs: number): number | null {
  const text = headers.get('retry-after')?.trim() ?? ''
  // More digits than a number holds are a very long time, not none at all.
  if (SECONDS.test(text)) return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
  const untilMs = dateMs(text)
  if (untilMs === null) return null
  const fromMs = dateMs(headers.get('date')?.trim() ?? '') ?? nowMs
  return Math.max(0, (untilMs - fromMs) / 1000)
}

function dateMs(text: string): number | null {
  if (!DATE.test(text)) return null
  // The oldest form names no zone, and means GMT.
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(ms) ? null : ms
}
