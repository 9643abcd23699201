import type { ApiErrorCode } from './errors.ts'

/** The first message of a WebSocket, as JSON, within {@link CONNECT_WITHIN_MS} of its opening. */
export interface ConnectMessage {
  readonly apiKey: string
  /** `ws:` or `wss:` (`http:` and `https:` are read as these). */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: Readonly<Record<string, string>>
  readonly geo?: string
  /** The id of the only agent that will do. */
  readonly agent?: string
  /** Seconds without a message in either direction after which it is closed; 1 to 3,600. */
  readonly idle_timeout?: number
}

/** The answer to it: from now on all is relayed. */
export interface ConnectedMessage {
  readonly type: 'connected'
  readonly status: 101
  readonly node_id: string
}

/** What comes instead, before the close. */
export interface SocketErrorMessage {
  readonly type: 'error'
  readonly code: ApiErrorCode
  readonly message: string
}

export const CONNECT_WITHIN_MS = 10_000

/** Close codes of RFC 6455 that the gateway uses itself. */
export const CLOSE = {
  /** The gateway is shutting down. */
  goingAway: 1001,
  /** The caller's doing: a bad or missing message, key, too many connections. */
  policy: 1008,
  /** The target failed, or no agent was available. */
  internal: 1011,
} as const
