// hot path: where a row stands is a shift and a multiplication.

import { roomFor } from '../room.ts'

/** log2 of a whole segment's rows. */
const SEGMENT_BITS = 14
const SEGMENT_ROWS = 1 << SEGMENT_BITS
const IN_SEGMENT = SEGMENT_ROWS - 1
const FIRST_ROWS = 64
/** What a segment after the first starts with: fewer would be copied too often. */
const NEXT_ROWS = 1 << 11

/**
 * Rows of 32-bit words by number, from 0 on. The last segment doubles until it is whole, those
 * before it are whole and never copied: at most half of one segment is empty, and no copy is of more
 * than half of one, so that millions grow without a pause. Segments are large, for of a thousand
 * small ones each look-up misses the processor's caches once more, for the segment's own address.
 */
export class Rows {
  readonly #width: number
  readonly #segments: Uint32Array[]
  /** Rows that there is room for: in whole segments, and in all. */
  #wholeRoom = 0
  #room = FIRST_ROWS

  constructor(width: number) {
    this.#width = width
    this.#segments = [new Uint32Array(FIRST_ROWS * width)]
  }

  get bytes(): number {
    return this.#room * this.#width * 4
  }

  /** Makes room for the row after the last one: it is zero. Words held from before are stale. */
  reserve(row: number): void {
    if (row < this.#room) return
    const last = this.#segments.length - 1
    const rows = this.#room - this.#wholeRoom
    if (rows < SEGMENT_ROWS) {
      const words = this.#words(rows * 2, last)
      words.set(this.#segments[last])
      this.#segments[last] = words
      this.#room += rows
      return
    }
    this.#wholeRoom = this.#room
    this.#segments.push(this.#words(NEXT_ROWS, last + 1))
    this.#room += NEXT_ROWS
  }

  #words(rows: number, segment: number): Uint32Array {
    return new Uint32Array(roomFor(rows * this.#width * 4, segment))
  }

  /** The segment that holds a row's words. */
  wordsOf(row: number): Uint32Array {
    return this.#segments[row >>> SEGMENT_BITS]
  }

  /** Where a row's words begin in its segment. */
  startOf(row: number): number {
    return (row & IN_SEGMENT) * this.#width
  }
}
