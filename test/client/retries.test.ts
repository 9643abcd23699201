import { getEventListeners } from 'node:events'
import { ERRORS } from '@ostler/api'
import { Ostler, type CallOptions, type ClientOptions, type Runtime } from '@ostler/client'
import { describe, expect, test } from 'vitest'
import {
  blocked,
  cut,
  deaf,
  events,
  fine,
  half,
  hang,
  later,
  page,
  refuse,
  scripted,
  type Step,
} from './rig/script.ts'

/** What is asked for. All but `usage` are POST. */
type Call =
  | 'usage'
  | 'fetch'
  | 'fetch POST'
  /** Without an idempotency key. */
  | 'fetch POST, no key'
  | 'fetch GET, no key'
  | 'publish, no key'
  /** Up to the first event of a stream. */
  | 'watch'
  | 'consume'

/** One case: what the other side does, attempt by attempt, and what comes of it. */
interface Row {
  readonly name: string
  readonly steps: readonly Step[]
  /** Default: usage. */
  readonly call?: Call
  readonly client?: ClientOptions
  readonly options?: CallOptions & { readonly retryOnBlocked?: number }
  /** What chance gives, 0 to 1. Default 1: the longest waits. */
  readonly chance?: number
  /** When the caller gives up, in ms. */
  readonly abortAtMs?: number
  /** When each attempt begins, in ms. */
  readonly at: readonly number[]
  /** Of the error, and its code; or ok. */
  readonly end: string
  /** When the call ends, in ms. Default: with its last attempt. */
  readonly endMs?: number
  /** How many idempotency keys all attempts have. Default: 1 for POST with a key, 0 else. */
  readonly keys?: number
}

const NO_AGENT = (retryAfter: string): Step =>
  refuse('NO_AGENT_AVAILABLE', { 'retry-after': retryAfter }, { domain: 'shop.example' })
const LIMITED = (retryAfter: string): Step => refuse('RATE_LIMITED', { 'retry-after': retryAfter })
const REPLAYED = { 'idempotent-replayed': 'true' }
const FOUR = [0, 1_000, 3_000, 7_000]

