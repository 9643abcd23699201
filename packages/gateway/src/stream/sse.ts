import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { StallWatch } from './stall.ts'

const DEFAULT_HEARTBEAT_MS = 15_000
const DEFAULT_STALL_MS = 30_000
const DEFAULT_LINGER_MS = 5_000

/** How a stream stands with its reader. */
export type Written = 'flowing' | 'full' | 'closed'

export interface EventStreamOptions {
  /** How often there is a comment, in ms. Default 15,000. */
  readonly heartbeatMs?: number
  /** How long the last of a stream may take to reach its reader, in ms. Default 5,000. */
  readonly lingerMs?: number
  /** How long a reader may take nothing of what waits for him, in ms. Default 30,000. */
  readonly stallMs?: number
  /** What is done about a reader who does not: told once. Default: he is hung up on. */
  readonly onStall?: () => void
}

/** Takes an answer over for a stream of events, with the headers that it has by then. */
export function takeForEvents(reply: FastifyReply, options?: EventStreamOptions): EventStream {
  reply.hijack()
  return new EventStream(reply.raw, reply.getHeaders(), options)
}

/**
 * A stream of server-sent events (WHATWG HTML, 9.2) on an answer that is the caller's alone. It bounds nothing by itself: who sends
 * looks at `pendingBytes`, and waits for `onTaken`.
 */
export class EventStream {
  readonly #raw: ServerResponse
  readonly #lingerMs: number
  readonly #stall: StallWatch
  readonly #heartbeat: NodeJS.Timeout
  #hasEnded = false

  constructor(
    raw: ServerResponse,
    headers: Readonly<Record<string, string | number | string[] | undefined>>,
    options: EventStreamOptions = {},
  ) {
    const { stallMs = DEFAULT_STALL_MS, onStall = () => raw.destroy() } = options
    const { heartbeatMs = DEFAULT_HEARTBEAT_MS, lingerMs = DEFAULT_LINGER_MS } = options
    this.#raw = raw
    this.#lingerMs = lingerMs
    this.#stall = new StallWatch(stallMs, onStall)
    raw.on('error', () => {})
    raw.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    // A comment now and then keeps what is in between from ending a quiet connection.
    this.#heartbeat = setInterval(() => this.#write(': alive\n\n'), heartbeatMs)
    raw.once('close', () => this.#stop())
  }

  /** Bytes that the system has not taken for the reader yet. */
  get pendingBytes(): number {
    return this.#raw.writableLength
  }

  /** Sends an event. `onTaken` is called once the system has taken it for the reader: never, if he goes before. */
  send(event: string, data: unknown, onTaken?: () => void): Written {
    return this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`, onTaken)
  }

  /** Resolves when the reader has taken what waits for him, or has gone. */
  drained(): Promise<void> {
    const raw = this.#raw
    if (raw.destroyed || !raw.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        raw.off('drain', done)
        raw.off('close', done)
        resolve()
      }
      raw.once('drain', done)
      raw.once('close', done)
    })
  }

  /** Ends the stream. A reader who does not take the rest in time is hung up on. */
  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#stop()
    const raw = this.#raw
    if (raw.destroyed) return
    const linger = setTimeout(() => raw.destroy(), this.#lingerMs)
    raw.once('close', () => clearTimeout(linger))
    raw.end(() => clearTimeout(linger))
  }

  #write(text: string, onTaken?: () => void): Written {
    const raw = this.#raw
    if (this.#hasEnded || raw.destroyed) return 'closed'
    this.#stall.sent()
    const isFlowing = raw.write(text, (error) => {
      this.#stall.taken()
      if (error === undefined || error === null) onTaken?.()
    })
    return isFlowing ? 'flowing' : 'full'
  }

  #stop(): void {
    clearInterval(this.#heartbeat)
    this.#stall.stop()
  }
}
