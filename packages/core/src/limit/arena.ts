// hot path: blocks of 32-bit words for the hit logs. Typed arrays in segments that are never copied
// or moved, so that growing to millions of keys has no pause; a block is named by its address, so
// that no object exists per key.

/** log2 of a segment's words, and of the largest block's. */
export const SEGMENT_BITS = 14
const SEGMENT_WORDS = 1 << SEGMENT_BITS
export const SEGMENT_MASK: number = SEGMENT_WORDS - 1

/**
 * Blocks of 2^k words, k from 1 to 14. A block is taken from the free list of its class, else
 * halved from the smallest larger free block, else from a new segment. Blocks are never joined
 * again: a class never holds more blocks than were once in use at a time, plus one, so all segments
 * together are at most twice what every key needs at its fullest.
 */
export class Arena {
  readonly segments: Uint32Array[] = []
  /** Per class: address + 1 of its first free block, whose first word links the next; 0 ends. */
  readonly #free: Float64Array = new Float64Array(SEGMENT_BITS + 1)

  get bytes(): number {
    return this.segments.length * SEGMENT_WORDS * 4
  }

  /** The address of a block of 2^k words; its content is arbitrary. */
  take(k: number): number {
    let from = k
    while (from <= SEGMENT_BITS && this.#free[from] === 0) from++
    let address: number
    if (from > SEGMENT_BITS) {
      address = this.segments.length * SEGMENT_WORDS
      this.segments.push(new Uint32Array(SEGMENT_WORDS))
      from = SEGMENT_BITS
    } else {
      address = this.#free[from] - 1
      this.#free[from] = this.segments[address >>> SEGMENT_BITS][address & SEGMENT_MASK]
    }
    // Gives back the upper half until the block has the size asked for.
    while (from > k) this.give(address + (1 << --from), from)
    return address
  }

  give(address: number, k: number): void {
    this.segments[address >>> SEGMENT_BITS][address & SEGMENT_MASK] = this.#free[k]
    this.#free[k] = address + 1
  }
}