// prettier-ignore
const STATUSES: readonly Row[] = [
  { name: 'an answer', steps: [fine], at: [0], end: 'ok' },
  { name: 'BAD_REQUEST', steps: [refuse('BAD_REQUEST')], at: [0], end: 'BadRequestError BAD_REQUEST' },
  { name: 'MISSING_TARGET_URL', steps: [refuse('MISSING_TARGET_URL')], at: [0], end: 'BadRequestError MISSING_TARGET_URL' },
  { name: 'INVALID_TARGET_URL', steps: [refuse('INVALID_TARGET_URL')], at: [0], end: 'BadRequestError INVALID_TARGET_URL' },
  { name: 'INVALID_GEO', steps: [refuse('INVALID_GEO')], at: [0], end: 'BadRequestError INVALID_GEO' },
  { name: 'UNAUTHORIZED', steps: [refuse('UNAUTHORIZED')], at: [0], end: 'AuthenticationError UNAUTHORIZED' },
  { name: 'FORBIDDEN', steps: [refuse('FORBIDDEN')], at: [0], end: 'ForbiddenError FORBIDDEN' },
  { name: 'INSUFFICIENT_SCOPE', steps: [refuse('INSUFFICIENT_SCOPE')], at: [0], end: 'InsufficientScopeError INSUFFICIENT_SCOPE' },
  { name: 'TARGET_FORBIDDEN', steps: [refuse('TARGET_FORBIDDEN')], at: [0], end: 'ForbiddenError TARGET_FORBIDDEN' },
  { name: 'NOT_FOUND', steps: [refuse('NOT_FOUND')], at: [0], end: 'NotFoundError NOT_FOUND' },
  { name: 'CONFLICT', steps: [refuse('CONFLICT')], at: [0], end: 'ConflictError CONFLICT' },
  { name: 'PAYLOAD_TOO_LARGE', steps: [refuse('PAYLOAD_TOO_LARGE')], at: [0], end: 'BadRequestError PAYLOAD_TOO_LARGE' },
  { name: 'UNSUPPORTED_MEDIA_TYPE', steps: [refuse('UNSUPPORTED_MEDIA_TYPE')], at: [0], end: 'BadRequestError UNSUPPORTED_MEDIA_TYPE' },
  { name: 'VALIDATION_ERROR', steps: [refuse('VALIDATION_ERROR')], at: [0], end: 'ValidationError VALIDATION_ERROR' },
  { name: 'REQUEST_TIMEOUT', steps: [refuse('REQUEST_TIMEOUT')], at: FOUR, end: 'BadRequestError REQUEST_TIMEOUT' },
  { name: 'EXPECTATION_FAILED', steps: [refuse('EXPECTATION_FAILED')], at: [0], end: 'BadRequestError EXPECTATION_FAILED' },
  { name: 'HEADERS_TOO_LARGE', steps: [refuse('HEADERS_TOO_LARGE')], at: [0], end: 'BadRequestError HEADERS_TOO_LARGE' },
  { name: 'RATE_LIMITED without a time', steps: [refuse('RATE_LIMITED')], at: FOUR, end: 'RateLimitError RATE_LIMITED' },
  { name: 'INTERNAL_ERROR', steps: [refuse('INTERNAL_ERROR')], at: FOUR, end: 'InternalServerError INTERNAL_ERROR' },
  { name: 'BAD_GATEWAY', steps: [refuse('BAD_GATEWAY')], at: FOUR, end: 'InternalServerError BAD_GATEWAY' },
  { name: 'STORE_UNAVAILABLE', steps: [refuse('STORE_UNAVAILABLE')], at: FOUR, end: 'InternalServerError STORE_UNAVAILABLE' },
  { name: 'OVERLOADED', steps: [refuse('OVERLOADED')], at: FOUR, end: 'InternalServerError OVERLOADED' },
  { name: 'SHUTTING_DOWN', steps: [refuse('SHUTTING_DOWN')], at: FOUR, end: 'InternalServerError SHUTTING_DOWN' },
  { name: 'TARGET_TIMEOUT', steps: [refuse('TARGET_TIMEOUT')], at: FOUR, end: 'TargetTimeoutError TARGET_TIMEOUT' },
  { name: 'an error, then an answer', steps: [refuse('INTERNAL_ERROR'), fine], at: [0, 1_000], end: 'ok' },
  { name: 'another error each time', steps: [page(502), cut, refuse('RATE_LIMITED'), fine], at: FOUR, end: 'ok' },
  { name: 'an error that passes, then one that stays', steps: [refuse('OVERLOADED'), refuse('FORBIDDEN')], at: [0, 1_000], end: 'ForbiddenError FORBIDDEN' },
]

// prettier-ignore
const STRANGERS: readonly Row[] = [
  { name: 'a page with 408', steps: [page(408)], at: FOUR, end: 'BadRequestError INVALID_ANSWER' },
  { name: 'a page with 429', steps: [page(429)], at: FOUR, end: 'RateLimitError INVALID_ANSWER' },
  { name: 'a page with 500', steps: [page(500)], at: FOUR, end: 'InternalServerError INVALID_ANSWER' },
  { name: 'a page with 502', steps: [page(502)], at: FOUR, end: 'InternalServerError INVALID_ANSWER' },
  { name: 'a page with 503', steps: [page(503)], at: FOUR, end: 'InternalServerError INVALID_ANSWER' },
  { name: 'a page with 503 that names a time', steps: [page(503, { 'retry-after': '7' }), fine], at: [0, 7_000], end: 'ok' },
  { name: 'a page with 504', steps: [page(504)], at: FOUR, end: 'InternalServerError INVALID_ANSWER' },
  { name: 'a page with 501', steps: [page(501)], at: [0], end: 'InternalServerError INVALID_ANSWER' },
  { name: 'a page with 404', steps: [page(404)], at: [0], end: 'NotFoundError INVALID_ANSWER' },
  { name: 'a page with 409', steps: [page(409)], at: [0], end: 'ConflictError INVALID_ANSWER' },
  { name: 'a page with 418', steps: [page(418)], at: [0], end: 'APIError INVALID_ANSWER' },
  { name: 'a page with 200', steps: [page(200)], at: [0], end: 'APIError INVALID_ANSWER' },
  { name: 'a redirect', steps: [() => Response.redirect('http://elsewhere.example/', 302)], at: [0], end: 'APIError REDIRECTED' },
]

