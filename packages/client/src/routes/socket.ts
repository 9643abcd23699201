import type { ConnectedMessage, ConnectMessage, SocketErrorMessage } from '@ostler/api'
import { mismatch, parsed } from '../call/answer.ts'
import { begin, persist } from '../call/persist.ts'
import { apiError, statusOf } from '../errors/api-error.ts'
import { APIConnectionError } from '../errors/connection-error.ts'
import { OstlerError } from '../errors/ostler-error.ts'
import { divided, patienceOf, type CallOptions, type Settings } from '../options.ts'
import type { Shape } from '../wire.ts'
import { TargetSocket } from './target-socket.ts'
import type { WebSocketLike } from './web-socket.ts'

/** How a target's WebSocket is opened. `headers` are the target's. */
export interface SocketOptions
  extends Omit<ConnectMessage, 'apiKey' | 'url'>, Omit<CallOptions, 'headers'> {
  /** Sub-protocols, of which the target chooses one. */
  readonly protocols?: readonly string[] | undefined
}

const CONNECTED: Shape = { type: 'string', node_id: 'string' }
const REFUSED: Shape = { type: 'string', code: 'string', message: 'string', details: {} }

/** Opens a target's WebSocket through the gateway, again where that helps. @throws OstlerError, as requests do */
export async function openSocket(
  settings: Settings,
  url: string | URL,
  options: SocketOptions,
): Promise<TargetSocket> {
  const { WebSocket, runtime, baseUrl, apiKey, logger } = settings
  if (WebSocket === undefined) {
    const message =
      "there is no WebSocket here (Node has one since 22): import { WebSocket } from 'ws', and pass it to the client"
    throw new OstlerError('INVALID_OPTIONS', message)
  }
  const { protocols = [], headers, ...others } = options
  const { call, rest: wishes } = divided(others)
  // The choice is the target's: the gateway is offered none.
  const offered = protocols.length === 0 ? {} : { 'sec-websocket-protocol': protocols.join(', ') }
  const message = { ...wishes, headers: { ...headers, ...offered }, apiKey, url: String(url) }
  const first = JSON.stringify(message)
  return persist({
    course: begin(patienceOf(settings, call), runtime),
    runtime,
    isRepeatable: true,
    waitsForAgent: true,
    attempt: async (signal) => {
      const socket = new WebSocket(`${baseUrl.replace(/^http/, 'ws')}ws`)
      return connected(
        socket,
        first,
        signal,
        (message) =>
          // At once: what comes right behind the message is the target's already.
          new TargetSocket(socket, message, call.signal),
      )
    },
    onRetry: (error, waitMs, retry) =>
      logger.warn?.(`ws: ${error.code}, again in ${Math.round(waitMs)} ms, retry ${retry}`),
  })
}

/** Sends the first message, and takes the answer to it. */
function connected<T>(
  socket: WebSocketLike,
  first: string,
  signal: AbortSignal,
  take: (answer: ConnectedMessage) => T,
): Promise<T> {
  socket.binaryType = 'arraybuffer'
  return new Promise((resolve, reject) => {
    let isAnswered = false
    const fail = (error: OstlerError): void => {
      isAnswered = true
      reject(error)
      socket.close()
    }
    signal.addEventListener('abort', () => socket.close(), { once: true })
    socket.addEventListener('open', () => socket.send(first))
    // What is wrong is told by the close that follows; but an error must find a listener.
    socket.addEventListener('error', (event) => {
      const { error, message = 'the WebSocket failed' } = event as {
        readonly error?: unknown
        readonly message?: string
      }
      if (!isAnswered) fail(new APIConnectionError(message, { cause: error }))
    })
    socket.addEventListener('close', ({ code, reason }) => {
      if (isAnswered) return
      fail(new APIConnectionError(`the gateway closed the WebSocket with ${code} ${reason}`.trim()))
    })
    socket.addEventListener('message', ({ data }) => {
      if (isAnswered) return
      isAnswered = true
      try {
        resolve(take(connectedMessage(String(data))))
      } catch (error) {
        fail(error as OstlerError)
      }
    })
  })
}

/** @throws OstlerError */
function connectedMessage(data: string): ConnectedMessage {
  const message = parsed(data)
  const { type } = (message ?? {}) as { readonly type?: unknown }
  if (type === 'connected' && mismatch(CONNECTED, message, '') === null) {
    return message as ConnectedMessage
  }
  if (type !== 'error' || mismatch(REFUSED, message, '') !== null) {
    const excerpt = data.slice(0, 512)
    const text = "the first message of the WebSocket is none of the gateway's"
    throw apiError({ status: 101, code: 'INVALID_ANSWER', message: text, excerpt })
  }
  const { code, message: text, details } = message as SocketErrorMessage
  if (code === 'CONNECT_TIMEOUT') throw new APIConnectionError(text)
  const retryAfter = retryAfterOf(details)
  throw apiError({ status: statusOf(code), code, message: text, details, retryAfter })
}

/** There are no headers that say it. */
function retryAfterOf({ retryAfterMs }: Readonly<Record<string, unknown>>): number | null {
  return typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? retryAfterMs / 1000 : null
}
