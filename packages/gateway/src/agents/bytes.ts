const FIRST_BYTES = 4_096

/**
 * Bytes that come in pieces, of which at most `maxBytes` are kept. They are copied: pieces would
 * keep what they were cut from, and a body in pieces of one byte would cost a hundred times its size.
 */
export class Bytes {
  readonly #maxBytes: number
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0
  #truncated = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether there was more than is kept. */
  get truncated(): boolean {
    return this.#truncated
  }

  /** Adds a piece, or as much of it as there is room for. O(piece) on average */
  add(piece: Uint8Array): void {
    const room = this.#maxBytes - this.#length
    if (piece.length > room) this.#truncated = true
    const kept = piece.length > room ? piece.subarray(0, room) : piece
    const length = this.#length + kept.length
    if (length > this.#buffer.length) this.#grow(length)
    this.#buffer.set(kept, this.#length)
    this.#length = length
  }

  /** All that was kept. Nothing may be added after it. */
  take(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  #grow(length: number): void {
    const doubled = Math.max(length, 2 * this.#buffer.length, FIRST_BYTES)
    const grown = Buffer.allocUnsafeSlow(Math.min(doubled, this.#maxBytes))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
  }
}