// prettier-ignore
const WAITS: readonly Row[] = [
  { name: 'Retry-After in seconds', steps: [LIMITED('7'), fine], at: [0, 7_000], end: 'ok' },
  { name: 'Retry-After with a fraction', steps: [LIMITED('0.25'), fine], at: [0, 250], end: 'ok' },
  { name: 'Retry-After, longer each time', steps: [LIMITED('5'), LIMITED('10'), fine], at: [0, 5_000, 15_000], end: 'ok' },
  { name: 'Retry-After of just as long as is waited', steps: [LIMITED('60'), fine], at: [0, 60_000], end: 'ok' },
  { name: 'Retry-After of more than a minute', steps: [LIMITED('61'), fine], at: [0], end: 'RateLimitError RATE_LIMITED' },
  { name: 'Retry-After of more than is allowed to be waited', steps: [LIMITED('6'), fine], client: { maxRetryDelayMs: 5_000 }, at: [0], end: 'RateLimitError RATE_LIMITED' },
  { name: 'Retry-After of more than a call allows', steps: [LIMITED('6'), fine], options: { maxRetryDelayMs: 5_000 }, at: [0], end: 'RateLimitError RATE_LIMITED' },
  { name: 'Retry-After of more than a minute, where that may be waited', steps: [LIMITED('300'), fine], options: { maxRetryDelayMs: 600_000 }, at: [0, 300_000], end: 'ok' },
  { name: 'Retry-After as a date', steps: [LIMITED('Thu, 01 Jan 2026 00:00:09 GMT'), fine], at: [0, 9_000], end: 'ok' },
  { name: 'Retry-After as a date of RFC 850', steps: [LIMITED('Thursday, 01-Jan-26 00:00:09 GMT'), fine], at: [0, 9_000], end: 'ok' },
  { name: 'Retry-After as a date of asctime', steps: [LIMITED('Thu Jan  1 00:00:09 2026'), fine], at: [0, 9_000], end: 'ok' },
  { name: 'Retry-After as a date, by the clock of the answer', steps: [refuse('RATE_LIMITED', { 'retry-after': 'Thu, 01 Jan 2026 05:00:09 GMT', date: 'Thu, 01 Jan 2026 05:00:00 GMT' }), fine], at: [0, 9_000], end: 'ok' },
  { name: 'Retry-After as a date in an hour', steps: [LIMITED('Thu, 01 Jan 2026 01:00:00 GMT'), fine], at: [0], end: 'RateLimitError RATE_LIMITED' },
  { name: 'Retry-After as a date that is over', steps: [LIMITED('Thu, 01 Jan 2015 00:00:00 GMT'), fine], at: [0, 1_000], end: 'ok' },
  { name: 'Retry-After: 0', steps: [LIMITED('0'), fine], at: [0, 1_000], end: 'ok' },
  { name: 'Retry-After: -5', steps: [LIMITED('-5'), fine], at: [0, 1_000], end: 'ok' },
  { name: 'Retry-After: banana 2027', steps: [LIMITED('banana 2027'), fine], at: [0, 1_000], end: 'ok' },
  { name: 'Retry-After: 1e3', steps: [LIMITED('1e3'), fine], at: [0, 1_000], end: 'ok' },
  { name: 'Retry-After: 999999999999', steps: [LIMITED('999999999999'), fine], at: [0], end: 'RateLimitError RATE_LIMITED' },
  { name: 'Retry-After of more digits than a number holds', steps: [LIMITED('9'.repeat(20)), fine], at: [0], end: 'RateLimitError RATE_LIMITED' },
  { name: 'Retry-After of more than there are numbers for', steps: [LIMITED('9'.repeat(400)), fine], at: [0], end: 'RateLimitError RATE_LIMITED' },
  { name: 'no agent, and when one is back', steps: [NO_AGENT('23'), fine], call: 'fetch', at: [0, 23_000], end: 'ok' },
  { name: 'no agent for a long time', steps: [NO_AGENT('300'), fine], call: 'fetch', at: [0], end: 'NoAgentAvailableError NO_AGENT_AVAILABLE' },
  { name: 'no agent, and no time that would help', steps: [refuse('NO_AGENT_AVAILABLE'), fine], call: 'fetch', at: [0], end: 'NoAgentAvailableError NO_AGENT_AVAILABLE' },
  { name: 'the operation still runs', steps: [refuse('IDEMPOTENCY_IN_PROGRESS', { 'retry-after': '2' }), fine], call: 'fetch POST', at: [0, 2_000], end: 'ok' },
  { name: 'half of the longest waits', steps: [cut], chance: 0.5, at: [0, 500, 1_500, 3_500], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'the shortest waits', steps: [cut], chance: 0, at: [0, 0, 0, 0], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'waits that grow to a minute at most', steps: [cut], options: { maxRetries: 8 }, at: [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000, 183_000], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'chance does not shorten what was told', steps: [LIMITED('7'), fine], chance: 0, at: [0, 7_000], end: 'ok' },
]

