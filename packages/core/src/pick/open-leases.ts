// hot path: every pick adds a lease here, and every report takes it out again. A Map that fills and empties is made anew every few
// calls, and one that grows is copied at once; a table of handles and rows in chunks are neither.

import { HandleTable } from '../table.ts'
import { Deadlines } from './deadlines.ts'

const CHUNK_BITS = 10
const IN_CHUNK = (1 << CHUNK_BITS) - 1

// Behind the table's own two words in each row: the owner, and those before and after in its list.
const OWNER = 2
const BEFORE = 3
const AFTER = 4
const OWN_WORDS = 3
const WORDS = OWN_WORDS + 2

/** Lists by owner: those whose numbers end alike share one, so that an owner out of a million costs no cache miss. */
const FEW_LISTS = 4_096
/** So many once there are as many leases as lists: they are gone through at once, in some tenths of a millisecond; four times as many take 2 ms. */
const MANY_LISTS = 65_536

/** No lease, or no owner. */
export const NONE = -1

/**
 * Leases that are open: by id, by deadline, and by owner, an integer from 0 to 2^31-1. Handles are small and reused. O(1) but for late
 * deadlines; to look through an owner's costs O(its leases + leases / 65,536).
 */
export class OpenLeases {
  readonly deadlines: Deadlines = new Deadlines()
  readonly #table: HandleTable = new HandleTable(null, OWN_WORDS)
  readonly #rows: readonly Int32Array[] = this.#table.ints
  readonly #ids: string[][] = []
  /** By the end of the owner's number: the newest lease, and how many there are. */
  #lists: Int32Array = listsOf(FEW_LISTS)
  /** Picks the list's newest out of an owner's number. */
  #mask = FEW_LISTS - 1
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
      if (table.isOf(handle, hash) && this.idOf(handle) === id) return handle
    }
    return NONE
  }

  /** Adds the lease that the last `find` did not know. */
  add(id: string, owner: number, deadlineMs: number): number {
    if (this.#table.size > FEW_LISTS && this.#mask < MANY_LISTS - 1) this.#spread()
    const handle = this.#table.add(this.#missed)
    if (handle >>> CHUNK_BITS === this.#ids.length) this.#ids.push([])
    this.#ids[handle >>> CHUNK_BITS][handle & IN_CHUNK] = id
    this.deadlines.set(handle, deadlineMs)
    this.attach(handle, owner)
    return handle
  }

  /** Takes a lease out; its owner, or -1. */
  remove(handle: number): number {
    const owner = this.ownerOf(handle)
    if (owner !== NONE) this.detach(handle)
    this.deadlines.remove(handle)
    this.#ids[handle >>> CHUNK_BITS][handle & IN_CHUNK] = ''
    this.#table.remove(handle)
    return owner
  }

  idOf(handle: number): string {
    return this.#ids[handle >>> CHUNK_BITS][handle & IN_CHUNK]
  }

  ownerOf(handle: number): number {
    return this.#rows[handle >>> CHUNK_BITS][(handle & IN_CHUNK) * WORDS + OWNER]
  }

  /** An owner has no more leases than this: all that share its list. */
  mostOf(owner: number): number {
    return this.#lists[((owner & this.#mask) << 1) + 1]
  }

  /** The newest lease of an owner, or -1. */
  firstOf(owner: number): number {
    return this.#seek(this.#lists[(owner & this.#mask) << 1], owner)
  }

  /** The one before it of the same owner, or -1. */
  next(handle: number): number {
    return this.#seek(this.#after(handle), this.ownerOf(handle))
  }

  /** Gives a lease that has no owner to one. */
  attach(handle: number, owner: number): void {
    const lists = this.#lists
    const list = (owner & this.#mask) << 1
    const newest = lists[list]
    const row = this.#rows[handle >>> CHUNK_BITS]
    const at = (handle & IN_CHUNK) * WORDS
    row[at + OWNER] = owner
    row[at + BEFORE] = NONE
    row[at + AFTER] = newest
    if (newest !== NONE) this.#setWord(newest, BEFORE, handle)
    lists[list] = handle
    lists[list + 1]++
  }

  /** Takes a lease from its owner. */
  detach(handle: number): void {
    const lists = this.#lists
    const row = this.#rows[handle >>> CHUNK_BITS]
    const at = (handle & IN_CHUNK) * WORDS
    const list = (row[at + OWNER] & this.#mask) << 1
    const before = row[at + BEFORE]
    const after = row[at + AFTER]
    if (before !== NONE) this.#setWord(before, AFTER, after)
    else lists[list] = after
    if (after !== NONE) this.#setWord(after, BEFORE, before)
    lists[list + 1]--
    row[at + OWNER] = NONE
  }

  /** The first lease of an owner from one on in its list. */
  #seek(from: number, owner: number): number {
    let handle = from
    while (handle !== NONE && this.ownerOf(handle) !== owner) handle = this.#after(handle)
    return handle
  }

  #after(handle: number): number {
    return this.#rows[handle >>> CHUNK_BITS][(handle & IN_CHUNK) * WORDS + AFTER]
  }

  #setWord(handle: number, column: number, value: number): void {
    this.#rows[handle >>> CHUNK_BITS][(handle & IN_CHUNK) * WORDS + column] = value
  }

  /** Puts every lease into one of many lists, once. */
  #spread(): void {
    this.#lists = listsOf(MANY_LISTS)
    this.#mask = MANY_LISTS - 1
    for (let handle = 0; handle < this.#table.handles; handle++) {
      const owner = this.ownerOf(handle)
      if (owner !== NONE) this.attach(handle, owner)
    }
  }
}

function listsOf(count: number): Int32Array {
  const lists = new Int32Array(count * 2)
  for (let i = 0; i < lists.length; i += 2) lists[i] = NONE
  return lists
}

/** Two characters a step: ids are hashed four times a dispatch. */
export function hashOf(id: string): number {
  const length = id.length
  let hash = length
  let i = length & 1
  if (i === 1) hash ^= id.charCodeAt(0) << 8
  for (; i < length; i += 2) {
    const pair = id.charCodeAt(i) | (id.charCodeAt(i + 1) << 16)
    hash = Math.imul(hash ^ pair, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return hash
}
