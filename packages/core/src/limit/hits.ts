// hot path: the hit logs of `window.ts` packed into slots and blocks; the same decisions, without
// an object per hit. A log is a ring of entries by effective time. Where limit <= 256 and the
// quantum is 1 an entry is a time, once per cost (4 bytes); else it is a time and the running sum
// of cost up to it, modulo 2^32 (8 bytes), so that both what counts and what must expire are found
// by bisection. A log with a single time needs no block.

import { Arena, SEGMENT_BITS, SEGMENT_MASK } from './arena.ts'
import { BASE_STEP_MS, CLASS, MOST_OFFSET, PAIRS, rewriteWith, rewriteWithout } from './rewrite.ts'
import { BLOCK, META, NEWEST, RING, type Slots, startOf, SUM, WINDOW } from './slots.ts'

export class HitLogs {
  readonly arena: Arena = new Arena()
  readonly #slots: Slots
  /** How many of the oldest entries the last `used` found expired. */
  dead = 0

  constructor(slots: Slots) {
    this.#slots = slots
  }

  /**
   * Cost in the window of `windowMs` that ends at `nowMs`. O(log entries); O(1) if none or all of
   * them count.
   */
  used(slot: number, windowMs: number, nowMs: number): number {
    const words = this.#slots.wordsOf(slot)
    const start = startOf(slot)
    const meta = words[start + META]
    const after = nowMs - windowMs - (meta >>> 5) * BASE_STEP_MS
    const ring = words[start + RING]
    const count = ring & 0xffff
    if (count === 0 || words[start + NEWEST] <= after) {
      this.dead = count
      return 0
    }
    this.dead = 0
    if ((meta & CLASS) === 0) return words[start + SUM]
    const address = words[start + BLOCK]
    const block = this.arena.segments[address >>> SEGMENT_BITS]
    const offset = address & SEGMENT_MASK
    const pairs = (meta & PAIRS) >>> 4
    const head = ring >>> 16
    if (block[offset + (head << pairs)] > after) return words[start + SUM]
    const mask = (1 << ((meta & CLASS) - pairs)) - 1
    // The first entry is expired, the last one is not: bisects for the first that counts.
    let low = 1
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (block[offset + (((head + middle) & mask) << pairs)] > after) high = middle
      else low = middle + 1
    }
    this.dead = low
    if (pairs === 0) return count - low
    const last = block[offset + (((head + count - 1) & mask) << 1) + 1]
    return (last - block[offset + (((head + low - 1) & mask) << 1) + 1]) >>> 0
  }

  /**
   * Effective time of the entry with which `excess` cost, beyond the first `dead` entries, is gone.
   * O(log entries)
   */
  expiryMs(slot: number, dead: number, excess: number): number {
    const words = this.#slots.wordsOf(slot)
    const start = startOf(slot)
    const meta = words[start + META]
    const baseMs = (meta >>> 5) * BASE_STEP_MS
    if ((meta & CLASS) === 0) return baseMs + words[start + NEWEST]
    const address = words[start + BLOCK]
    const block = this.arena.segments[address >>> SEGMENT_BITS]
    const offset = address & SEGMENT_MASK
    const head = words[start + RING] >>> 16
    const count = words[start + RING] & 0xffff
    if ((meta & PAIRS) === 0) {
      const mask = (1 << (meta & CLASS)) - 1
      return baseMs + block[offset + ((head + dead + excess - 1) & mask)]
    }
    const mask = (1 << ((meta & CLASS) - 1)) - 1
    const total = block[offset + (((head + count - 1) & mask) << 1) + 1]
    const before =
      dead === 0
        ? (total - words[start + SUM]) >>> 0
        : block[offset + (((head + dead - 1) & mask) << 1) + 1]
    let low = dead
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const sum = (block[offset + (((head + middle) & mask) << 1) + 1] - before) >>> 0
      if (sum >= excess) high = middle
      else low = middle + 1
    }
    return baseMs + block[offset + (((head + low) & mask) << 1)]
  }

  /** Effective time of the newest entry; 0 where there is none. */
  newestMs(slot: number): number {
    const words = this.#slots.wordsOf(slot)
    const start = startOf(slot)
    if ((words[start + RING] & 0xffff) === 0) return 0
    return (words[start + META] >>> 5) * BASE_STEP_MS + words[start + NEWEST]
  }

  windowMs(slot: number): number {
    return this.#slots.wordsOf(slot)[startOf(slot) + WINDOW]
  }

  /** When nothing of the log counts any more, by the window of its last admitted call. */
  idleAtMs(slot: number): number {
    return this.newestMs(slot) + this.windowMs(slot)
  }

  /** Empties a log and frees its block. */
  clear(slot: number): void {
    const words = this.#slots.wordsOf(slot)
    const start = startOf(slot)
    const size = words[start + META] & CLASS
    if (size !== 0) this.arena.give(words[start + BLOCK], size)
    words[start + META] = 0
    words[start + RING] = 0
    words[start + SUM] = 0
  }

  /**
   * Adds `cost` at the effective time `atMs` to what {@link used} found: `used` cost after the
   * first `dead` entries, which go. Remembers `windowMs`. `pairs`: how the policy keeps entries; a
   * log that is kept in the other way is converted when it must grow.
   */
  add(
    slot: number,
    dead: number,
    used: number,
    atMs: number,
    cost: number,
    windowMs: number,
    pairs: boolean,
  ): void {
    const words = this.#slots.wordsOf(slot)
    const start = startOf(slot)
    words[start + WINDOW] = windowMs
    const ring = words[start + RING]
    const count = (ring & 0xffff) - dead
    if (count === 0) {
      this.clear(slot)
      const step = Math.floor(atMs / BASE_STEP_MS)
      words[start + META] = step << 5
      words[start + RING] = 1
      words[start + SUM] = cost
      words[start + NEWEST] = atMs - step * BASE_STEP_MS
      return
    }
    const meta = words[start + META]
    const size = meta & CLASS
    const at = atMs - (meta >>> 5) * BASE_STEP_MS
    const newest = words[start + NEWEST]
    if (size === 0) {
      if (at === newest) words[start + SUM] = used + cost
      else rewriteWith(this.arena, words, start, atMs, cost, pairs)
      return
    }
    const width = (meta & PAIRS) >>> 4
    const mask = (1 << (size - width)) - 1
    const head = ((ring >>> 16) + dead) & mask
    words[start + RING] = ((head << 16) | count) >>> 0
    words[start + SUM] = used
    const added = width === 1 ? 1 : cost
    const room = (width === 1 && at === newest) || count + added <= mask + 1
    if (at < newest || at > MOST_OFFSET || !room) {
      rewriteWith(this.arena, words, start, atMs, cost, pairs)
      return
    }
    const address = words[start + BLOCK]
    const block = this.arena.segments[address >>> SEGMENT_BITS]
    const offset = address & SEGMENT_MASK
    words[start + SUM] = used + cost
    words[start + NEWEST] = at
    if (width === 0) {
      for (let i = 0; i < cost; i++) block[offset + ((head + count + i) & mask)] = at
      words[start + RING] = ((head << 16) | (count + cost)) >>> 0
      return
    }
    const last = offset + (((head + count - 1) & mask) << 1)
    if (at === newest) block[last + 1] += cost
    else {
      const next = offset + (((head + count) & mask) << 1)
      block[next] = at
      block[next + 1] = block[last + 1] + cost
      words[start + RING] = ((head << 16) | (count + 1)) >>> 0
    }
  }

  /**
   * Takes `cost` from the entry at the effective time `atMs`; false where there is less. O(entries)
   */
  remove(slot: number, atMs: number, cost: number): boolean {
    return rewriteWithout(this.arena, this.#slots.wordsOf(slot), startOf(slot), atMs, cost)
  }

  /** Whether a log holds nothing at all. */
  isEmpty(slot: number): boolean {
    return (this.#slots.wordsOf(slot)[startOf(slot) + RING] & 0xffff) === 0
  }
}