// prettier-ignore
const COUNTS: readonly Row[] = [
  { name: 'no retries', steps: [cut], client: { maxRetries: 0 }, at: [0], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'no retries of one call', steps: [cut], options: { maxRetries: 0 }, at: [0], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'more retries of one call', steps: [cut], client: { maxRetries: 0 }, options: { maxRetries: 1 }, at: [0, 1_000], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'an answer at the last attempt', steps: [cut, cut, cut, fine], at: FOUR, end: 'ok' },
]

// prettier-ignore
const METHODS: readonly Row[] = [
  { name: 'GET, cut off', steps: [cut, fine], at: [0, 1_000], end: 'ok' },
  { name: 'POST with a key, cut off', steps: [cut, cut, fine], call: 'fetch POST', at: [0, 1_000, 3_000], end: 'ok', keys: 1 },
  { name: 'POST with a key, cut amid the answer', steps: [half('is cut'), fine], call: 'fetch POST', at: [0, 1_000], end: 'ok', keys: 1 },
  { name: 'POST without a key, cut off', steps: [cut, fine], call: 'fetch POST, no key', at: [0], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'POST without a key, cut amid the answer', steps: [half('is cut'), fine], call: 'fetch POST, no key', at: [0], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'POST without a key, timed out', steps: [hang, fine], call: 'fetch POST, no key', options: { timeoutMs: 500 }, at: [0], end: 'APITimeoutError TIMEOUT', endMs: 500 },
  { name: 'POST without a key, and 500', steps: [refuse('INTERNAL_ERROR'), fine], call: 'fetch POST, no key', at: [0], end: 'InternalServerError INTERNAL_ERROR' },
  { name: 'POST without a key, and 504', steps: [refuse('TARGET_TIMEOUT'), fine], call: 'fetch POST, no key', at: [0], end: 'TargetTimeoutError TARGET_TIMEOUT' },
  { name: 'POST without a key, too many requests', steps: [LIMITED('2'), fine], call: 'fetch POST, no key', at: [0, 2_000], end: 'ok' },
  { name: 'POST without a key, overloaded', steps: [refuse('OVERLOADED'), fine], call: 'fetch POST, no key', at: [0, 1_000], end: 'ok' },
  { name: 'POST without a key that did not arrive in time', steps: [refuse('REQUEST_TIMEOUT'), fine], call: 'fetch POST, no key', at: [0, 1_000], end: 'ok' },
  { name: 'POST without a key, and 408 of a stranger', steps: [page(408), fine], call: 'fetch POST, no key', at: [0], end: 'BadRequestError INVALID_ANSWER' },
  { name: 'POST without a key, shutting down', steps: [refuse('SHUTTING_DOWN'), fine], call: 'fetch POST, no key', at: [0], end: 'InternalServerError SHUTTING_DOWN' },
  { name: 'POST without a key, no agent', steps: [NO_AGENT('3'), fine], call: 'fetch POST, no key', at: [0, 3_000], end: 'ok' },
  { name: 'a target that may be asked again without a key', steps: [cut, fine], call: 'fetch GET, no key', at: [0, 1_000], end: 'ok' },
  { name: 'a message without a key', steps: [cut, fine], call: 'publish, no key', at: [0], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'a key that was used with another request', steps: [refuse('IDEMPOTENCY_KEY_REUSED'), fine], call: 'fetch POST', at: [0], end: 'IdempotencyKeyReusedError IDEMPOTENCY_KEY_REUSED' },
  { name: 'a key that was used with another request, with Retry-After', steps: [refuse('IDEMPOTENCY_KEY_REUSED', { 'retry-after': '1' }), fine], call: 'fetch POST', at: [0], end: 'IdempotencyKeyReusedError IDEMPOTENCY_KEY_REUSED' },
  { name: 'an error that is given again', steps: [refuse('TARGET_TIMEOUT'), refuse('TARGET_TIMEOUT', REPLAYED), fine], call: 'fetch POST', at: [0, 1_000], end: 'TargetTimeoutError TARGET_TIMEOUT' },
]

