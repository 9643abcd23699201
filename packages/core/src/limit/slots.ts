// hot path: one record of eight words (half a cache line) per key, in segments that are never
// copied. Fields are offsets into it and not properties, because a million small objects cost six
// times the memory and a garbage collector's walk.

const SEGMENT_BITS = 10
const SEGMENT_SLOTS = 1 << SEGMENT_BITS
const SLOT_WORDS = 8

/** Address of the log's block, where it has one. */
export const BLOCK = 0
/** Ring of the log's entries: index of the first in the upper 16 bits, how many in the lower. */
export const RING = 1
/** Cost of all entries. */
export const SUM = 2
/** The window of the last admitted call, in ms. */
export const WINDOW = 3
/**
 * Bits 0 to 3: size class of the block, 0 without one. Bit 4: entries are pairs. From bit 5 on: the
 * base of times.
 */
export const META = 4
/** Time of the newest entry, as an offset of the base. Without a block it is the only one. */
export const NEWEST = 5
/** Neighbours in the recency list; NEXT also links free slots. */
export const PREV = 6
export const NEXT = 7

/** Slots by number, from 1 on: 0 means none. */
export class Slots {
  readonly segments: Uint32Array[] = []
  #free = 0
  #made = 0

  get bytes(): number {
    return this.segments.length * SEGMENT_SLOTS * SLOT_WORDS * 4
  }

  /** The segment that holds a slot's words; they begin at {@link startOf}. */
  wordsOf(slot: number): Uint32Array {
    return this.segments[slot >>> SEGMENT_BITS]
  }

  /** A slot with all words zero. */
  take(): number {
    const slot = this.#free
    if (slot === 0) {
      const made = ++this.#made
      if (made >>> SEGMENT_BITS === this.segments.length) {
        this.segments.push(new Uint32Array(SEGMENT_SLOTS * SLOT_WORDS))
      }
      return made
    }
    const words = this.wordsOf(slot)
    const start = startOf(slot)
    this.#free = words[start + NEXT]
    words.fill(0, start, start + SLOT_WORDS)
    return slot
  }

  give(slot: number): void {
    this.wordsOf(slot)[startOf(slot) + NEXT] = this.#free
    this.#free = slot
  }
}

/** Where a slot's words begin in its segment. */
export function startOf(slot: number): number {
  return (slot & (SEGMENT_SLOTS - 1)) * SLOT_WORDS
}
