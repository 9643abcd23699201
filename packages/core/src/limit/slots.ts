// hot path: one record of eleven words per key. Fields are offsets into it and not properties,
// because a million small objects cost six times the memory and a garbage collector's walk.

import * as layout from './layout.ts'
import { Rows } from './rows.ts'

const { NEXT, SLOT_WORDS } = layout

/** Slots by number, from 1 on: 0 means none. */
export class Slots {
  readonly #rows = new Rows(SLOT_WORDS)
  #free = 0
  #made = 0

  get bytes(): number {
    return this.#rows.bytes
  }

  /** The segment that holds a slot's words. */
  wordsOf(slot: number): Uint32Array {
    return this.#rows.wordsOf(slot)
  }

  /** Where a slot's words begin in its segment. */
  startOf(slot: number): number {
    return this.#rows.startOf(slot)
  }

  /** A slot with all words zero. */
  take(): number {
    const slot = this.#free
    if (slot === 0) {
      this.#rows.reserve(++this.#made)
      return this.#made
    }
    const words = this.wordsOf(slot)
    const start = this.startOf(slot)
    this.#free = words[start + NEXT]
    words.fill(0, start, start + SLOT_WORDS)
    return slot
  }

  give(slot: number): void {
    this.wordsOf(slot)[this.startOf(slot) + NEXT] = this.#free
    this.#free = slot
  }
}