// prettier-ignore
const BLOCKS: readonly Row[] = [
  { name: 'a block', steps: [blocked, fine], call: 'fetch', at: [0], end: 'ok, blocked' },
  { name: 'a block that is retried', steps: [blocked, fine], call: 'fetch', options: { retryOnBlocked: 2 }, at: [0, 0], end: 'ok', keys: 2 },
  { name: 'blocks without end', steps: [blocked], call: 'fetch', options: { retryOnBlocked: 2 }, at: [0, 0, 0], end: 'ok, blocked', keys: 3 },
  { name: 'a block, and no other agent', steps: [blocked, refuse('NO_AGENT_AVAILABLE')], call: 'fetch', options: { retryOnBlocked: 5 }, at: [0, 0], end: 'ok, blocked', keys: 2 },
  { name: 'a block, and no other agent for a while', steps: [blocked, NO_AGENT('20'), fine], call: 'fetch', options: { retryOnBlocked: 5 }, at: [0, 0], end: 'ok, blocked', keys: 2 },
  { name: 'a block, and then a connection that fails once', steps: [blocked, cut, fine], call: 'fetch', options: { retryOnBlocked: 1 }, at: [0, 0, 1_000], end: 'ok', keys: 2 },
  { name: 'retries are those of the call, however many agents are tried', steps: [cut, blocked, cut], call: 'fetch', options: { retryOnBlocked: 1, maxRetries: 2 }, at: [0, 1_000, 1_000, 3_000], end: 'APIConnectionError CONNECTION_FAILED', keys: 2 },
  { name: 'so is its time', steps: [later(400, blocked)], call: 'fetch', options: { retryOnBlocked: 9, totalTimeoutMs: 1_000 }, at: [0, 400, 800], end: 'APITimeoutError TIMEOUT', endMs: 1_000, keys: 3 },
]

// prettier-ignore
const STREAMS: readonly Row[] = [
  { name: 'a stream', steps: [events], call: 'watch', at: [0], end: 'ok' },
  { name: 'a stream whose connection fails', steps: [cut, events], call: 'watch', at: [0, 1_000], end: 'ok' },
  { name: 'a stream that hangs before it begins', steps: [hang, events], call: 'watch', options: { timeoutMs: 500 }, at: [0, 1_500], end: 'ok' },
  { name: 'a stream that is refused', steps: [refuse('FORBIDDEN')], call: 'watch', at: [0], end: 'ForbiddenError FORBIDDEN' },
  { name: 'a stream that is a page', steps: [page(200)], call: 'watch', at: [0], end: 'APIError INVALID_ANSWER' },
  { name: 'too many streams at once', steps: [LIMITED('3'), events], call: 'consume', at: [0, 3_000], end: 'ok' },
  { name: 'a queue, and no agent', steps: [NO_AGENT('5'), events], call: 'consume', at: [0, 5_000], end: 'ok' },
  { name: 'a queue whose connection fails', steps: [cut, events], call: 'consume', at: [0, 1_000], end: 'ok' },
]

