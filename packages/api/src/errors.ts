export type ApiErrorCode =
  | 'BAD_REQUEST'
  | 'MISSING_TARGET_URL'
  | 'INVALID_TARGET_URL'
  | 'INVALID_GEO'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'INSUFFICIENT_SCOPE'
  | 'TARGET_FORBIDDEN'
  | 'NOT_FOUND'
  | 'REQUEST_TIMEOUT'
  | 'CONFLICT'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'IDEMPOTENCY_IN_PROGRESS'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'EXPECTATION_FAILED'
  | 'VALIDATION_ERROR'
  | 'RATE_LIMITED'
  | 'HEADERS_TOO_LARGE'
  | 'INTERNAL_ERROR'
  | 'NO_AGENT_AVAILABLE'
  | 'BAD_GATEWAY'
  | 'STORE_UNAVAILABLE'
  | 'OVERLOADED'
  | 'SHUTTING_DOWN'
  | 'TARGET_TIMEOUT'

/**
 * Every error that the gateway answers with, by its code. Codes are stable: messages may improve, codes and statuses may not
 * change. `retryable`: whether the same request may succeed later without a change.
 */
export const ERRORS: Readonly<Record<ApiErrorCode, ApiErrorEntry>> = {
  BAD_REQUEST: { status: 400, retryable: false, title: 'The request is not one the gateway reads' },
  MISSING_TARGET_URL: { status: 400, retryable: false, title: 'The request names no target' },
  INVALID_TARGET_URL: {
    status: 400,
    retryable: false,
    title: 'The target is no http or https URL',
  },
  INVALID_GEO: {
    status: 400,
    retryable: false,
    title: 'The geo hint is in none of the known forms',
  },
  UNAUTHORIZED: { status: 401, retryable: false, title: 'The API key is missing or malformed' },
  FORBIDDEN: { status: 403, retryable: false, title: 'The API key is unknown or revoked' },
  INSUFFICIENT_SCOPE: { status: 403, retryable: false, title: 'The API key lacks a scope' },
  TARGET_FORBIDDEN: {
    status: 403,
    retryable: false,
    title: 'The target is at an address that is not fetched',
  },
  NOT_FOUND: { status: 404, retryable: false, title: 'There is nothing of this name' },
  REQUEST_TIMEOUT: { status: 408, retryable: true, title: 'The request did not arrive in time' },
  CONFLICT: { status: 409, retryable: false, title: 'The operation conflicts with what is there' },
  IDEMPOTENCY_KEY_REUSED: {
    status: 409,
    retryable: false,
    title: 'The idempotency key was used with another request',
  },
  IDEMPOTENCY_IN_PROGRESS: {
    status: 409,
    retryable: true,
    title: 'The request of this idempotency key is still running',
  },
  PAYLOAD_TOO_LARGE: { status: 413, retryable: false, title: 'The body is too large' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    retryable: false,
    title: 'The body is of a type that is not read',
  },
  EXPECTATION_FAILED: {
    status: 417,
    retryable: false,
    title: 'The request expects what the gateway does not do',
  },
  VALIDATION_ERROR: {
    status: 422,
    retryable: false,
    title: 'Fields of the request are not as they must be',
  },
  RATE_LIMITED: { status: 429, retryable: true, title: 'Too many requests' },
  HEADERS_TOO_LARGE: { status: 431, retryable: false, title: 'The headers are too large' },
  INTERNAL_ERROR: { status: 500, retryable: true, title: 'Something went wrong in the gateway' },
  NO_AGENT_AVAILABLE: {
    status: 502,
    retryable: true,
    title: 'No agent is available for the target',
  },
  BAD_GATEWAY: {
    status: 502,
    retryable: true,
    title: 'The agent or the target did not answer properly',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    title: 'What the gateway must remember is out of reach',
  },
  OVERLOADED: { status: 503, retryable: true, title: 'As much is under way as may be' },
  SHUTTING_DOWN: { status: 503, retryable: true, title: 'The gateway is shutting down' },
  TARGET_TIMEOUT: { status: 504, retryable: true, title: 'The target did not answer in time' },
}

export interface ApiErrorEntry {
  readonly status: number
  readonly retryable: boolean
  /** What it is called, without the particulars: RFC 9457's title. */
  readonly title: string
}

/** One field of a request that is not as it must be. */
export interface FieldProblem {
  /** Such as `body.timeout`. */
  readonly path: string
  /** Ends in the offending value. */
  readonly message: string
}

/** How errors are answered. */
export interface ErrorEnvelope {
  readonly error: {
    readonly code: ApiErrorCode
    readonly message: string
    readonly details: Readonly<Record<string, unknown>>
  }
  readonly meta: { readonly requestId: string }
}

/** The same for who asks for `application/problem+json`: RFC 9457, with the envelope's parts as extensions. */
export interface ErrorProblem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ApiErrorCode
  readonly details: Readonly<Record<string, unknown>>
  readonly requestId: string
}

export const PROBLEM_TYPE = 'application/problem+json'

/** An error as a problem. Its type is a name and not an address: nothing has to be served there. */
export function problemOf({ error, meta }: ErrorEnvelope): ErrorProblem {
  const { status, title } = ERRORS[error.code]
  const { code, message, details } = error
  const type = `urn:ostler:error:${code.toLowerCase()}`
  return { type, title, status, detail: message, code, details, requestId: meta.requestId }
}
