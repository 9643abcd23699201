import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { SocketFailure } from './failure.ts'
import { FRAME_COST_BYTES, type Frame } from './flow.ts'

/** The longest first message, and what a caller without one is read at all, in bytes. */
const MOST_FIRST_BYTES = 64 * 1024
/** Pongs that may wait for a caller who does not read, before he is given up. */
const MOST_PONGS = 60

/** The caller is gone before anything could be answered. */
export class CallerGone extends Error {
  constructor() {
    super('the caller is gone')
    this.name = 'CallerGone'
  }
}

/** A caller's WebSocket until its target is there: reads the first message, and holds back what comes after it. */
export class Reception {
  readonly client: WebSocket
  /** What the caller has said too early, in order. */
  readonly early: Frame[] = []
  readonly #most: number
  #earlyBytes = 0
  #pongs = 0
  #first: ((data: Buffer, isBinary: boolean) => void) | null = null

  /** @param mostEarlyBytes what is held back before the caller is not read any more */
  constructor(client: WebSocket, mostEarlyBytes: number) {
    this.client = client
    this.#most = mostEarlyBytes
    client.on('message', this.#hear).on('ping', this.#answer)
  }

  /**
   * The first message, a text. @throws SocketFailure BAD_REQUEST, CONNECT_TIMEOUT; CallerGone; the signal's reason
   * @param socket the connection itself: what a caller without a key sends is counted before it is put together
   */
  async first(socket: Socket, withinMs: number, signal: AbortSignal): Promise<string> {
    const { client } = this
    const startBytes = socket.bytesRead
    let settle = (): void => {}
    try {
      return await new Promise((resolve, reject) => {
        this.#first = (data, isBinary) => {
          this.#first = null
          if (isBinary) reject(badRequest('the first message must be text, got a binary one'))
          else if (data.length > MOST_FIRST_BYTES) reject(tooLong())
          else resolve(data.toString())
        }
        const late = (): void => reject(timeout(withinMs))
        const timer = setTimeout(late, withinMs)
        const gone = (): void => reject(new CallerGone())
        const stop = (): void => reject(signal.reason as Error)
        // Called after the WebSocket has read the same bytes.
        const count = (): void => {
          const bytes = socket.bytesRead - startBytes
          if (this.#first !== null && bytes > MOST_FIRST_BYTES) reject(tooLong())
        }
        client.once('close', gone)
        socket.on('data', count)
        signal.addEventListener('abort', stop, { once: true })
        settle = () => {
          clearTimeout(timer)
          client.off('close', gone)
          socket.off('data', count)
          signal.removeEventListener('abort', stop)
        }
        if (client.readyState !== client.OPEN) gone()
        if (signal.aborted) stop()
      })
    } finally {
      settle()
      this.#first = null
    }
  }

  /** Ends the reception: the caller is now another's to hear. */
  end(): void {
    this.client.off('message', this.#hear).off('ping', this.#answer)
  }

  readonly #hear = (data: Buffer, isBinary: boolean): void => {
    if (this.#first !== null) {
      this.#first(data, isBinary)
      return
    }
    this.early.push({ kind: 'message', data, isBinary })
    this.#earlyBytes += data.length + FRAME_COST_BYTES
    // From here on it also takes the target to notice that the caller is gone: but that takes seconds at most.
    if (this.#earlyBytes > this.#most) this.client.pause()
  }

  readonly #answer = (data: Buffer): void => {
    if (this.#pongs >= MOST_PONGS) {
      this.client.terminate()
      return
    }
    this.#pongs++
    this.client.pong(data, false, () => this.#pongs--)
  }
}

function badRequest(message: string): SocketFailure {
  return new SocketFailure('BAD_REQUEST', message)
}

function tooLong(): SocketFailure {
  return badRequest(`the first message must have at most ${MOST_FIRST_BYTES} bytes`)
}

function timeout(withinMs: number): SocketFailure {
  const message = `no message with apiKey and url came within ${withinMs / 1000} s`
  return new SocketFailure('CONNECT_TIMEOUT', message)
}
