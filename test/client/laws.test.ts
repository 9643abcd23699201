import { ERRORS, type ApiErrorCode } from '@ostler/api'
import { Ostler } from '@ostler/client'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seed } from '../properties/replay.ts'
import { cut, deaf, fine, half, hang, later, refuse, scripted, type Step } from './rig/script.ts'

const RUNS = 300

/** What the other side may say of when to come back. */
const retryAfter = fc.oneof(
  fc.constantFrom('0', '1', '59', '60', '61', '7.5', '-1', 'soon', '1e3', '999999999999999', ''),
  fc.integer({ min: 0, max: 120 }).map(String),
  fc
    .integer({ min: -100, max: 100 })
    .map((s) => new Date(Date.UTC(2026, 0, 1) + s * 1000).toUTCString()),
)
const headers = fc.record(
  {
    'retry-after': retryAfter,
    'content-type': fc.constantFrom('application/json', 'text/html', 'text/event-stream', ''),
    'idempotent-replayed': fc.constant('true'),
    'x-ratelimit-limit': fc.constantFrom('60', 'many', ''),
    'x-ratelimit-reset': fc.constantFrom('1767225660', 'soon', '9'.repeat(30)),
    location: fc.constantFrom('/', 'http://elsewhere.example/', '::'),
  },
  { requiredKeys: [] },
)
/** Whatever may come as a body: JSON that is nearly right, any other, text, bytes. */
const body = fc.oneof(
  fc.json(),
  fc.uint8Array({ maxLength: 2000 }).map((bytes) => new Uint8Array(bytes)),
  fc.string({ maxLength: 2000 }),
  fc
    .record({
      error: fc.record({
        code: fc.oneof(fc.constantFrom(...Object.keys(ERRORS)), fc.string(), fc.integer()),
        message: fc.oneof(fc.string(), fc.constant(null)),
        details: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.constant([])),
      }),
      meta: fc.oneof(fc.record({ requestId: fc.string() }), fc.constant(null)),
    })
    .map((value) => JSON.stringify(value)),
)
const anything = fc
  .record({
    status: fc.oneof(
      fc.integer({ min: 200, max: 599 }),
      fc.constantFrom(200, 302, 409, 429, 500, 502, 503, 504),
    ),
    headers,
    body,
  })
  .map(({ status, headers, body }): Step => {
    const isEmpty = [204, 205, 304].includes(status)
    return () => new Response(isEmpty ? null : (body as string), { status, headers })
  })
const told = fc
  .tuple(fc.constantFrom(...(Object.keys(ERRORS) as ApiErrorCode[])), headers)
  .map(([code, headers]) => refuse(code, { ...headers, 'content-type': 'application/json' }))
const failing = fc.constantFrom(cut, hang, deaf, half('hangs'), half('is cut'))
const step = fc
  .tuple(fc.oneof(anything, told, failing, fc.constant(fine)), fc.integer({ min: 0, max: 3000 }))
  .map(([step, ms]) => (ms < 1000 ? step : later(ms - 1000, step)))

const call = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
  maxRetries: fc.integer({ min: 0, max: 5 }),
  timeoutMs: fc.integer({ min: 1, max: 5_000 }),
  totalTimeoutMs: fc.option(fc.integer({ min: 1, max: 60_000 }), { nil: undefined }),
  maxRetryDelayMs: fc.integer({ min: 0, max: 90_000 }),
  abortAtMs: fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined }),
  isPost: fc.boolean(),
})

test('whatever the other side does, a call ends in bounds, with its data or a typed error, and leaves nothing', async () => {
  let answers = 0
  const ends = new Set<string>()
  await fc.assert(
    fc.asyncProperty(call, async ({ steps, chance, abortAtMs, isPost, ...patience }) => {
      const { client, runtime, attempts } = scripted(steps)
      runtime.chance = chance
      const controller = new AbortController()
      const reason = new Error('enough')
      const callOff =
        abortAtMs === undefined
          ? () => undefined
          : runtime.after(abortAtMs, () => controller.abort(reason))
      const options = { ...patience, signal: controller.signal }
      const made = isPost
        ? client.fetch('http://shop.example/', { method: 'POST', ...options })
        : client.usage(options)
      const result = await runtime.settle<unknown>(made)
      callOff()

      const { maxRetries, timeoutMs, maxRetryDelayMs, totalTimeoutMs = Infinity } = patience
      const mostMs = (maxRetries + 1) * timeoutMs + maxRetries * maxRetryDelayMs
      expect(runtime.passedMs).toBeLessThanOrEqual(
        Math.min(mostMs, totalTimeoutMs, abortAtMs ?? Infinity),
      )
      expect(attempts.length).toBeLessThanOrEqual(maxRetries + 1)
      expect(runtime.pending).toBe(0)
      const keys = new Set(attempts.map(({ request }) => request.headers.get('idempotency-key')))
      expect(keys.size).toBeLessThanOrEqual(1)
      if (result.status === 'fulfilled') {
        answers++
        return
      }
      const error: unknown = result.reason
      if (!(error instanceof Ostler.OstlerError)) throw error
      ends.add(error.name)
      if (error instanceof Ostler.APIError) {
        expect(error.status).toBeGreaterThanOrEqual(200)
        expect(error.excerpt?.length ?? 0).toBeLessThanOrEqual(512)
        expect(error.message.length).toBeLessThan(3000)
      }
      if (error instanceof Ostler.RateLimitError)
        expect(String(error.resetAt)).not.toContain('Invalid')
      if (error instanceof Ostler.APIAbortError) expect(error.cause).toBe(reason)
    }),
    { numRuns: RUNS, seed },
  )
  // The script reaches what it is about.
  expect(answers).toBeGreaterThan(5)
  for (const name of ['APIError', 'APIAbortError', 'APIConnectionError', 'APITimeoutError']) {
    expect([...ends]).toContain(name)
  }
})

test('what is told to wait is waited for, and never shorter', async () => {
  const seconds = fc.integer({ min: 1, max: 60 })
  await fc.assert(
    fc.asyncProperty(fc.array(seconds, { minLength: 1, maxLength: 3 }), async (waits) => {
      const steps = waits.map((s) => refuse('RATE_LIMITED', { 'retry-after': String(s) }))
      const { client, runtime, attempts } = scripted([...steps, fine])
      runtime.chance = 0
      await runtime.settle(client.usage())
      const gaps = attempts.slice(1).map(({ atMs }, i) => atMs - attempts[i].atMs)
      expect(gaps).toEqual(waits.map((s) => s * 1000))
    }),
    { numRuns: RUNS, seed },
  )
})
