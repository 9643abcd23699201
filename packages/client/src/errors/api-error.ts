import { ERRORS, HEADERS, type ApiErrorCode, type FieldProblem } from '@ostler/api'
import { named, OstlerError } from './ostler-error.ts'

/** The last instant that a `Date` can be: ECMAScript, 21.4.1.1. */
const MOST_DATE_MS = 8.64e15

export interface APIErrorInit {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly requestId?: string | null
  readonly headers?: Headers
  readonly retryAfter?: number | null
  readonly excerpt?: string | null
}

/** The gateway answered, and not with what was asked for. */
export class APIError extends OstlerError {
  declare readonly code: ApiErrorCode | 'INVALID_ANSWER' | (string & {})
  readonly status: number
  readonly details: Readonly<Record<string, unknown>>
  /** Names the request to those who run the gateway. */
  readonly requestId: string | null
  readonly headers: Headers
  /** Seconds until the same request may succeed, where the answer says so. */
  readonly retryAfter: number | null
  /** The first 512 bytes of an answer that is none of the gateway's, such as the page of a proxy in between. */
  readonly excerpt: string | null

  constructor(init: APIErrorInit) {
    super(init.code, init.message)
    this.status = init.status
    this.details = init.details ?? {}
    this.headers = init.headers ?? new Headers()
    this.requestId = init.requestId ?? this.headers.get(HEADERS.requestId)
    this.retryAfter = init.retryAfter ?? null
    this.excerpt = init.excerpt ?? null
  }

  static {
    named(this, 'APIError')
  }
}

/** 400, 408, 413, 415, 417, 431: the gateway does not read such a request. */
export class BadRequestError extends APIError {
  declare readonly name: 'BadRequestError'
  static {
    named(this, 'BadRequestError')
  }
}

/** 401: the API key is missing or malformed. */
export class AuthenticationError extends APIError {
  declare readonly name: 'AuthenticationError'
  static {
    named(this, 'AuthenticationError')
  }
}

/** 403: the API key is unknown or revoked, or the target is not fetched. */
export class ForbiddenError extends APIError {
  declare readonly name: 'ForbiddenError' | 'InsufficientScopeError'
  static {
    named(this, 'ForbiddenError')
  }
}

/** 403 INSUFFICIENT_SCOPE: the API key lacks a scope. */
export class InsufficientScopeError extends ForbiddenError {
  declare readonly name: 'InsufficientScopeError'
  static {
    named(this, 'InsufficientScopeError')
  }
}

/** 404: there is nothing of this name. (A target's own 404 is an answer, not an error.) */
export class NotFoundError extends APIError {
  declare readonly name: 'NotFoundError'
  static {
    named(this, 'NotFoundError')
  }
}

/** 409: the operation conflicts with what is there, or its idempotency key is still in use. */
export class ConflictError extends APIError {
  declare readonly name: 'ConflictError' | 'IdempotencyKeyReusedError'
  static {
    named(this, 'ConflictError')
  }
}

/** 409 IDEMPOTENCY_KEY_REUSED: the idempotency key was used with another request. */
export class IdempotencyKeyReusedError extends ConflictError {
  declare readonly name: 'IdempotencyKeyReusedError'
  static {
    named(this, 'IdempotencyKeyReusedError')
  }
}

/** 422: fields of the request are not as they must be. */
export class ValidationError extends APIError {
  declare readonly name: 'ValidationError'
  /** Each with its path, such as `body.timeout`, and what is wrong with it. */
  readonly fields: readonly FieldProblem[]

  constructor(init: APIErrorInit) {
    super(init)
    const { fields } = this.details
    this.fields = Array.isArray(fields) ? (fields as readonly FieldProblem[]) : []
  }

  static {
    named(this, 'ValidationError')
  }
}

/** 429: too many requests, or too many streams at once. `retryAfter` says how many seconds to wait. */
export class RateLimitError extends APIError {
  declare readonly name: 'RateLimitError'
  /** Requests that are allowed in a window. */
  readonly limit: number | null
  readonly remaining: number | null
  /** When the whole limit is restored. */
  readonly resetAt: Date | null

  constructor(init: APIErrorInit) {
    super(init)
    const told = (name: string): number | null => numberOf(this.headers.get(name))
    this.limit = told(HEADERS.limit) ?? numberOf(this.details['limit'])
    this.remaining = told(HEADERS.remaining)
    const resetMs = (told(HEADERS.reset) ?? NaN) * 1000
    this.resetAt = Math.abs(resetMs) <= MOST_DATE_MS ? new Date(resetMs) : null
  }

  static {
    named(this, 'RateLimitError')
  }
}

/** 502 NO_AGENT_AVAILABLE. `retryAfter`: when the first agent is back, in seconds; null where time alone does not help. */
export class NoAgentAvailableError extends APIError {
  declare readonly name: 'NoAgentAvailableError'
  /** Whose agents are all excluded or busy. */
  readonly domain: string | null

  constructor(init: APIErrorInit) {
    super(init)
    const { domain } = this.details
    this.domain = typeof domain === 'string' ? domain : null
  }

  static {
    named(this, 'NoAgentAvailableError')
  }
}

/** 504 TARGET_TIMEOUT: the target did not answer within the `timeout` of the request. */
export class TargetTimeoutError extends APIError {
  declare readonly name: 'TargetTimeoutError'
  static {
    named(this, 'TargetTimeoutError')
  }
}

/** 500 and above: the gateway, its store, an agent or the target failed. `code` says which. */
export class InternalServerError extends APIError {
  declare readonly name: 'InternalServerError'
  static {
    named(this, 'InternalServerError')
  }
}

type APIErrorClass = new (init: APIErrorInit) => APIError

const BY_CODE: Readonly<Partial<Record<ApiErrorCode, APIErrorClass>>> = {
  INSUFFICIENT_SCOPE: InsufficientScopeError,
  IDEMPOTENCY_KEY_REUSED: IdempotencyKeyReusedError,
  NO_AGENT_AVAILABLE: NoAgentAvailableError,
  TARGET_TIMEOUT: TargetTimeoutError,
}

const BY_STATUS: Readonly<Record<number, APIErrorClass>> = {
  400: BadRequestError,
  401: AuthenticationError,
  403: ForbiddenError,
  404: NotFoundError,
  408: BadRequestError,
  409: ConflictError,
  413: BadRequestError,
  415: BadRequestError,
  417: BadRequestError,
  422: ValidationError,
  429: RateLimitError,
  431: BadRequestError,
}

/** The error of an answer, of the class that its code, else its status, asks for. */
export function apiError(init: APIErrorInit): APIError {
  const { status, code } = init
  const byCode = Object.hasOwn(BY_CODE, code) ? BY_CODE[code as ApiErrorCode] : undefined
  const Class = byCode ?? BY_STATUS[status] ?? (status >= 500 ? InternalServerError : APIError)
  return new Class(init)
}

/** The status of an error that comes without one: in a stream, or on a WebSocket. */
export function statusOf(code: string): number {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as ApiErrorCode].status : 500
}

function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}
