import {
  closeCodeOf,
  CLOSE,
  type ApiErrorCode,
  type SocketErrorCode,
  type SocketErrorMessage,
} from '@ostler/api'
import type { WebSocket } from 'ws'
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

/** Tells a caller what is wrong, and closes. Nothing where he is gone. */
export function refuse(client: WebSocket, { code, message, details }: SocketFailure): void {
  if (client.readyState !== client.OPEN) return
  const told: SocketErrorMessage = { type: 'error', code, message, details }
  client.send(JSON.stringify(told))
  client.close(closeCodeOf(code), closeReason(message))
}

const MOST_REASON_BYTES = 123

/** As much of a text as a close frame holds: RFC 6455, section 5.5. */
export function closeReason(text: string): string {
  if (Buffer.byteLength(text) <= MOST_REASON_BYTES) return text
  // A character that is cut in two decodes to one that stands for no other.
  const cut = Buffer.from(text).toString('utf8', 0, MOST_REASON_BYTES - 3)
  return cut.replace(/\uFFFD$/, '')
}
