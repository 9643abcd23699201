// hot path: blocks of 32-bit words for the hit logs. Typed arrays in segments that are never copied
// or moved, so that growing to millions of keys has no pause; a block is named by its address, so
// that no object exists per key.

import { roomFor } from '../room.ts'
import * as layout from './layout.ts'

const { ARENA_BITS, ARENA_MASK } = layout
const SEGMENT_WORDS = 1 << ARENA_BITS

/**
 * Blocks of 2^k words, k from 2 to 14: a buddy allocator (Knowlton, 1965). A block is halved from
 * the smallest free one that is large enough, and joined again with its other half when both are
 * free, so that keys which outgrow their small blocks together leave nothing behind. O(14).
 */
export class Arena {
  readonly segments: Uint32Array[] = []
  /** Per segment a bit for each two halves of a block: whether one of them, and only one, is free. */
  readonly #oddBits: Uint32Array[] = []
  /** Per class: address + 1 of its first free block; 0 for none. Their two words link the others. */
  readonly #first: Float64Array = new Float64Array(ARENA_BITS + 1)

  get bytes(): number {
    return this.segments.length * (SEGMENT_WORDS * 4 + SEGMENT_WORDS / 32)
  }

  /** The address of a block of 2^k words; its content is arbitrary. */
  take(k: number): number {
    let from = k
    while (from <= ARENA_BITS && this.#first[from] === 0) from++
    if (from > ARENA_BITS) {
      from = ARENA_BITS
      const { length } = this.segments
      this.segments.push(new Uint32Array(roomFor(SEGMENT_WORDS * 4, length)))
      this.#oddBits.push(new Uint32Array(roomFor(SEGMENT_WORDS / 32, length)))
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
    while (size < ARENA_BITS) {
      const offset = block & ARENA_MASK
      const buddy = block - offset + (offset ^ (1 << size))
      // This half is not free yet: where one of the two is, it is the other.
      if (!this.#isOneFree(block, size)) break
      this.#unlink(buddy, size)
      if (buddy < block) block = buddy
      size++
    }
    this.#link(block, size)
  }

  #isOneFree(address: number, k: number): boolean {
    const number = pairNumber(address, k)
    return ((this.#oddBits[address >>> ARENA_BITS][number >>> 5] >>> (number & 31)) & 1) === 1
  }

  /** Puts a block first in its class: word 0 names the next one, word 1 the one before. */
  #link(address: number, k: number): void {
    const words = this.segments[address >>> ARENA_BITS]
    const offset = address & ARENA_MASK
    const next = this.#first[k]
    words[offset] = next
    words[offset + 1] = 0
    if (next !== 0) this.#setWord(next - 1, 1, address + 1)
    this.#first[k] = address + 1
    this.#turn(address, k)
  }

  #unlink(address: number, k: number): void {
    const words = this.segments[address >>> ARENA_BITS]
    const offset = address & ARENA_MASK
    const next = words[offset]
    const before = words[offset + 1]
    if (next !== 0) this.#setWord(next - 1, 1, before)
    if (before === 0) this.#first[k] = next
    else this.#setWord(before - 1, 0, next)
    this.#turn(address, k)
  }

  #turn(address: number, k: number): void {
    const number = pairNumber(address, k)
    this.#oddBits[address >>> ARENA_BITS][number >>> 5] ^= 1 << (number & 31)
  }

  #setWord(address: number, word: number, value: number): void {
    this.segments[address >>> ARENA_BITS][(address & ARENA_MASK) + word] = value
  }
}

/**
 * Blocks of a segment as the nodes of a binary tree: 1 is the whole, 2 and 3 its halves, and on; and
 * two halves by the node that they are halves of.
 */
function pairNumber(address: number, k: number): number {
  return ((1 << (ARENA_BITS - k)) + ((address & ARENA_MASK) >>> k)) >>> 1
}