// prettier-ignore
const TIMES: readonly Row[] = [
  { name: 'an attempt that hangs', steps: [hang, fine], options: { timeoutMs: 500 }, at: [0, 1_500], end: 'ok' },
  { name: 'attempts that hang', steps: [hang], options: { timeoutMs: 500, maxRetries: 1 }, at: [0, 1_500], end: 'APITimeoutError TIMEOUT', endMs: 2_000 },
  { name: 'an attempt whose fetch is deaf', steps: [deaf, fine], options: { timeoutMs: 500 }, at: [0, 1_500], end: 'ok' },
  { name: 'a body that stops', steps: [half('hangs'), fine], options: { timeoutMs: 500 }, at: [0, 1_500], end: 'ok' },
  { name: 'an attempt of a minute', steps: [hang], client: { maxRetries: 0 }, at: [0], end: 'APITimeoutError TIMEOUT', endMs: 60_000 },
  { name: 'the time of the whole call, amid an attempt', steps: [hang], options: { totalTimeoutMs: 700 }, at: [0], end: 'APITimeoutError TIMEOUT', endMs: 700 },
  { name: 'the time of the whole call, amid the second attempt', steps: [cut, hang], options: { totalTimeoutMs: 1_700 }, at: [0, 1_000], end: 'APITimeoutError TIMEOUT', endMs: 1_700 },
  { name: 'a wait that would outlast the call', steps: [cut, fine], options: { totalTimeoutMs: 900 }, at: [0], end: 'APIConnectionError CONNECTION_FAILED' },
  { name: 'a Retry-After that would outlast the call', steps: [LIMITED('5'), fine], options: { totalTimeoutMs: 4_000 }, at: [0], end: 'RateLimitError RATE_LIMITED' },
  { name: 'waits that fit into the call, up to one that does not', steps: [cut], options: { totalTimeoutMs: 5_000 }, at: [0, 1_000, 3_000], end: 'APIConnectionError CONNECTION_FAILED' },
]

// prettier-ignore
const ABORTS: readonly Row[] = [
  { name: 'before anything is sent', steps: [fine], abortAtMs: 0, at: [], end: 'APIAbortError ABORTED' },
  { name: 'while connecting', steps: [hang], abortAtMs: 300, at: [0], end: 'APIAbortError ABORTED', endMs: 300 },
  { name: 'while a fetch is deaf', steps: [deaf], abortAtMs: 300, at: [0], end: 'APIAbortError ABORTED', endMs: 300 },
  { name: 'amid the body', steps: [half('hangs')], abortAtMs: 300, at: [0], end: 'APIAbortError ABORTED', endMs: 300 },
  { name: 'amid the body of an error', steps: [later(200, () => new Response(new ReadableStream(), { status: 500 }))], abortAtMs: 300, at: [0], end: 'APIAbortError ABORTED', endMs: 300 },
  { name: 'in the first back-off', steps: [cut], abortAtMs: 300, at: [0], end: 'APIAbortError ABORTED', endMs: 300 },
  { name: 'in the second back-off', steps: [cut], abortAtMs: 2_500, at: [0, 1_000], end: 'APIAbortError ABORTED', endMs: 2_500 },
  { name: 'amid a Retry-After', steps: [LIMITED('30')], abortAtMs: 10_000, at: [0], end: 'APIAbortError ABORTED', endMs: 10_000 },
  { name: 'in the second attempt', steps: [cut, hang], abortAtMs: 1_300, at: [0, 1_000], end: 'APIAbortError ABORTED', endMs: 1_300 },
  { name: 'after a block, in the next attempt', steps: [blocked, hang], call: 'fetch', options: { retryOnBlocked: 1 }, abortAtMs: 300, at: [0, 0], end: 'APIAbortError ABORTED', endMs: 300, keys: 2 },
  { name: 'when all is done', steps: [fine], abortAtMs: 300, at: [0], end: 'ok' },
]

const TABLE = { STATUSES, STRANGERS, WAITS, COUNTS, METHODS, BLOCKS, STREAMS, TIMES, ABORTS }
const REASON = new Error('the caller had enough')

