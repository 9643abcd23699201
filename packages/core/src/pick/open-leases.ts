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

/** No lease, or no owner. */
export const NONE = -1

interface Chunk {
  readonly ids: string[]
  /** Per handle: its owner, and the leases of that owner before and after it. */
  readonly words: Int32Array
}

/** Leases that are open: by id, by deadline, and by owner, a small integer. Handles are small and reused. O(1) but for late deadlines. */
export class OpenLeases {
  readonly deadlines: Deadlines = new Deadlines()
  readonly #table: HandleTable = new HandleTable()
  readonly #chunks: Chunk[] = []
  /** By owner: its newest lease plus one. */
  readonly #firsts: Int32Array[] = []
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
    return this.#chunks[handle >>> CHUNK_BITS].words[(handle & IN_CHUNK) * WORDS + OWNER]
  }

  /** The newest lease of an owner, or -1. */
  firstOf(owner: number): number {
    return owner >>> CHUNK_BITS < this.#firsts.length
      ? this.#firsts[owner >>> CHUNK_BITS][owner & IN_CHUNK] - 1
      : NONE
  }

  /** The one before it of the same owner, or -1. */
  next(handle: number): number {
    return this.#chunks[handle >>> CHUNK_BITS].words[(handle & IN_CHUNK) * WORDS + AFTER]
  }

  /** Gives a lease that has no owner to one. */
  attach(handle: number, owner: number): void {
    while (owner >>> CHUNK_BITS >= this.#firsts.length) this.#firsts.push(new Int32Array(CHUNK))
    const firsts = this.#firsts[owner >>> CHUNK_BITS]
    const first = firsts[owner & IN_CHUNK] - 1
    const { words } = this.#chunks[handle >>> CHUNK_BITS]
    const word = (handle & IN_CHUNK) * WORDS
    words[word + OWNER] = owner
    words[word + BEFORE] = NONE
    words[word + AFTER] = first
    if (first !== NONE) this.#setWord(first, BEFORE, handle)
    firsts[owner & IN_CHUNK] = handle + 1
  }

  /** Takes a lease from its owner. */
  detach(handle: number): void {
    const { words } = this.#chunks[handle >>> CHUNK_BITS]
    const word = (handle & IN_CHUNK) * WORDS
    const owner = words[word + OWNER]
    const before = words[word + BEFORE]
    const after = words[word + AFTER]
    words[word + OWNER] = NONE
    if (before !== NONE) this.#setWord(before, AFTER, after)
    else this.#firsts[owner >>> CHUNK_BITS][owner & IN_CHUNK] = after + 1
    if (after !== NONE) this.#setWord(after, BEFORE, before)
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
