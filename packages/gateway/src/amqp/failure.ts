import {
  AMQP_ERRORS,
  type AmqpErrorCode,
  type AmqpErrorEvent,
  type AmqpSeverity,
} from '@ostler/api'

/** What a broker, or the way to it, did not do. Messages are for people, and never hold credentials. */
export class BrokerFailure extends Error {
  readonly code: AmqpErrorCode
  readonly severity: AmqpSeverity
  /** AMQP's own, where the broker gave one. */
  readonly replyCode: number | null

  constructor(
    code: AmqpErrorCode,
    message: string,
    options: { readonly severity?: AmqpSeverity; readonly replyCode?: number } = {},
  ) {
    super(message)
    this.name = 'BrokerFailure'
    this.code = code
    this.severity = options.severity ?? AMQP_ERRORS[code].severity
    this.replyCode = options.replyCode ?? null
  }
}

/** A failure as the stream tells it. All but warnings end the stream. */
export function errorEvent(failure: BrokerFailure, delivery?: string): AmqpErrorEvent {
  const { code, message, severity, replyCode } = failure
  return {
    code,
    message,
    severity,
    final: severity !== 'warning',
    ...(replyCode !== null && { replyCode }),
    ...(delivery !== undefined && { delivery }),
  }
}

/** Reply codes of AMQP 0-9-1 that have a code of their own here. */
const BY_REPLY: Readonly<Record<number, AmqpErrorCode>> = {
  311: 'MESSAGE_TOO_LARGE',
  403: 'ACCESS_REFUSED',
  404: 'NOT_FOUND',
  405: 'RESOURCE_LOCKED',
  406: 'PRECONDITION_FAILED',
}
const NOT_ALLOWED = 530

/** How the client library words what the broker closed: `connection closed: ACCESS_REFUSED - ... (403)`, `channel 1 closed: ...`. */
const CLOSED = /^(connection|channel \d+) closed: (.*) \((\d{3})\)$/s
const CANCELLED = /^Consumer cancelled by the server/

/**
 * What an error of the client library is, or null where it is none that the broker sent. The error itself goes no further: it holds
 * the connection, and so the credentials.
 * @param username is left out of what the broker says, as it may be half of a secret
 */
export function brokerFailure(error: unknown, username: string): BrokerFailure | null {
  if (error instanceof BrokerFailure) return error
  const text = error instanceof Error ? error.message : String(error)
  if (CANCELLED.test(text)) {
    const message = 'the broker has cancelled the consumer: the queue was deleted, or its node left'
    return new BrokerFailure('CONSUMER_CANCELLED', message)
  }
  const [, where, reason, digits] = CLOSED.exec(text) ?? []
  if (where === undefined) return null
  const replyCode = Number(digits)
  const isConnection = where === 'connection'
  const message = `the broker closed the ${isConnection ? 'connection' : 'channel'}: ${withoutUser(reason, username)}`
  const severity = isConnection ? 'fatal' : 'error'
  return new BrokerFailure(codeOf(replyCode, reason, isConnection), message, {
    severity,
    replyCode,
  })
}

function codeOf(replyCode: number, reason: string, isConnection: boolean): AmqpErrorCode {
  // RabbitMQ says so of a virtual host: that it is not there, or that the user may not enter it.
  if (replyCode === NOT_ALLOWED && isConnection) {
    if (/vhost .* not found/s.test(reason)) return 'NOT_FOUND'
    if (/access to vhost .* refused/s.test(reason)) return 'ACCESS_REFUSED'
  }
  return BY_REPLY[replyCode] ?? (isConnection ? 'CONNECTION_CLOSED' : 'CHANNEL_CLOSED')
}

function withoutUser(reason: string, username: string): string {
  return username === '' ? reason : reason.replaceAll(`'${username}'`, 'of these credentials')
}
