import { roomFor } from './room.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1
const LINK = 0
const HASH = 1

/** So many are looked up together: what they read should still be near when it is used. */
export const AHEAD = 256

/**
 * A hash table of integer handles that never rehashes at once: linear hashing (W. Litwin, 1980), one bucket split a time.
 * It holds chains alone, and hashes; what a handle stands for, and whether it equals a key, is its owner's to say:
 * `for (let h = table.first(hash); h >= 0; h = table.next(h)) if (table.isOf(h, hash) && ...) return h`.
 * An owner who can give hashes again (of any handle that is in the table) spares keeping them; a bucket then has marks of what is in it,
 * so that `mayHold` turns down nine in ten of the unknown without a look at the chain.
 * A handle's link, its hash and what its owner keeps of it stand side by side: a step along a chain waits for memory once.
 * Handles are small and reused. 4 bytes a handle, 4 for its hash or 1 for marks, and 2 for its bucket; O(1), the slowest call included.
 */
export class HandleTable {
  /** Per bucket: its first handle plus one, or 0. */
  readonly #heads: Int32Array[] = [new Int32Array(CHUNK)]
  /**
   * By handle, 1,024 a chunk, a row: the next of its bucket (or of the free ones) plus one; its hash, where they are kept; the owner's words.
   */
  readonly rows: Uint32Array[] = []
  /** The same memory, signed: to the engine what may reach 2^32 is a double, and is made anew for each that is passed on. */
  readonly ints: Int32Array[] = []
  readonly #words: number
  readonly #ownersHash: ((handle: number) => number) | null
  /** Per bucket, where hashes are not kept: one bit of 16 for each handle, by the hash's highest bits. */
  readonly #marks: Uint16Array[] = []
  #mask = 15
  /** The next bucket of the lower half to split; buckets are mask + 1 + split. */
  #split = 0
  #size = 0
  #handles = 0
  #free = 0
  /** A sum of no meaning: what came to nothing the engine would not read. */
  ahead = 0

  /** With `hashOf` an owner gives the hashes; of each row, `words` are its own, after the table's. */
  constructor(hashOf: ((handle: number) => number) | null = null, words: number = 0) {
    this.#ownersHash = hashOf
    this.#words = words + (hashOf === null ? 2 : 1)
    if (hashOf !== null) this.#marks.push(new Uint16Array(CHUNK))
  }

  get size(): number {
    return this.#size
  }

  /** Handles ever given out are below this. */
  get handles(): number {
    return this.#handles
  }

