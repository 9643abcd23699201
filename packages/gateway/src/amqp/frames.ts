/** Types of frames, and where what follows stands in them: AMQP 0-9-1, sections 2.3.5 and 2.3.5.2. */
const HEADER_FRAME = 2
const BODY_FRAME = 3
const HEARTBEAT_FRAME = 8
const HEAD_BYTES = 7
const END_BYTES = 1
const END = 0xce
const BODY_SIZE_AT = HEAD_BYTES + 4

/** Bytes that are not AMQP 0-9-1, or more than was agreed. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'FrameError'
  }
}

/**
 * Cuts what a broker sends into frames, each in memory of its own. What is held is at most one frame, and no frame is longer than
 * `maxFrameBytes`. A message whose body is longer than `maxBodyBytes` arrives with an empty body, and the rest is let pass: the
 * broker says how long it is before it sends it.
 */
export class Frames {
  readonly #maxFrameBytes: number
  readonly #maxBodyBytes: number
  /** By channel: bytes of a body that are still to be let pass. */
  readonly #passing = new Map<number, number>()
  readonly #head = Buffer.alloc(HEAD_BYTES)
  #frame: Buffer | null = null
  #filled = 0

  constructor(maxFrameBytes: number, maxBodyBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
    this.#maxBodyBytes = maxBodyBytes
  }

  /**
   * Takes bytes, and gives every frame that is complete. `bodyBytes`: of a header frame, how long the body is in truth.
   * @throws FrameError
   */
  take(bytes: Buffer, give: (frame: Buffer, bodyBytes: number | null) => void): void {
    for (let at = 0; at < bytes.length;) {
      const into = this.#frame ?? this.#head
      const count = bytes.copy(into, this.#filled, at)
      at += count
      this.#filled += count
      if (this.#filled < into.length) return
      if (this.#frame === null) this.#begin()
      else this.#complete(this.#frame, give)
    }
  }

  #begin(): void {
    const [type] = this.#head
    if (type !== HEARTBEAT_FRAME && (type < 1 || type > BODY_FRAME)) {
      throw new FrameError('what was sent is not AMQP 0-9-1')
    }
    const length = HEAD_BYTES + this.#head.readUInt32BE(3) + END_BYTES
    if (length > this.#maxFrameBytes) {
      throw new FrameError(`a frame must have at most ${this.#maxFrameBytes} bytes, has ${length}`)
    }
    // Not of the pool: what reads a string beyond the end of its frame must find nothing there.
    const frame = Buffer.from(new ArrayBuffer(length))
    this.#head.copy(frame)
    this.#frame = frame
  }

  #complete(frame: Buffer, give: (frame: Buffer, bodyBytes: number | null) => void): void {
    this.#frame = null
    this.#filled = 0
    if (frame[frame.length - 1] !== END) throw new FrameError('a frame has no end')
    const [type] = frame
    const channel = frame.readUInt16BE(1)
    if (type === BODY_FRAME && this.#passes(channel, frame.length)) return
    if (type !== HEADER_FRAME) return give(frame, null)
    if (frame.length < BODY_SIZE_AT + 8 + END_BYTES) throw new FrameError('a frame is too short')
    const bodyBytes = Number(frame.readBigUInt64BE(BODY_SIZE_AT))
    if (bodyBytes > this.#maxBodyBytes) {
      frame.writeBigUInt64BE(0n, BODY_SIZE_AT)
      this.#passing.set(channel, bodyBytes)
    }
    give(frame, bodyBytes)
  }

  #passes(channel: number, frameBytes: number): boolean {
    const left = this.#passing.get(channel)
    if (left === undefined) return false
    const after = left - (frameBytes - HEAD_BYTES - END_BYTES)
    if (after > 0) this.#passing.set(channel, after)
    else this.#passing.delete(channel)
    return true
  }
}
