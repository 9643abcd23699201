export type AmqpErrorCode =
  | 'ACCESS_REFUSED'
  | 'NOT_FOUND'
  | 'RESOURCE_LOCKED'
  | 'PRECONDITION_FAILED'
  | 'CONSUMER_CANCELLED'
  | 'CHANNEL_CLOSED'
  | 'CONNECTION_CLOSED'
  | 'CONNECT_TIMEOUT'
  | 'AGENT_LOST'
  | 'NO_AGENT_AVAILABLE'
  | 'SLOW_READER'
  | 'MESSAGE_TOO_LARGE'
  | 'ACK_UNKNOWN'

/** What may go wrong between the gateway and a broker; `final`: the stream ends with it. */
export const AMQP_ERRORS: Readonly<Record<AmqpErrorCode, AmqpErrorEntry>> = {
  ACCESS_REFUSED: { final: true, title: 'The broker refuses these credentials, or access to this' },
  NOT_FOUND: { final: true, title: 'The broker has no such queue, exchange or virtual host' },
  RESOURCE_LOCKED: { final: true, title: 'Another connection holds the queue for itself' },
  PRECONDITION_FAILED: { final: true, title: 'The broker refuses what was asked of it' },
  CONSUMER_CANCELLED: { final: true, title: 'The broker has cancelled the consumer' },
  CHANNEL_CLOSED: { final: true, title: 'The broker has closed the channel' },
  CONNECTION_CLOSED: { final: true, title: 'The connection to the broker has ended' },
  CONNECT_TIMEOUT: { final: true, title: 'The broker did not answer in time' },
  AGENT_LOST: { final: true, title: 'The agent in between failed' },
  NO_AGENT_AVAILABLE: { final: true, title: 'No agent is available for the broker' },
  SLOW_READER: { final: true, title: 'The reader does not keep up' },
  MESSAGE_TOO_LARGE: { final: false, title: 'A message is larger than is streamed' },
  ACK_UNKNOWN: { final: false, title: 'There is no such delivery to acknowledge' },
}

export interface AmqpErrorEntry {
  readonly final: boolean
  readonly title: string
}

/** An `error` event of the stream. */
export interface AmqpErrorEvent {
  readonly code: AmqpErrorCode
  readonly message: string
  readonly severity: 'warning' | 'error'
  readonly final: boolean
}
