import { ERRORS, type ApiErrorCode } from './errors.ts'

/** The first message of a WebSocket, as JSON, within {@link CONNECT_WITHIN_MS} of its opening. */
export interface ConnectMessage {
  readonly apiKey: string
  /** `ws:` or `wss:` (`http:` and `https:` are read as these). */
  readonly url: string
  /**
   * What the target is sent. With `sec-websocket-protocol` the target chooses one of those named; that is for callers who offered
   * none when they opened the WebSocket.
   */
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: Readonly<Record<string, string>>
  readonly geo?: string
  /** The id of the only agent that will do. */
  readonly agent?: string
  /** Seconds without a message in either direction after which it is closed; 1 to 3,600. Default 3,600. */
  readonly idle_timeout?: number
}

/** The answer to it: from now on all is relayed. */
export interface ConnectedMessage {
  readonly type: 'connected'
  readonly status: 101
  readonly node_id: string
  /** The sub-protocol that the target speaks, where it was offered any. */
  readonly protocol?: string
}

/** Any error of the registry, or that no message came in time. */
export type SocketErrorCode = ApiErrorCode | 'CONNECT_TIMEOUT'

/** What comes instead, before the close. */
export interface SocketErrorMessage {
  readonly type: 'error'
  readonly code: SocketErrorCode
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

export const CONNECT_WITHIN_MS = 10_000

/** Close codes of RFC 6455 that the gateway uses itself. */
export const CLOSE = {
  /** Nothing was said for `idle_timeout`. */
  normal: 1000,
  /** The gateway is shutting down; to a target: the caller is gone. */
  goingAway: 1001,
  /** The caller's doing: a bad or missing message, key, too many connections. */
  policy: 1008,
  /** The target failed, or no agent was available. */
  internal: 1011,
} as const

/** The close code that follows an error. */
export function closeCodeOf(code: SocketErrorCode): number {
  if (code === 'CONNECT_TIMEOUT') return CLOSE.policy
  if (code === 'SHUTTING_DOWN') return CLOSE.goingAway
  return ERRORS[code].status >= 500 ? CLOSE.internal : CLOSE.policy
}
