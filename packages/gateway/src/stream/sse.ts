import type { ServerResponse } from 'node:http'

const HEARTBEAT_MS = 15_000

/** How a stream of server-sent events stands with its reader. */
export type Written = 'flowing' | 'full' | 'closed'

/** A stream of server-sent events (WHATWG HTML, 9.2) on an answer that is the caller's alone. */
export class EventStream {
  readonly #raw: ServerResponse
  readonly #heartbeat: NodeJS.Timeout

  constructor(raw: ServerResponse, headers: Readonly<Record<string, string>>) {
    this.#raw = raw
    raw.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    // A comment now and then keeps what is in between from ending a quiet connection.
    this.#heartbeat = setInterval(() => void this.#write(': alive\n\n'), HEARTBEAT_MS)
    raw.once('close', () => clearInterval(this.#heartbeat))
  }

  /** Bytes that the reader has not taken yet. */
  get pendingBytes(): number {
    return this.#raw.writableLength
  }

  send(event: string, data: unknown, id?: string): Written {
    const head = id === undefined ? '' : `id: ${id}\n`
    return this.#write(`${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /** Resolves when the reader has taken what is pending, or has gone. */
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

  end(): void {
    clearInterval(this.#heartbeat)
    if (!this.#raw.writableEnded) this.#raw.end()
  }

  #write(text: string): Written {
    const raw = this.#raw
    if (raw.destroyed || raw.writableEnded) return 'closed'
    return raw.write(text) ? 'flowing' : 'full'
  }
}
