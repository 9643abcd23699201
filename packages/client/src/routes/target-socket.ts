import type { ConnectedMessage } from '@ostler/api'
import { APIAbortError, APIConnectionError } from '../errors/connection-error.ts'
import { OstlerError } from '../errors/ostler-error.ts'
import type { WebSocketLike } from './web-socket.ts'

/** Of what waits for its reader. WebSockets have no way to slow the other side down. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024
/** What a message takes besides what is in it: a million empty ones would else count as nothing. */
const MESSAGE_BYTES = 64
/** Of those that applications may use. */
const CLOSE_SLOW_READER = 4000

/** How a WebSocket ended: RFC 6455, section 7.4. */
export interface SocketEnd {
  readonly code: number
  readonly reason: string
}

/**
 * A target's WebSocket, through the gateway. Its messages are gone through once: `for await (const message of socket)`, text as
 * strings and the rest as bytes; who leaves the loop closes it, and so does the signal that it was opened with. What waits for its
 * reader is bounded (16 MiB): beyond that it is closed.
 */
export class TargetSocket implements AsyncIterable<string | ArrayBuffer> {
  /** The agent that the target sees. */
  readonly agent: string
  /** What the target speaks of the sub-protocols that it was offered; empty for none. */
  readonly protocol: string
  /** Resolves when it has ended, whoever ended it. */
  readonly closed: Promise<SocketEnd>
  readonly #socket: WebSocketLike
  readonly #waiting: (string | ArrayBuffer)[] = []
  #waitingBytes = 0
  #isTaken = false
  #end: SocketEnd | null = null
  #failure: OstlerError | null = null
  #wake: () => void = () => undefined

  constructor(socket: WebSocketLike, answer: ConnectedMessage, signal: AbortSignal | undefined) {
    this.#socket = socket
    this.agent = answer.node_id
    this.protocol = answer.protocol ?? ''
    const aborted = (): void => {
      this.#waiting.length = 0
      this.#fail(new APIAbortError(signal?.reason), 1000, '')
    }
    signal?.addEventListener('abort', aborted, { once: true })
    socket.addEventListener('message', ({ data }) => this.#take(data as string | ArrayBuffer))
    this.closed = new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason }) => {
        signal?.removeEventListener('abort', aborted)
        this.#end = { code, reason }
        this.#wake()
        resolve(this.#end)
      })
    })
  }

  send(data: string | ArrayBuffer | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data)
  }

  /** Ends it, and resolves when the other side agrees. `code`: 1000, or 3000 to 4999. */
  async close(code = 1000, reason?: string): Promise<SocketEnd> {
    this.#socket.close(code, reason)
    return this.closed
  }

  /** @throws APIConnectionError where it was lost, or ended for a fault (1002 to 1015 but 1005), APIAbortError, OstlerError SLOW_READER */
  async *[Symbol.asyncIterator](): AsyncGenerator<string | ArrayBuffer, void> {
    if (this.#isTaken) {
      throw new OstlerError('INVALID_REQUEST', 'the messages of a WebSocket are gone through once')
    }
    this.#isTaken = true
    try {
      for (;;) {
        // All at once: to take them off the front one by one would cost the square of their number.
        for (const message of this.#waiting.splice(0)) {
          if (this.#failure instanceof APIAbortError) break
          this.#waitingBytes -= sizeOf(message)
          yield message
        }
        if (this.#waiting.length > 0) continue
        if (this.#failure !== null) throw this.#failure
        if (this.#end !== null) return throwIfLost(this.#end)
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      this.#socket.close(1000)
    }
  }

  #take(message: string | ArrayBuffer): void {
    if (this.#failure !== null) return
    this.#waitingBytes += sizeOf(message)
    if (this.#waitingBytes > MOST_WAITING_BYTES) {
      const text = `more than ${MOST_WAITING_BYTES} bytes waited for the reader of a WebSocket`
      const error = new OstlerError('SLOW_READER', text)
      return this.#fail(error, CLOSE_SLOW_READER, 'the reader is too slow')
    }
    this.#waiting.push(message)
    this.#wake()
  }

  #fail(error: OstlerError, code: number, reason: string): void {
    this.#failure ??= error
    this.#socket.close(code, reason)
    this.#wake()
  }
}

function throwIfLost({ code, reason }: SocketEnd): void {
  // All that is no good-bye: 1006, nobody said one; 1008, the key was revoked; 1011, the target is lost; 1005 is one without a code.
  if (code < 1002 || code > 1015 || code === 1005) return
  throw new APIConnectionError(`the WebSocket was lost with ${code} ${reason}`.trim())
}

function sizeOf(message: string | ArrayBuffer): number {
  return MESSAGE_BYTES + (typeof message === 'string' ? message.length : message.byteLength)
}