describe.each(Object.entries(TABLE))('%s', (_, rows) => {
  test.each(rows)('$name', async (row) => {
    const { steps, client: more = {}, chance = 1, abortAtMs, call = 'usage' } = row
    const { client, runtime, attempts } = scripted(steps, more)
    runtime.chance = chance
    const controller = new AbortController()
    if (abortAtMs === 0) controller.abort(REASON)
    const callOff =
      abortAtMs === undefined || abortAtMs === 0
        ? () => undefined
        : runtime.after(abortAtMs, () => controller.abort(REASON))
    const options = { ...row.options, signal: controller.signal }
    const result = await runtime.settle(made(client, call, options))
    callOff()

    expect(attempts.map(({ atMs }) => atMs)).toEqual(row.at)
    expect(endOf(result)).toBe(row.end)
    expect(runtime.passedMs).toBe(row.endMs ?? row.at.at(-1) ?? 0)
    if (result.status === 'rejected' && result.reason instanceof Ostler.APIAbortError) {
      expect(result.reason.cause).toBe(REASON)
    }
    // Nothing is left behind.
    expect(runtime.pending).toBe(0)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    const keys = attempts.map(({ request }) => request.headers.get('idempotency-key'))
    const named = call.startsWith('fetch') && !call.endsWith('no key') && keys.length > 0
    expect(new Set(keys.filter((key) => key !== null)).size).toBe(row.keys ?? (named ? 1 : 0))
  })
})

test('a wait that ends too late is followed by no attempt', async () => {
  const clock = scripted([]).runtime
  // As machines have it that are busy, or were asleep.
  const runtime: Runtime = {
    nowMs: () => clock.nowMs(),
    random: () => 1,
    after: (ms, callback) => clock.after(ms + 5, callback),
  }
  const { client, attempts } = scripted([cut], { runtime, totalTimeoutMs: 1_003 })
  const result = await clock.settle(client.usage())
  expect(result).toMatchObject({ reason: { name: 'APITimeoutError', timeoutMs: 1_003 } })
  expect(attempts).toHaveLength(1)
  expect(clock.pending).toBe(0)
})

test('the table has at least 60 cases, each of another name', () => {
  const rows = Object.values(TABLE).flat()
  expect(rows.length).toBeGreaterThanOrEqual(60)
  expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
})

test('the table has every code that the gateway answers with', () => {
  const told = Object.values(TABLE)
    .flat()
    .map(({ end }) => end.split(' ')[1])
  // Another one is waited for in every row that has it.
  const waited = ['IDEMPOTENCY_IN_PROGRESS']
  expect(Object.keys(ERRORS).filter((code) => !told.includes(code))).toEqual(waited)
})

function made(client: Ostler, call: Call, options: CallOptions): PromiseLike<unknown> {
  const url = 'http://shop.example/p/1'
  switch (call) {
    case 'usage':
      return client.usage(options)
    case 'fetch':
      return client.fetch(url, options)
    case 'fetch POST':
      return client.fetch(url, { method: 'POST', body: 'Oats', ...options })
    case 'fetch POST, no key':
      return client.fetch(url, { method: 'POST', idempotencyKey: null, ...options })
    case 'fetch GET, no key':
      return client.fetch(url, { idempotencyKey: null, ...options })
    case 'publish, no key':
      return client.amqp.publish({
        url: 'amqp://broker.example',
        routingKey: 'q',
        body: 'Oats',
        idempotencyKey: null,
        ...options,
      })
    case 'watch':
      return firstOf(client.network.watch('shop.example', options))
    case 'consume':
      return firstOf(client.amqp.consume({ url: 'amqp://broker.example', queue: 'q', ...options }))
    default:
      return call satisfies never
  }
}

async function firstOf<T>(stream: AsyncIterable<T>): Promise<T> {
  for await (const first of stream) return first
  throw new Error('nothing came')
}

function endOf(result: PromiseSettledResult<unknown>): string {
  if (result.status === 'fulfilled') {
    const { meta } = result.value as { readonly meta?: { readonly blocked: boolean } }
    return meta?.blocked === true ? 'ok, blocked' : 'ok'
  }
  if (!(result.reason instanceof Ostler.OstlerError)) return String(result.reason)
  return `${result.reason.name} ${result.reason.code}`
}
