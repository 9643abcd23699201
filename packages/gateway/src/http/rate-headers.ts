import { HEADERS } from '@ostler/api'
import type { Decision, Policy } from '@ostler/core'

/** The draft that `RateLimit` and `RateLimit-Policy` follow: its fields changed from draft to draft, so only this file knows them. */
export const RATE_LIMIT_DRAFT = 'draft-ietf-httpapi-ratelimit-headers-10'

type Told = Pick<
  Decision,
  'policy' | 'limit' | 'remaining' | 'resetAtMs' | 'atMs' | 'allowed' | 'retryAfterMs'
>

/**
 * What a caller is told of his limit with every answer that was counted. `X-RateLimit-Reset` is a Unix time in seconds, the others
 * count seconds from now; both are rounded up, so that who waits as long is not early.
 */
export function rateHeaders(
  decision: Told,
  policies: readonly Policy[],
): Readonly<Record<string, string>> {
  // A tier without policies limits nothing, and an empty list is no header.
  if (policies.length === 0) return {}
  const { limit, remaining, resetAtMs, atMs, policy } = decision
  const headers: Record<string, string> = {
    [HEADERS.limit]: String(limit),
    [HEADERS.remaining]: String(remaining),
    [HEADERS.reset]: String(Math.ceil(resetAtMs / 1000)),
    [HEADERS.rateLimit]: `"${policy}";r=${remaining};t=${secondsFrom(resetAtMs - atMs)}`,
    [HEADERS.rateLimitPolicy]: policies
      .map(({ name, limit: quota, windowMs }) => `"${name}";q=${quota};w=${secondsFrom(windowMs)}`)
      .join(', '),
  }
  if (!decision.allowed && decision.retryAfterMs >= 0) {
    headers[HEADERS.retryAfter] = String(secondsFrom(decision.retryAfterMs))
  }
  return headers
}

/** Whole seconds, rounded up, at least 1 where there is anything to wait for. */
export function secondsFrom(ms: number): number {
  return Math.max(0, Math.ceil(ms / 1000))
}
