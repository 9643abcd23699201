import { closeCodeOf, CLOSE, type ApiErrorCode, type SocketErrorCode } from '@ostler/api'
import { failed } from '../fetch/run.ts'
import { apiErrorOf } from '../http/error-handler.ts'

/** Why a WebSocket does not come to be, or ends, as its caller is told. */
export class SocketFailure extends Error {
  readonly code: SocketErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: SocketErrorCode,
    message: string,
    options: {
      readonly details?: Readonly<Record<string, unknown>>
      readonly cause?: unknown
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SocketFailure'
    this.code = code
    this.details = options.details ?? {}
  }

  /** Whether the caller could not have done better. */
  get isOurs(): boolean {
    return closeCodeOf(this.code) === CLOSE.internal
  }
}

/** What any thrown value is to the caller of a WebSocket. */
export function socketFailureOf(error: unknown): SocketFailure {
  if (error instanceof SocketFailure) return error
  const { code, message, details, retryAfterMs, cause } = apiErrorOf(failed(error))
  const told = retryAfterMs === null ? details : { ...details, retryAfterMs }
  return new SocketFailure(code satisfies ApiErrorCode, message, { details: told, cause })
}
