/** Names of headers, in lower case as Node gives them. */
export const HEADERS = {
  apiKey: 'x-api-key',
  targetUrl: 'x-target-url',
  geo: 'x-geo',
  session: 'x-session',
  requestId: 'x-request-id',
  idempotencyKey: 'idempotency-key',
  idempotentReplayed: 'idempotent-replayed',
  limit: 'x-ratelimit-limit',
  remaining: 'x-ratelimit-remaining',
  reset: 'x-ratelimit-reset',
  retryAfter: 'retry-after',
  rateLimit: 'ratelimit',
  rateLimitPolicy: 'ratelimit-policy',
} as const

/** What an API key may be allowed to do. */
export type Scope = 'fetch' | 'ws' | 'amqp' | 'usage' | 'network' | 'debug' | 'admin'

export const SCOPES: readonly Scope[] = [
  'fetch',
  'ws',
  'amqp',
  'usage',
  'network',
  'debug',
  'admin',
]
