import { classify, type Outcome } from '@ostler/core'

/** What came back of a dispatch, as any policy sees it. */
export interface Response {
  readonly name: ResponseName
  /** 0 when the agent itself failed. */
  readonly status: number
  readonly outcome: Outcome
}

export type ResponseName =
  'page' | 'missing' | 'too_many' | 'challenge' | 'denied' | 'error' | 'outage' | 'offline'

const PAGE = '<!doctype html><title>Lamps</title><h1>Lamps</h1><p>Forty lamps, in stock.</p>'
const CHALLENGE =
  '<!doctype html><title>Just a moment...</title><p>Verify you are human by completing the ' +
  'action below.</p><script src="/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page"></script>'
const DENIED =
  '<!doctype html><title>Access denied</title><h1>Access denied</h1>' +
  '<p>Your network is blocked.</p>'

/**
 * The responses of the world. What each means is not decided here: the scheduler's own `classify`
 * reads status, headers and body, as a gateway would have it do. `offline` is the one that a
 * gateway knows by itself.
 */
export function responses(retryAfterMs: number): Readonly<Record<ResponseName, Response>> {
  const seconds = String(Math.ceil(retryAfterMs / 1000))
  return {
    page: read('page', 200, {}, PAGE),
    missing: read('missing', 404, {}, 'Not found'),
    too_many: read('too_many', 429, { 'retry-after': seconds }, 'Too many requests'),
    challenge: read('challenge', 403, { 'cf-mitigated': 'challenge' }, CHALLENGE),
    denied: read('denied', 403, {}, DENIED),
    error: read('error', 500, {}, 'Internal server error'),
    outage: read('outage', 503, {}, 'Service unavailable'),
    offline: {
      name: 'offline',
      status: 0,
      outcome: { kind: 'agent_error', evidence: 'CONNECT refused' },
    },
  }
}

function read(
  name: ResponseName,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): Response {
  const { outcome } = classify({ status, headers, body, url: 'https://lamps.example/' })
  return { name, status, outcome }
}