  /** False where no handle of such a hash is in the table; only of a table whose owner gives the hashes. */
  mayHold(hash: number): boolean {
    const bucket = this.#bucketOf(hash)
    return (this.#marks[bucket >>> CHUNK_BITS][bucket & IN_CHUNK] & markOf(hash)) !== 0
  }

  first(hash: number): number {
    const bucket = this.#bucketOf(hash)
    return this.#heads[bucket >>> CHUNK_BITS][bucket & IN_CHUNK] - 1
  }

  next(handle: number): number {
    return this.ints[handle >>> CHUNK_BITS][(handle & IN_CHUNK) * this.#words + LINK] - 1
  }

  hashOf(handle: number): number {
    if (this.#ownersHash !== null) return this.#ownersHash(handle)
    return this.rows[handle >>> CHUNK_BITS][(handle & IN_CHUNK) * this.#words + HASH]
  }

  /** Whether a handle's hash is this one, signed or not. */
  isOf(handle: number, hash: number): boolean {
    if (this.#ownersHash !== null) return (this.#ownersHash(handle) | 0) === (hash | 0)
    return this.ints[handle >>> CHUNK_BITS][(handle & IN_CHUNK) * this.#words + HASH] === (hash | 0)
  }

  /**
   * Puts into `found` the first handle of each of `count` hashes, or -1. A look-up in a large table waits for memory at each step; in
   * passes over many the waits overlap. What adding the unknown ones will read is read as well.
   */
  findEach(hashes: Uint32Array, found: Int32Array, count: number): void {
    for (let i = 0; i < count; i++) found[i] = this.first(hashes[i])
    let unknown = 0
    for (let i = 0; i < count; i++) {
      let handle = found[i]
      while (handle >= 0 && !this.isOf(handle, hashes[i])) handle = this.next(handle)
      found[i] = handle
      if (handle < 0) unknown++
    }
    this.#lookAhead(unknown)
  }

  /** Reads the buckets that will split while so many are added. */
  #lookAhead(adding: number): void {
    const end = Math.min(this.#split + adding, this.#mask + 1)
    let read = 0
    for (let bucket = this.#split; bucket < end; bucket++) {
      const handle = this.#heads[bucket >>> CHUNK_BITS][bucket & IN_CHUNK] - 1
      if (handle >= 0) read += this.next(handle)
    }
    this.ahead = read & 1
  }

  add(hash: number): number {
    // Two handles to a bucket: memory and chain lengths both stay small. The new one is not among those that move.
    if (++this.#size > (this.#mask + 1 + this.#split) * 2) this.#splitNext()
    let handle = this.#free - 1
    if (handle >= 0) this.#free = this.next(handle) + 1
    else {
      handle = this.#handles++
      if ((handle & IN_CHUNK) === 0) this.#addChunk()
    }
    if (this.#ownersHash === null) {
      this.ints[handle >>> CHUNK_BITS][(handle & IN_CHUNK) * this.#words + HASH] = hash
    }
    this.#push(hash, handle)
    return handle
  }

  remove(handle: number): void {
    const bucket = this.#bucketOf(this.#intHashOf(handle))
    const after = this.next(handle)
    let at = this.#heads[bucket >>> CHUNK_BITS][bucket & IN_CHUNK] - 1
    if (at === handle) this.#heads[bucket >>> CHUNK_BITS][bucket & IN_CHUNK] = after + 1
    else {
      while (this.next(at) !== handle) at = this.next(at)
      this.#setNext(at, after)
    }
    if (this.#ownersHash !== null) this.#markAnew(bucket)
    this.#setNext(handle, this.#free - 1)
    this.#free = handle + 1
    this.#size--
  }

  #addChunk(): void {
    const row = new Uint32Array(roomFor(CHUNK * this.#words * 4, this.rows.length))
    this.rows.push(row)
    this.ints.push(new Int32Array(row.buffer))
  }

  #intHashOf(handle: number): number {
    if (this.#ownersHash !== null) return this.#ownersHash(handle) | 0
    return this.ints[handle >>> CHUNK_BITS][(handle & IN_CHUNK) * this.#words + HASH]
  }

  #bucketOf(hash: number): number {
    const wide = hash & (this.#mask * 2 + 1)
    return wide < this.#mask + 1 + this.#split ? wide : hash & this.#mask
  }

  #setNext(handle: number, next: number): void {
    this.ints[handle >>> CHUNK_BITS][(handle & IN_CHUNK) * this.#words + LINK] = next + 1
  }

  #push(hash: number, handle: number): void {
    const bucket = this.#bucketOf(hash)
    const heads = this.#heads[bucket >>> CHUNK_BITS]
    this.#setNext(handle, heads[bucket & IN_CHUNK] - 1)
    heads[bucket & IN_CHUNK] = handle + 1
    if (this.#ownersHash === null) return
    this.#marks[bucket >>> CHUNK_BITS][bucket & IN_CHUNK] |= markOf(hash)
  }

  /** Marks a bucket by what is left in it. */
  #markAnew(bucket: number): void {
    let marks = 0
    let handle = this.#heads[bucket >>> CHUNK_BITS][bucket & IN_CHUNK] - 1
    for (; handle >= 0; handle = this.next(handle)) marks |= markOf(this.hashOf(handle))
    this.#marks[bucket >>> CHUNK_BITS][bucket & IN_CHUNK] = marks
  }

  #splitNext(): void {
    const from = this.#split
    const to = this.#mask + 1 + from
    if (to >>> CHUNK_BITS === this.#heads.length) {
      const { length } = this.#heads
      this.#heads.push(new Int32Array(roomFor(CHUNK * 4, length)))
      if (this.#ownersHash !== null) this.#marks.push(new Uint16Array(roomFor(CHUNK * 2, length)))
    }
    let handle = this.#heads[from >>> CHUNK_BITS][from & IN_CHUNK] - 1
    this.#heads[from >>> CHUNK_BITS][from & IN_CHUNK] = 0
    if (this.#ownersHash !== null) this.#marks[from >>> CHUNK_BITS][from & IN_CHUNK] = 0
    this.#split++
    if (this.#split > this.#mask) {
      this.#mask = this.#mask * 2 + 1
      this.#split = 0
    }
    while (handle >= 0) {
      const next = this.next(handle)
      this.#push(this.#intHashOf(handle), handle)
      handle = next
    }
  }
}

/** One of 16 bits, by what the bucket's number does not depend on. */
function markOf(hash: number): number {
  return 1 << (hash >>> 28)
}
