// hot path: which slot has a key. Three ways, the next only where the one before fails: a slot that
// the caller remembers; a small cache by a few of the key's characters, because to hash a whole key
// costs more than all the rest of a decision; and a hash table by the key's fingerprint, because to
// compare a million keys themselves is two more misses of the processor's caches for each.

import { Fingerprint } from './fingerprint.ts'
import * as layout from './layout.ts'
import { Rows } from './rows.ts'
import type { Slots } from './slots.ts'

const { CHAIN, CHECK, HASH, SLOT_BITS, SLOT_MASK } = layout

/** log2 of the cache's pairs of entries, at first and at most: 16 bytes each, small enough for L2. */
const NEAR_BITS = 6
const MOST_NEAR_BITS = 14
/** With more keys most calls would miss the cache, and pay for having asked it. */
const MOST_NEAR_KEYS = 1 << 16
const NO_NEAR = new Int32Array(0)

/**
 * The keys of slots. The table is linear hashing (W. Litwin, 1980): it splits one bucket for each
 * key that is added and never rehashes at once, which with a million keys would stop everything for
 * 20 to 50 ms. Its fingerprints are seeded, so that nobody can choose keys of one bucket. The cache's
 * tags aren't and needn't be: what they find is compared, and keys that share an entry only miss it.
 */
export class SlotNames {
  /** Keys that have a slot. */
  size = 0
  readonly #slots: Slots
  /** Of the last key that was looked for in the table. */
  readonly #print: Fingerprint
  /** Each slot's key; '' where it has none. In segments, so that it grows without copying. */
  readonly #names: string[][] = [emptyNames()]
  /** First slots of buckets, or 0. */
  readonly #heads = new Rows(1)
  /** Buckets are mask + 1 + split: those below `split` are halved already. */
  #mask = 15
  #split = 0
  /**
   * Twice a tag and the slot where its key was found last: with one place for each, two keys of
   * ten thousand's most frequent ones often kept driving each other out.
   */
  #near = new Int32Array(4 << NEAR_BITS)
  /** 0 once there have been too many keys for the cache. */
  #nearBits = NEAR_BITS
  /** With more keys than this the cache grows, or goes. */
  #nearKeys = 1 << NEAR_BITS

  constructor(slots: Slots, seed: number) {
    this.#slots = slots
    this.#print = new Fingerprint(seed)
  }

  /** The slot's key; '' where it has none. */
  of(slot: number): string {
    return this.#names[slot >>> SLOT_BITS][slot & SLOT_MASK]
  }

  /** The key's slot, or 0. `hint`: where it was when the caller last looked, or 0. */
  find(key: string, hint: number): number {
    if (hint !== 0 && this.of(hint) === key) return hint
    return this.#nearBits === 0 ? this.#search(key) : this.#seek(key)
  }

