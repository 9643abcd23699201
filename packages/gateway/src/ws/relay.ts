import { randomBytes } from 'node:crypto'
import { CLOSE, closeCodeOf } from '@ostler/api'
import type { WebSocket } from 'ws'
import type { SocketFailure } from './failure.ts'
import { closeReason } from './refuse.ts'
import { Flow, type Frame } from './flow.ts'

export interface RelayOptions {
  readonly maxQueuedBytes: number
  readonly pingEveryMs: number
  /** How long nobody may say anything. */
  readonly idleMs: number
  /** Ends the relay; its reason is a {@link SocketFailure}, or the caller is gone. */
  readonly signal: AbortSignal
}

/** No status in the close frame, and no close frame at all: RFC 6455, section 7.1.5. Neither may be sent. */
const NO_STATUS = 1005
const NO_CLOSE = 1006

/** What `ws` says of a side that breaks the protocol. */
const TOO_LONG = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'

/**
 * Relays between a caller and his target until both are closed: messages, pings and pongs as they come, and each side's close as
 * the other's. Resolves when nothing is left open. Both are asked for signs of life of their own; that is answered between them
 * and the gateway. `early`: what the caller has said already; it is empty then.
 */
export async function relay(
  client: WebSocket,
  target: WebSocket,
  early: Frame[],
  options: RelayOptions,
): Promise<void> {
  const { signal } = options
  const pulse = new Pulse(client, target, options)
  const stop = (): void => pulse.end(signal.reason as SocketFailure)
  const closed = Promise.all([
    closing(client, (end) => closeTarget(target, end)),
    closing(target, (end) => closeClient(client, end)),
  ])
  pulse.start(early)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  await closed
  pulse.stop()
  signal.removeEventListener('abort', stop)
}

/** How one side ended. */
interface End {
  readonly code: number
  readonly reason: Buffer
  /** What it did wrong before. */
  readonly error: Error | null
}

/** Hands on a side's end once it is over; its time is bounded by `ws`. */
async function closing(socket: WebSocket, handOn: (end: End) => void): Promise<void> {
  if (socket.readyState === socket.CLOSED) {
    handOn({ code: NO_CLOSE, reason: Buffer.alloc(0), error: null })
    return
  }
  await new Promise<void>((resolve) => {
    let error: Error | null = null
    socket.once('error', (caught) => (error = caught))
    socket.once('close', (code, reason) => {
      handOn({ code, reason, error })
      resolve()
    })
  })
}

/** A caller who is gone without a word is one who went away, to the target. */
function closeTarget(target: WebSocket, { code, reason }: End): void {
  target.resume()
  if (code === NO_STATUS) target.close()
  else if (code === NO_CLOSE) target.close(CLOSE.goingAway)
  else target.close(code, reason)
}

/**
 * A target that is gone without a word has failed, or the agent has: from here both look the same. By now the messages are the
 * target's, so the caller is told in the close frame alone.
 */
function closeClient(client: WebSocket, { code, reason, error }: End): void {
  client.resume()
  if (code === NO_STATUS) client.close()
  else if (code === NO_CLOSE) client.close(CLOSE.internal, closeReason(lossOf(error)))
  else client.close(code, reason)
}

function lossOf(error: Error | null): string {
  const code = error !== null && 'code' in error ? String(error.code) : ''
  if (code === TOO_LONG) return 'the target sent a message that is longer than is relayed'
  if (code.startsWith('WS_ERR_')) return 'the target did not keep to the WebSocket protocol'
  return 'the connection to the target was lost'
}

/** Both directions of a relay, whether there is life in both ends, and whether anything is said. */
class Pulse {
  readonly #client: WebSocket
  readonly #target: WebSocket
  readonly #options: RelayOptions
  readonly #up: Flow
  readonly #down: Flow
  /** Tells our own pings from those that are relayed. */
  readonly #mark: Buffer = randomBytes(8)
  readonly #beat: NodeJS.Timeout
  #idle: NodeJS.Timeout | undefined
  #saidAtMs: number

  constructor(client: WebSocket, target: WebSocket, options: RelayOptions) {
    const { maxQueuedBytes, pingEveryMs } = options
    const see = (frame: Frame): boolean => this.#see(frame)
    this.#client = client
    this.#target = target
    this.#options = options
    this.#up = new Flow(client, target, maxQueuedBytes, see)
    this.#down = new Flow(target, client, maxQueuedBytes, see)
    this.#saidAtMs = performance.now()
    // What came in is read first: else a process that was held up for long would take everyone for dead.
    this.#beat = setInterval(() => setImmediate(() => this.#ask()), pingEveryMs)
  }

  start(early: Frame[]): void {
    for (const side of [this.#client, this.#target]) {
      if (side.readyState === side.OPEN) side.ping(this.#mark)
    }
    this.#watchIdle()
    this.#up.start(early)
    this.#down.start()
  }

  stop(): void {
    clearInterval(this.#beat)
    clearTimeout(this.#idle)
  }

  end(failure: SocketFailure): void {
    this.#end(closeCodeOf(failure.code), failure.message)
  }

  #end(code: number, reason: string): void {
    this.#up.release()
    this.#down.release()
    this.#client.close(code, closeReason(reason))
    this.#target.close(code === CLOSE.normal ? code : CLOSE.goingAway)
  }

  #see({ kind, data }: Frame): boolean {
    if (kind === 'message') this.#saidAtMs = performance.now()
    return kind !== 'pong' || !data.equals(this.#mark)
  }

  #ask(): void {
    // Asked on both sides at once, before anything is ended: each answer is about the time until now.
    const [up, down] = [this.#up, this.#down]
    const [clientMoved, targetMoved] = [down.takeMoved(), up.takeMoved()]
    this.#judge(this.#client, up.takeHeard(), clientMoved, down.queuedBytes)
    this.#judge(this.#target, down.takeHeard(), targetMoved, up.queuedBytes)
  }

  /** A side that is not read cannot be heard: then it is dead only where it does not take what waits for it either. */
  #judge(side: WebSocket, wasHeard: boolean | null, hasMoved: boolean, queuedBytes: number): void {
    if (side.readyState !== side.OPEN) return
    const isAlive = wasHeard === true || hasMoved || (wasHeard === null && queuedBytes === 0)
    if (isAlive) side.ping(this.#mark)
    else side.terminate()
  }

  /** One timer, set anew only when it goes off. */
  #watchIdle(): void {
    const { idleMs } = this.#options
    const leftMs = this.#saidAtMs + idleMs - performance.now()
    if (leftMs > 0) this.#idle = setTimeout(() => this.#watchIdle(), Math.ceil(leftMs))
    else this.#end(CLOSE.normal, `nothing was said for ${idleMs / 1000} s`)
  }
}
