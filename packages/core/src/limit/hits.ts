// hot path: the hit logs of `window.ts` packed into slots and blocks; the same decisions, without
// an object per hit. A slot comes as its segment's words and where it starts in them, looked up once
// for all that a decision asks. A log is a ring of entries by effective time. Where limit <= 256 and the
// quantum is 1 an entry is a time, once per cost (4 bytes); else it is a time and the running sum
// of cost up to it, modulo 2^32 (8 bytes), so that both what counts and what must expire are found
// by bisection. A log with a single time needs no block.

import { Arena } from './arena.ts'
import * as layout from './layout.ts'
import { rewriteWith, rewriteWithout } from './rewrite.ts'

const { ARENA_BITS, ARENA_MASK, BASE_STEP_MS, MOST_OFFSET } = layout
const { BLOCK, CLASS, META, NEWEST, PAIRS, RING, SUM } = layout

/** log2 of the largest block, in words, that an empty log keeps: a line of the processor's caches. */
export const MOST_KEPT = 4

export class HitLogs {
  readonly arena: Arena = new Arena()
  /** How many of the oldest entries the last `used` found expired. */
  dead = 0
  /** The effective time of the hit to add: set it before. */
  atMs = 0

  /**
   * Cost of the entries whose time is after the offset `after` of the log's base. O(1) if none or
   * all of them count, else O(log of how many have expired).
   */
  used(words: Uint32Array, start: number, after: number): number {
    const ring = words[start + RING]
    if (words[start + NEWEST] <= after || (ring & 0xffff) === 0) {
      this.dead = ring & 0xffff
      return 0
    }
    const meta = words[start + META]
    if ((meta & CLASS) !== 0) {
      const address = words[start + BLOCK]
      const first = (address & ARENA_MASK) + ((ring >>> 16) << ((meta & PAIRS) >>> 4))
      if (this.arena.segments[address >>> ARENA_BITS][first] <= after) {
        return this.#usedSince(words, start, after)
      }
    }
    this.dead = 0
    return words[start + SUM]
  }

  /**
   * The time of the entry with which `excess` cost, beyond the first `dead` entries, is gone: as an
   * offset of the log's base. O(1), or O(log entries) where they are pairs.
   */
  expiry(words: Uint32Array, start: number, dead: number, excess: number): number {
    const meta = words[start + META]
    if ((meta & CLASS) === 0) return words[start + NEWEST]
    if ((meta & PAIRS) !== 0) return this.#expiryOfPairs(words, start, dead, excess)
    const address = words[start + BLOCK]
    const place = (words[start + RING] >>> 16) + dead + excess - 1
    const offset = (address & ARENA_MASK) + (place & ((1 << (meta & CLASS)) - 1))
    return this.arena.segments[address >>> ARENA_BITS][offset]
  }