  #seek(key: string): number {
    // It is what slots without a key have, and the cache may still name one.
    if (key.length === 0) return 0
    const tag = tagOf(key)
    const near = this.#near
    const at = (tag >>> (32 - this.#nearBits)) << 2
    if (near[at] === tag) {
      const slot = near[at + 1]
      if (this.of(slot) === key) return slot
    }
    if (near[at + 2] === tag) {
      const slot = near[at + 3]
      if (this.of(slot) === key) return slot
    }
    const slot = this.#search(key)
    if (slot !== 0) {
      near[at + 2] = near[at]
      near[at + 3] = near[at + 1]
      near[at] = tag
      near[at + 1] = slot
    }
    return slot
  }

  /** Gives a slot to the key that the last `find` has missed. */
  add(slot: number, key: string): void {
    this.reserve(slot)
    this.#names[slot >>> SLOT_BITS][slot & SLOT_MASK] = key
    const words = this.#slots.wordsOf(slot)
    const start = this.#slots.startOf(slot)
    words[start + HASH] = this.#print.hash
    words[start + CHECK] = this.#print.check
    this.#link(slot)
    if (++this.size > this.#mask + 1 + this.#split) this.#splitNext()
    if (this.size > this.#nearKeys) this.#resizeNear()
  }

  /** The cache follows the keys in steps of four, and goes where they are too many for it. */
  #resizeNear(): void {
    if (this.size > MOST_NEAR_KEYS) {
      this.#nearBits = 0
      this.#nearKeys = Infinity
      this.#near = NO_NEAR
      return
    }
    this.#nearBits += 2
    this.#near = new Int32Array(4 << this.#nearBits)
    this.#nearKeys = this.#nearBits < MOST_NEAR_BITS ? 1 << this.#nearBits : MOST_NEAR_KEYS
  }

  /** Makes room for a slot's key. */
  reserve(slot: number): void {
    if (slot >>> SLOT_BITS === this.#names.length) this.#names.push(emptyNames())
  }

  remove(slot: number): void {
    this.#names[slot >>> SLOT_BITS][slot & SLOT_MASK] = ''
    this.size--
    const words = this.#slots.wordsOf(slot)
    const start = this.#slots.startOf(slot)
    const after = words[start + CHAIN]
    const bucket = this.#bucketOf(words[start + HASH])
    const heads = this.#heads.wordsOf(bucket)
    const head = this.#heads.startOf(bucket)
    let at = heads[head]
    if (at === slot) {
      heads[head] = after
      return
    }
    for (let next = this.#after(at); next !== slot; next = this.#after(at)) at = next
    this.#slots.wordsOf(at)[this.#slots.startOf(at) + CHAIN] = after
  }

  #search(key: string): number {
    const print = this.#print
    print.take(key)
    const { hash, check } = print
    const bucket = this.#bucketOf(hash)
    let slot = this.#heads.wordsOf(bucket)[this.#heads.startOf(bucket)]
    while (slot !== 0) {
      const words = this.#slots.wordsOf(slot)
      const start = this.#slots.startOf(slot)
      if ((words[start + HASH] | 0) === hash && (words[start + CHECK] | 0) === check) return slot
      slot = words[start + CHAIN]
    }
    return 0
  }

  #bucketOf(hash: number): number {
    const wide = hash & (this.#mask * 2 + 1)
    return wide < this.#mask + 1 + this.#split ? wide : hash & this.#mask
  }

  #after(slot: number): number {
    return this.#slots.wordsOf(slot)[this.#slots.startOf(slot) + CHAIN]
  }

  #link(slot: number): void {
    const words = this.#slots.wordsOf(slot)
    const start = this.#slots.startOf(slot)
    const bucket = this.#bucketOf(words[start + HASH])
    const heads = this.#heads.wordsOf(bucket)
    const head = this.#heads.startOf(bucket)
    words[start + CHAIN] = heads[head]
    heads[head] = slot
  }

  #splitNext(): void {
    const from = this.#split
    const heads = this.#heads.wordsOf(from)
    const head = this.#heads.startOf(from)
    let slot = heads[head]
    heads[head] = 0
    this.#heads.reserve(this.#mask + 1 + from)
    this.#split++
    if (this.#split > this.#mask) {
      this.#mask = this.#mask * 2 + 1
      this.#split = 0
    }
    while (slot !== 0) {
      const next = this.#after(slot)
      this.#link(slot)
      slot = next
    }
  }
}

/**
 * Some of a key's characters, mixed: its last four, for ids differ there, and one amid, for
 * addresses of mail or hosts don't.
 */
function tagOf(key: string): number {
  const { length } = key
  let tag = Math.imul(length ^ key.charCodeAt(length >>> 1), 0x9e3779b1)
  if (length > 3) {
    tag = Math.imul(tag + key.charCodeAt(length - 1), 0x85ebca6b)
    tag = Math.imul(tag + key.charCodeAt(length - 2), 0xc2b2ae35)
    tag = Math.imul(tag + key.charCodeAt(length - 3), 0x27d4eb2f)
    tag = Math.imul(tag + key.charCodeAt(length - 4), 0x165667b1)
  }
  return tag
}

function emptyNames(): string[] {
  return new Array<string>(1 << SLOT_BITS).fill('')
}
