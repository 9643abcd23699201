import {
  AMQP_ERRORS,
  type AmqpErrorCode,
  type AmqpErrorEvent,
  type AmqpSeverity,
} from '@ostler/api'
import { named, OstlerError } from './ostler-error.ts'

/** A queue's stream ended because of the broker, or of what is between it and the gateway. */
export class AMQPError extends OstlerError {
  declare readonly name: 'AMQPError'
  declare readonly code: AmqpErrorCode
  readonly severity: AmqpSeverity
  /** The broker's own, where it gave one. */
  readonly replyCode: number | null
  /** Whether the same may succeed later without a change. */
  readonly retryable: boolean

  /** Names the request of the stream to those who run the gateway. */
  readonly requestId: string | null

  constructor({ code, message, severity, replyCode }: AmqpErrorEvent, requestId: string | null) {
    super(code, message)
    this.severity = severity
    this.requestId = requestId
    this.replyCode = replyCode ?? null
    this.retryable = AMQP_ERRORS[code]?.retryable ?? false
  }

  static {
    named(this, 'AMQPError')
  }
}
