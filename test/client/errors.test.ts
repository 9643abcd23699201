import * as client from '@ostler/client'
import { Ostler, OstlerError, RateLimitError } from '@ostler/client'
import { OstlerError as CoreError } from '@ostler/core'
import { ERRORS, type ApiErrorCode } from '@ostler/api'
import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import { cut, page, refuse, scripted } from './rig/script.ts'

/** Each class, and the classes that it is one of. */
const TREE: Readonly<Record<string, readonly string[]>> = {
  OstlerError: [],
  APIError: ['OstlerError'],
  BadRequestError: ['OstlerError', 'APIError'],
  AuthenticationError: ['OstlerError', 'APIError'],
  ForbiddenError: ['OstlerError', 'APIError'],
  InsufficientScopeError: ['OstlerError', 'APIError', 'ForbiddenError'],
  NotFoundError: ['OstlerError', 'APIError'],
  ConflictError: ['OstlerError', 'APIError'],
  IdempotencyKeyReusedError: ['OstlerError', 'APIError', 'ConflictError'],
  ValidationError: ['OstlerError', 'APIError'],
  RateLimitError: ['OstlerError', 'APIError'],
  NoAgentAvailableError: ['OstlerError', 'APIError'],
  TargetTimeoutError: ['OstlerError', 'APIError'],
  InternalServerError: ['OstlerError', 'APIError'],
  APIConnectionError: ['OstlerError'],
  APITimeoutError: ['OstlerError', 'APIConnectionError'],
  APIAbortError: ['OstlerError'],
  AMQPError: ['OstlerError'],
}

type ErrorClass = new (...args: unknown[]) => Error
const classes = (from: object): Readonly<Record<string, ErrorClass>> =>
  from as Readonly<Record<string, ErrorClass>>

/** What every class can be made of. */
const INIT = { status: 400, code: 'X', message: 'm' }

test('each class is exported, and a member of the client', () => {
  for (const name of Object.keys(TREE)) {
    expect(classes(Ostler)[name], name).toBe(classes(client)[name])
  }
  const members = Object.keys(Ostler).filter((name) => name.endsWith('Error'))
  expect(members.sort()).toEqual(Object.keys(TREE).sort())
})

describe.each(Object.entries(TREE))('%s', (name, above) => {
  const made = (from: object): Error => new (classes(from)[name])(INIT)

  test('is what it is named, and one of those above it, and of no other', () => {
    const error = made(client)
    expect(error.name).toBe(name)
    const known = Object.keys(TREE).filter((other) => error instanceof classes(client)[other])
    expect(known.sort()).toEqual([name, ...above].sort())
    expect(error).toBeInstanceOf(Error)
    expect(String(error.stack)).toMatch(new RegExp(`^${name}: `))
  })

  test('is known to another copy of the package', async () => {
    vi.resetModules()
    const copy: object = await import('@ostler/client')
    expect(classes(copy)[name]).not.toBe(classes(client)[name])
    const error = made(copy)
    const known = Object.keys(TREE).filter((other) => error instanceof classes(client)[other])
    expect(known.sort()).toEqual([name, ...above].sort())
  })
})

test('what is no error of ours is none', () => {
  const core = new CoreError('INVALID_GEO', 'm')
  for (const value of [null, undefined, 7, 'RateLimitError', {}, new Error('m'), core]) {
    expect(value instanceof OstlerError).toBe(false)
    expect(value instanceof RateLimitError).toBe(false)
  }
})

test('a class that somebody derives is its own', () => {
  class QuotaError extends RateLimitError {}
  const init = { status: 429, code: 'RATE_LIMITED', message: 'm' }
  expect(new QuotaError(init) instanceof QuotaError).toBe(true)
  expect(new QuotaError(init) instanceof RateLimitError).toBe(true)
  expect(new RateLimitError(init) instanceof QuotaError).toBe(false)
})

test('the compiler tells them apart', () => {
  const error = new Error('m') as unknown
  if (error instanceof Ostler.NotFoundError) expectTypeOf(error.status).toBeNumber()
  else if (error instanceof Ostler.RateLimitError) {
    expectTypeOf(error.retryAfter).toEqualTypeOf<number | null>()
    expectTypeOf(error.resetAt).toEqualTypeOf<Date | null>()
  } else if (error instanceof Ostler.ValidationError) {
    expectTypeOf(error.fields[0].path).toBeString()
  }
  // Classes of the same fields are none of one another.
  const other = error as InstanceType<typeof Ostler.APIError>
  if (other instanceof Ostler.NotFoundError) return
  if (other instanceof Ostler.ForbiddenError) expectTypeOf(other.name).not.toBeNever()
})

test.each(Object.keys(ERRORS) as ApiErrorCode[])('%s keeps what the gateway said', async (code) => {
  const headers = { 'x-request-id': 'req_1', 'x-odd': 'yes' }
  const steps = [refuse(code, headers, { why: 'so' })]
  const { client: asked, runtime } = scripted(steps, { maxRetries: 0 })
  const result = await runtime.settle(asked.usage())
  if (result.status !== 'rejected') throw new Error('it did not fail')
  expect(result.reason).toBeInstanceOf(Ostler.APIError)
  expect(result.reason).toMatchObject({
    status: ERRORS[code].status,
    code,
    message: `${code} it is`,
    details: { why: 'so' },
    requestId: 'req_1',
    excerpt: null,
  })
  expect(result.reason.headers.get('x-odd')).toBe('yes')
})

test('no error and no line of the log holds the key or the target', async () => {
  const lines: string[] = []
  const log = (line: string): void => void lines.push(line)
  const { client: asked, runtime } = scripted([cut, page(502), refuse('RATE_LIMITED')], {
    apiKey: 'ak_test_hush',
    maxRetries: 2,
    logger: { debug: log, info: log, warn: log },
  })
  const url = 'http://shop.example/secret'
  const result = await runtime.settle(asked.fetch(url, { body: 'secret' }))
  if (result.status !== 'rejected') throw new Error('it did not fail')
  const { inspect } = await import('node:util')
  const all = [inspect(result.reason, { depth: 9, showHidden: true }), inspect(asked), ...lines]
  for (const text of all) expect(text).not.toMatch(/hush|secret/)
  expect(lines).toEqual([
    'POST /fetch',
    'POST /fetch: CONNECTION_FAILED, again in 1000 ms, retry 1 of 2',
    'POST /fetch: INVALID_ANSWER, again in 2000 ms, retry 2 of 2',
  ])
})
