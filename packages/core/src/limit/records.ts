// hot path: where a record stands is a shift and a multiplication.

/** log2 of a whole segment's records. */
const SEGMENT_BITS = 14
const SEGMENT_RECORDS = 1 << SEGMENT_BITS
const IN_SEGMENT = SEGMENT_RECORDS - 1
const FIRST_RECORDS = 64
/** What a segment after the first starts with: fewer would be copied too often. */
const NEXT_RECORDS = 1 << 11

/**
 * Records of 32-bit words by number, from 0 on. The last segment doubles until it is whole, those
 * before it are whole and never copied: at most half of one segment is empty, and no copy is of more
 * than half of one, so that millions grow without a pause. Segments are large, for of a thousand
 * small ones each look-up misses the processor's caches once more, for the segment's own address.
 */
export class Records {
  readonly #width: number
  readonly #segments: Uint32Array[]
  /** Records that there is room for: in whole segments, and in all. */
  #wholeRoom = 0
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
    const last = this.#segments.length - 1
    const records = this.#room - this.#wholeRoom
    if (records < SEGMENT_RECORDS) {
      const words = new Uint32Array(records * 2 * this.#width)
      words.set(this.#segments[last])
      this.#segments[last] = words
      this.#room += records
      return
    }
    this.#wholeRoom = this.#room
    this.#segments.push(new Uint32Array(NEXT_RECORDS * this.#width))
    this.#room += NEXT_RECORDS
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
