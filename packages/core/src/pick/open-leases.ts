// hot path: every pick adds a lease here, and every report takes it out again. A Map that fills and empties is made anew every few
// calls, and one that grows is copied at once; a table of handles and rows in chunks are neither.

import { HandleTable } from '../table.ts'
import { Deadlines } from './deadlines.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

const OWNER = 0
const BEFORE = 1
const AFTER = 2
const WORDS = 3

/** Lists by owner: those whose numbers end alike share one, so that an owner out of a million costs no cache miss. */
const LISTS = 4096

/** No lease, or no owner. */
export const NONE = -1

interface Chunk {
  readonly ids: string[]
  /** Per handle: its owner, and those before and after it in its list. */
  readonly words: Int32Array
}

/**
 * Leases that are open: by id, by deadline, and by owner, a small integer. Handles are small and reused. O(1) but for late deadlines;
 * to look through an owner's costs O(its leases + leases / 4096).
 */
export class OpenLeases {
  readonly deadlines: Deadlines = new Deadlines()
  readonly #table: HandleTable = new HandleTable()
  readonly #chunks: Chunk[] = []
  /** By the end of the owner's number: the newest lease. */
  readonly #newest: Int32Array = new Int32Array(LISTS).fill(NONE)
  #missed = 0

  get size(): number {
    return this.#table.size
  }

  /** The handle of a lease, or -1. */
  find(id: string): number {
    const table = this.#table
    const hash = hashOf(id)
    this.#missed = hash
    for (let handle = table.first(hash); handle >= 0; handle = table.next(handle)) {
      if (table.hashOf(handle) === hash && this.idOf(handle) === id) return handle
    }
    return NONE
  }

  /** Adds the lease that the last `find` did not know. */
  add(id: string, owner: number, deadlineMs: number): number {
    const handle = this.#table.add(this.#missed)
    if (handle >>> CHUNK_BITS === this.#chunks.length) {
      this.#chunks.push({ ids: [], words: new Int32Array(CHUNK * WORDS) })
    }
    this.#chunks[handle >>> CHUNK_BITS].ids[handle & IN_CHUNK] = id
    this.deadlines.set(handle, deadlineMs)
    this.attach(handle, owner)
    return handle
  }

  /** Takes a lease out; its owner, or -1. */
  remove(handle: number): number {
    const owner = this.ownerOf(handle)
    if (owner !== NONE) this.detach(handle)
    this.deadlines.remove(handle)
    this.#chunks[handle >>> CHUNK_BITS].ids[handle & IN_CHUNK] = ''
    this.#table.remove(handle)
    return owner
  }

  idOf(handle: number): string {
    return this.#chunks[handle >>> CHUNK_BITS].ids[handle & IN_CHUNK]
  }

  ownerOf(handle: number): number {
    return this.#word(handle, OWNER)
  }

  /** The newest lease of an owner, or -1. */
  firstOf(owner: number): number {
    return this.#seek(this.#newest[owner & (LISTS - 1)], owner)
  }

  /** The one before it of the same owner, or -1. */
  next(handle: number): number {
    return this.#seek(this.#word(handle, AFTER), this.ownerOf(handle))
  }

  /** Gives a lease that has no owner to one. */
  attach(handle: number, owner: number): void {
    const newest = this.#newest[owner & (LISTS - 1)]
    const { words } = this.#chunks[handle >>> CHUNK_BITS]
    const word = (handle & IN_CHUNK) * WORDS
    words[word + OWNER] = owner
    words[word + BEFORE] = NONE
    words[word + AFTER] = newest
    if (newest !== NONE) this.#setWord(newest, BEFORE, handle)
    this.#newest[owner & (LISTS - 1)] = handle
  }

  /** Takes a lease from its owner. */
  detach(handle: number): void {
    const { words } = this.#chunks[handle >>> CHUNK_BITS]
    const word = (handle & IN_CHUNK) * WORDS
    const before = words[word + BEFORE]
    const after = words[word + AFTER]
    if (before !== NONE) this.#setWord(before, AFTER, after)
    else this.#newest[words[word + OWNER] & (LISTS - 1)] = after
    if (after !== NONE) this.#setWord(after, BEFORE, before)
    words[word + OWNER] = NONE
  }

  /** The first lease of an owner from one on in its list. */
  #seek(from: number, owner: number): number {
    let handle = from
    while (handle !== NONE && this.ownerOf(handle) !== owner) handle = this.#word(handle, AFTER)
    return handle
  }

  #word(handle: number, column: number): number {
    return this.#chunks[handle >>> CHUNK_BITS].words[(handle & IN_CHUNK) * WORDS + column]
  }

  #setWord(handle: number, column: number, value: number): void {
    this.#chunks[handle >>> CHUNK_BITS].words[(handle & IN_CHUNK) * WORDS + column] = value
  }
}

/** Two characters a step: ids are hashed four times a dispatch. */
function hashOf(id: string): number {
  const length = id.length
  let hash = length
  let i = length & 1
  if (i === 1) hash ^= id.charCodeAt(0) << 8
  for (; i < length; i += 2) {
    const pair = id.charCodeAt(i) | (id.charCodeAt(i + 1) << 16)
    hash = Math.imul(hash ^ pair, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return hash >>> 0
}
