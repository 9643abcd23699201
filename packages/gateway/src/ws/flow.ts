import type { WebSocket } from 'ws'

/** What is relayed. */
export interface Frame {
  readonly kind: 'message' | 'ping' | 'pong'
  readonly data: Buffer
  readonly isBinary: boolean
}

/** What a frame takes in memory beside its bytes, about: without it a million empty messages would count as nothing. */
export const FRAME_COST_BYTES = 256

/**
 * One direction of a relay. Who speaks faster than the other side takes it is not read until half of what waits is gone: so at
 * most `maxQueuedBytes`, one message and one read of the socket wait here.
 */
export class Flow {
  readonly #from: WebSocket
  readonly #to: WebSocket
  readonly #most: number
  readonly #onFrame: (frame: Frame) => boolean
  #queuedBytes = 0
  #hasMoved = false
  #wasHeard = false

  /** @param onFrame sees each frame first, and says whether it is relayed */
  constructor(
    from: WebSocket,
    to: WebSocket,
    maxQueuedBytes: number,
    onFrame: (frame: Frame) => boolean,
  ) {
    this.#from = from
    this.#to = to
    this.#most = maxQueuedBytes
    this.#onFrame = onFrame
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Begins with what has been said already, and takes it out: it is not to be held for as long as the relay lasts. */
  start(early: Frame[] = []): void {
    for (const frame of early.splice(0)) this.#pass(frame)
    this.#from
      .on('message', (data: Buffer, isBinary: boolean) =>
        this.#pass({ kind: 'message', data, isBinary }),
      )
      .on('ping', (data: Buffer) => this.#pass({ kind: 'ping', data, isBinary: true }))
      .on('pong', (data: Buffer) => this.#pass({ kind: 'pong', data, isBinary: true }))
    if (this.#queuedBytes <= this.#most) this.#from.resume()
  }

  /** Reads on whatever waits: an end is only noticed by reading. */
  release(): void {
    if (this.#from.isPaused) this.#from.resume()
  }

  /** Whether anything came from here since this was last asked; null where nobody listened. */
  takeHeard(): boolean | null {
    const wasHeard = this.#wasHeard
    this.#wasHeard = false
    return !wasHeard && this.#from.isPaused ? null : wasHeard
  }

  /** Whether the other side has taken anything since this was last asked. */
  takeMoved(): boolean {
    const hasMoved = this.#hasMoved
    this.#hasMoved = false
    return hasMoved
  }

  #pass(frame: Frame): void {
    this.#wasHeard = true
    if (!this.#onFrame(frame) || this.#to.readyState !== this.#to.OPEN) return
    const { data, isBinary, kind } = frame
    const cost = data.length + FRAME_COST_BYTES
    const sent = (error?: Error | null): void => this.#sent(cost, error)
    this.#queuedBytes += cost
    if (this.#queuedBytes > this.#most && !this.#from.isPaused) this.#from.pause()
    if (kind === 'message') this.#to.send(data, { binary: isBinary }, sent)
    else if (kind === 'ping') this.#to.ping(data, undefined, sent)
    else this.#to.pong(data, undefined, sent)
  }

  #sent(cost: number, error: Error | null | undefined): void {
    this.#queuedBytes -= cost
    if (error === null || error === undefined) this.#hasMoved = true
    if (this.#from.isPaused && this.#queuedBytes <= this.#most / 2) this.#from.resume()
  }
}