  /** The same as `used` where the first entry has expired and the last one has not. */
  #usedSince(words: Uint32Array, start: number, after: number): number {
    const ring = words[start + RING]
    const meta = words[start + META]
    const address = words[start + BLOCK]
    const block = this.arena.segments[address >>> ARENA_BITS]
    const offset = address & ARENA_MASK
    const pairs = (meta & PAIRS) >>> 4
    const head = ring >>> 16
    const last = (ring & 0xffff) - 1
    const mask = (1 << ((meta & CLASS) - pairs)) - 1
    // Most calls find one or two expired: the bisection for the first that counts begins there,
    // with steps that double.
    let low = 1
    let high = 1
    while (high < last && block[offset + (((head + high) & mask) << pairs)] <= after) {
      low = high + 1
      high <<= 1
    }
    if (high > last) high = last
    while (low < high) {
      const middle = (low + high) >>> 1
      if (block[offset + (((head + middle) & mask) << pairs)] > after) high = middle
      else low = middle + 1
    }
    this.dead = low
    if (pairs === 0) return last + 1 - low
    const total = block[offset + (((head + last) & mask) << 1) + 1]
    return (total - block[offset + (((head + low - 1) & mask) << 1) + 1]) >>> 0
  }

  #expiryOfPairs(words: Uint32Array, start: number, dead: number, excess: number): number {
    const address = words[start + BLOCK]
    const block = this.arena.segments[address >>> ARENA_BITS]
    const offset = address & ARENA_MASK
    const head = words[start + RING] >>> 16
    const count = words[start + RING] & 0xffff
    const mask = (1 << ((words[start + META] & CLASS) - 1)) - 1
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
    return block[offset + (((head + low) & mask) << 1)]
  }

  /** Empties a log and frees its block. */
  clear(words: Uint32Array, start: number): void {
    const size = words[start + META] & CLASS
    if (size !== 0) this.arena.give(words[start + BLOCK], size)
    words[start + META] = 0
    words[start + RING] = 0
    words[start + SUM] = 0
  }

  /**
   * Adds `cost` at {@link atMs} to what {@link used} found: `used` cost after the first `dead`
   * entries, which go. `pairs`: how the policy keeps entries; a log that is kept in the other way is
   * converted when it must grow.
   */
  add(
    words: Uint32Array,
    start: number,
    dead: number,
    used: number,
    cost: number,
    pairs: boolean,
  ): void {
    const { atMs } = this
    const ring = words[start + RING]
    const count = (ring & 0xffff) - dead
    const meta = words[start + META]
    const size = meta & CLASS
    if (count === 0) {
      const step = Math.floor(atMs / BASE_STEP_MS)
      words[start + META] = step << 5
      words[start + RING] = 1
      words[start + SUM] = cost
      words[start + NEWEST] = atMs - step * BASE_STEP_MS
      if (size !== 0) this.#keepBlock(words, start, meta, cost, pairs)
      return
    }
    const at = atMs - (meta >>> 5) * BASE_STEP_MS
    const newest = words[start + NEWEST]
    if (size === 0) {
      if (at === newest) words[start + SUM] = used + cost
      else this.#rewrite(words, start, cost, pairs)
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
      this.#rewrite(words, start, cost, pairs)
      return
    }
    const address = words[start + BLOCK]
    const block = this.arena.segments[address >>> ARENA_BITS]
    const offset = address & ARENA_MASK
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
   * Gives a log that began anew its old block again where it is small and fits: keys that come a few
   * times in a window would else take a block and give it back in each.
   */
  #keepBlock(words: Uint32Array, start: number, old: number, cost: number, pairs: boolean): void {
    const size = old & CLASS
    const address = words[start + BLOCK]
    if (size > MOST_KEPT || ((old & PAIRS) !== 0) !== pairs || (!pairs && cost > 1 << size)) {
      this.arena.give(address, size)
      return
    }
    const block = this.arena.segments[address >>> ARENA_BITS]
    const offset = address & ARENA_MASK
    const at = words[start + NEWEST]
    words[start + META] |= old & (PAIRS | CLASS)
    if (pairs) {
      block[offset] = at
      block[offset + 1] = cost
      return
    }
    words[start + RING] = cost
    for (let i = 0; i < cost; i++) block[offset + i] = at
  }

  /** Apart from `add`, whose every call would else allocate the instant that this one hands on. */
  #rewrite(words: Uint32Array, start: number, cost: number, pairs: boolean): void {
    rewriteWith(this.arena, words, start, this.atMs, cost, pairs)
  }

  /**
   * Takes `cost` from the entry at the effective time `atMs`; false where there is less. O(entries)
   */
  remove(words: Uint32Array, start: number, atMs: number, cost: number): boolean {
    return rewriteWithout(this.arena, words, start, atMs, cost)
  }
}

/** Effective time of the newest entry; 0 where there is none. */
export function newestMs(words: Uint32Array, start: number): number {
  return isEmpty(words, start)
    ? 0
    : (words[start + META] >>> 5) * BASE_STEP_MS + words[start + NEWEST]
}

/** Whether a log holds nothing at all. */
export function isEmpty(words: Uint32Array, start: number): boolean {
  return (words[start + RING] & 0xffff) === 0
}
