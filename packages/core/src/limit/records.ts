// hot path: where a record stands is a shift and a multiplication.

/** log2 of a whole segment's records. */
const SEGMENT_BITS = 14
const SEGMENT_RECORDS = 1 << SEGMENT_BITS
const IN_SEGMENT = SEGMENT_RECORDS - 1
const FIRST_RECORDS = 64

/**
 * Records of 32-bit words by number, from 0 on. The first segment doubles until it is whole, the
 * others come whole and are never copied: small for few, without a pause for millions. Segments are
 * large, for of a thousand small ones each look-up misses the processor's caches once more, for the
 * segment's own address.
 */
export class Records {
  readonly #width: number
  readonly #segments: Uint32Array[]
  /** Records that there is room for. */
  #room = FIRST_RECORDS

  constructor(width: number) {
    this.#width = width
    this.#segments = [new Uint32Array(FIRST_RECORDS * width)]
  }

  get bytes(): number {
    return this.#room * this.#width * 4
  }

  /** Makes room for the record after the last one: it is zero. Words held from before are stale. */
  reserve(record: number): void {
    if (record < this.#room) return
    if (this.#room < SEGMENT_RECORDS) {
      const words = new Uint32Array(this.#room * 2 * this.#width)
      words.set(this.#segments[0])
      this.#segments[0] = words
      this.#room *= 2
      return
    }
    this.#segments.push(new Uint32Array(SEGMENT_RECORDS * this.#width))
    this.#room += SEGMENT_RECORDS
  }

  /** The segment that holds a record's words. */
  wordsOf(record: number): Uint32Array {
    return this.#segments[record >>> SEGMENT_BITS]
  }

  /** Where a record's words begin in its segment. */
  startOf(record: number): number {
    return (record & IN_SEGMENT) * this.#width
  }
}
