import { ERRORS, type ApiErrorCode } from '@ostler/api'

/** What is thrown to answer a request with an error: its status follows from its code. */
export class ApiError extends Error {
  readonly code: ApiErrorCode
  readonly details: Readonly<Record<string, unknown>>
  readonly retryAfterMs: number | null

  constructor(
    code: ApiErrorCode,
    message: string,
    options: {
      readonly details?: Readonly<Record<string, unknown>>
      /** When the same request may succeed; a header says so in whole seconds. */
      readonly retryAfterMs?: number | null
      readonly cause?: unknown
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ApiError'
    this.code = code
    this.details = options.details ?? {}
    this.retryAfterMs = options.retryAfterMs ?? null
  }

  get status(): number {
    return ERRORS[this.code].status
  }
}
