// hot path: blocks of 32-bit words for the hit logs. Typed arrays in segments that are never copied
// or moved, so that growing to millions of keys has no pause; a block is named by its address, so
// that no object exists per key.

/** log2 of a segment's words, and of the largest block's. */
export const SEGMENT_BITS = 14
const SEGMENT_WORDS = 1 << SEGMENT_BITS
export const SEGMENT_MASK: number = SEGMENT_WORDS - 1

/**
 * Blocks of 2^k words, k from 1 to 14: a buddy allocator (Knowlton, 1965). A block is halved from
 * the smallest free one that is large enough, and joined again with its other half when both are
 * free, so that keys which outgrow their small blocks together leave nothing behind. O(14).
 */
export class Arena {
  readonly segments: Uint32Array[] = []
  /** Per segment a bit for each block that is free, by its number in the tree of halves. */
  readonly #freeBits: Uint32Array[] = []
  /** Per class: address + 1 of its first free block; 0 for none. Their two words link the others. */
  readonly #first: Float64Array = new Float64Array(SEGMENT_BITS + 1)

  get bytes(): number {
    return this.segments.length * (SEGMENT_WORDS * 4 + SEGMENT_WORDS / 8)
  }

  /** The address of a block of 2^k words; its content is arbitrary. */
  take(k: number): number {
    let from = k
    while (from <= SEGMENT_BITS && this.#first[from] === 0) from++
    if (from > SEGMENT_BITS) {
      from = SEGMENT_BITS
      this.segments.push(new Uint32Array(SEGMENT_WORDS))
      this.#freeBits.push(new Uint32Array(SEGMENT_WORDS / 32))
      this.#link((this.segments.length - 1) * SEGMENT_WORDS, from)
    }
    const address = this.#first[from] - 1
    this.#unlink(address, from)
    // Gives back the upper half until the block has the size asked for.
    while (from > k) this.#link(address + (1 << --from), from)
    return address
  }

  give(address: number, k: number): void {
    let block = address
    let size = k
    while (size < SEGMENT_BITS) {
      const offset = block & SEGMENT_MASK
      const buddy = block - offset + (offset ^ (1 << size))
      if (!this.#isFree(buddy, size)) break
      this.#unlink(buddy, size)
      if (buddy < block) block = buddy
      size++
    }
    this.#link(block, size)
  }

  #isFree(address: number, k: number): boolean {
    const number = blockNumber(address, k)
    return ((this.#freeBits[address >>> SEGMENT_BITS][number >>> 5] >>> (number & 31)) & 1) === 1
  }

  /** Puts a block first in its class: word 0 names the next one, word 1 the one before. */
  #link(address: number, k: number): void {
    const words = this.segments[address >>> SEGMENT_BITS]
    const offset = address & SEGMENT_MASK
    const next = this.#first[k]
    words[offset] = next
    words[offset + 1] = 0
    if (next !== 0) this.#setWord(next - 1, 1, address + 1)
    this.#first[k] = address + 1
    const number = blockNumber(address, k)
    this.#freeBits[address >>> SEGMENT_BITS][number >>> 5] |= 1 << (number & 31)
  }

  #unlink(address: number, k: number): void {
    const words = this.segments[address >>> SEGMENT_BITS]
    const offset = address & SEGMENT_MASK
    const next = words[offset]
    const before = words[offset + 1]
    if (next !== 0) this.#setWord(next - 1, 1, before)
    if (before === 0) this.#first[k] = next
    else this.#setWord(before - 1, 0, next)
    const number = blockNumber(address, k)
    this.#freeBits[address >>> SEGMENT_BITS][number >>> 5] &= ~(1 << (number & 31))
  }

  #setWord(address: number, word: number, value: number): void {
    this.segments[address >>> SEGMENT_BITS][(address & SEGMENT_MASK) + word] = value
  }
}

/** Blocks of a segment as the nodes of a binary tree: 1 is the whole, 2 and 3 its halves, and on. */
function blockNumber(address: number, k: number): number {
  return (1 << (SEGMENT_BITS - k)) + ((address & SEGMENT_MASK) >>> k)
}
