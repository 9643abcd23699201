export type AmqpErrorCode =
  | 'ACCESS_REFUSED'
  | 'NOT_FOUND'
  | 'RESOURCE_LOCKED'
  | 'PRECONDITION_FAILED'
  | 'CONSUMER_CANCELLED'
  | 'CHANNEL_CLOSED'
  | 'CONNECTION_CLOSED'
  | 'CONNECTION_BLOCKED'
  | 'CONNECT_TIMEOUT'
  | 'PROTOCOL_ERROR'
  | 'AGENT_LOST'
  | 'SLOW_READER'
  | 'MESSAGE_TOO_LARGE'
  | 'PERMIT_LOST'
  | 'KEY_REVOKED'

/** How much of what is between the gateway and the broker a failure takes with it. */
export type AmqpSeverity =
  /** Nothing: the stream goes on. */
  | 'warning'
  /** The channel, or the consumer on it: the broker and the credentials are good. */
  | 'error'
  /** The connection. */
  | 'fatal'

/**
 * What may go wrong between the gateway and a broker. `severity` is the usual one: an event says what it was. `retryable`: whether
 * the same request may succeed later without a change.
 */
export const AMQP_ERRORS: Readonly<Record<AmqpErrorCode, AmqpErrorEntry>> = {
  ACCESS_REFUSED: {
    severity: 'error',
    retryable: false,
    title: 'The broker refuses these credentials, or access to this',
  },
  NOT_FOUND: {
    severity: 'error',
    retryable: false,
    title: 'The broker has no such queue, exchange or virtual host',
  },
  RESOURCE_LOCKED: {
    severity: 'error',
    retryable: true,
    title: 'Another connection holds the queue for itself',
  },
  PRECONDITION_FAILED: {
    severity: 'error',
    retryable: false,
    title: 'The broker refuses what was asked of it, as things stand',
  },
  CONSUMER_CANCELLED: {
    severity: 'error',
    retryable: true,
    title: 'The broker has cancelled the consumer: its queue was deleted, or moved',
  },
  CHANNEL_CLOSED: {
    severity: 'error',
    retryable: true,
    title: 'The broker has closed the channel',
  },
  CONNECTION_CLOSED: {
    severity: 'fatal',
    retryable: true,
    title: 'The connection to the broker has ended',
  },
  CONNECTION_BLOCKED: {
    severity: 'error',
    retryable: true,
    title: 'The broker takes no messages for now: it is short of memory or disk',
  },
  CONNECT_TIMEOUT: {
    severity: 'fatal',
    retryable: true,
    title: 'The broker did not answer in time',
  },
  PROTOCOL_ERROR: {
    severity: 'fatal',
    retryable: false,
    title: 'What is there does not speak AMQP 0-9-1',
  },
  AGENT_LOST: { severity: 'fatal', retryable: true, title: 'The agent in between has gone' },
  SLOW_READER: {
    severity: 'fatal',
    retryable: true,
    title: 'The reader of the stream does not keep up',
  },
  MESSAGE_TOO_LARGE: {
    severity: 'warning',
    retryable: false,
    title: 'A message is larger than is streamed',
  },
  PERMIT_LOST: {
    severity: 'fatal',
    retryable: true,
    title: 'The stream could not be kept among those that may be open at once',
  },
  KEY_REVOKED: { severity: 'fatal', retryable: false, title: 'The API key was revoked' },
}

export interface AmqpErrorEntry {
  readonly severity: AmqpSeverity
  readonly retryable: boolean
  readonly title: string
}

/** The first event of a stream. */
export interface AmqpReadyEvent {
  /** Names the stream: for acknowledgements. */
  readonly stream: string
  readonly agent: { readonly id: string; readonly country: string | null }
  /** The broker's name for the queue, where the caller gave none. */
  readonly queue: string
  readonly ack: 'auto' | 'manual'
  readonly prefetch: number
  readonly requestId: string
}

/** A `message` event. */
export interface AmqpMessageEvent {
  /** Names the delivery within its stream: for acknowledgements. */
  readonly delivery: string
  readonly exchange: string
  readonly routingKey: string
  readonly redelivered: boolean
  readonly properties: AmqpProperties
  readonly body: string
  readonly encoding: 'text' | 'base64'
}

/** An `error` event. */
export interface AmqpErrorEvent {
  readonly code: AmqpErrorCode
  readonly message: string
  readonly severity: AmqpSeverity
  /** Whether the stream ends with it. */
  readonly final: boolean
  /** What the broker said, where it did: a reply code of AMQP 0-9-1, such as 404. */
  readonly replyCode?: number
  /** The delivery that it is about. */
  readonly delivery?: string
}

/** The last event of a stream, whatever ended it but the connection to its reader. */
export interface AmqpEndEvent {
  readonly reason: 'error' | 'shutdown'
  /** `message` events that were sent. */
  readonly messages: number
}

/** Properties of a message: AMQP 0-9-1's, by their usual names. Times are ISO 8601, bytes in headers are `{ "base64": ... }`. */
export interface AmqpProperties {
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly deliveryMode?: number
  readonly priority?: number
  readonly correlationId?: string
  readonly replyTo?: string
  readonly expiration?: string
  readonly messageId?: string
  readonly timestamp?: string
  readonly type?: string
  readonly userId?: string
  readonly appId?: string
}
