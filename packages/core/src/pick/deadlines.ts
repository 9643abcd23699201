// hot path: every pick sets two deadlines, and every report takes them out. A list costs nothing to keep in order where a heap sifts.

import { roomFor } from '../room.ts'
import { ExpiryHeap } from './expiry.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

const NONE = -1
/** In place of the one before: the handle stands in the heap, or nowhere. */
const IN_HEAP = -2
const ABSENT = -3

interface Chunk {
  readonly atMs: Float64Array
  /** Per handle: the one before it in the list, and the one after it. */
  readonly links: Int32Array
}

/**
 * Deadlines in order, of integer handles that mostly come in the order of their deadlines. Those are a linked list; one
 * that ends before another that came earlier stands in a heap. O(1) for the list, O(log handles) for the heap; 16 bytes a handle,
 * and 8 more for those that have been in the heap. Grows a chunk at a time.
 */
export class Deadlines {
  readonly #chunks: Chunk[] = []
  readonly #heap: ExpiryHeap = new ExpiryHeap()
  #head = NONE
  #tail = NONE
  #headMs = Infinity
  #tailMs = -Infinity

  /** The earliest deadline, or Infinity. */
  get firstAtMs(): number {
    const heapMs = this.#heap.firstAtMs
    return this.#headMs <= heapMs ? this.#headMs : heapMs
  }

  /** Whether the earliest deadline has come: told without handing out an instant, as a double that is handed out is allocated. */
  isDue(nowMs: number): boolean {
    return this.#headMs <= nowMs || this.#heap.firstAtMs <= nowMs
  }

  /** The handle of the earliest deadline, or -1. */
  get first(): number {
    return this.#headMs <= this.#heap.firstAtMs ? this.#head : this.#heap.first
  }

  /** The deadline of a handle that has one. */
  at(handle: number): number {
    return this.#chunks[handle >>> CHUNK_BITS].atMs[handle & IN_CHUNK]
  }

  /** Sets the deadline of a handle that has none. */
  set(handle: number, atMs: number): void {
    while (handle >>> CHUNK_BITS >= this.#chunks.length) {
      this.#chunks.push({
        atMs: new Float64Array(roomFor(CHUNK * 8, this.#chunks.length)),
        links: new Int32Array(roomFor(CHUNK * 8, this.#chunks.length)).fill(ABSENT),
      })
    }
    const { atMs: instants, links } = this.#chunks[handle >>> CHUNK_BITS]
    const link = (handle & IN_CHUNK) << 1
    instants[handle & IN_CHUNK] = atMs
    if (atMs < this.#tailMs) {
      links[link] = IN_HEAP
      this.#heap.set(handle, atMs)
      return
    }
    links[link] = this.#tail
    links[link + 1] = NONE
    if (this.#tail === NONE) {
      this.#head = handle
      this.#headMs = atMs
    } else this.#setLink(this.#tail, 1, handle)
    this.#tail = handle
    this.#tailMs = atMs
  }

  /** Takes out a handle that has a deadline. */
  remove(handle: number): void {
    const { links } = this.#chunks[handle >>> CHUNK_BITS]
    const link = (handle & IN_CHUNK) << 1
    const before = links[link]
    const after = links[link + 1]
    links[link] = ABSENT
    if (before === IN_HEAP) {
      this.#heap.remove(handle)
      return
    }
    if (before !== NONE) this.#setLink(before, 1, after)
    else {
      this.#head = after
      this.#headMs = after === NONE ? Infinity : this.at(after)
    }
    if (after !== NONE) this.#setLink(after, 0, before)
    else {
      this.#tail = before
      this.#tailMs = before === NONE ? -Infinity : this.at(before)
    }
  }

  /** Visits handles from the earliest on, until `visit` answers false. Nothing may be set or removed meanwhile. */
  inOrder(visit: (handle: number, atMs: number) => boolean): void {
    let listed = this.#head
    let goesOn = true
    const listUpTo = (mostMs: number): boolean => {
      for (; goesOn && listed !== NONE && this.at(listed) <= mostMs; listed = this.#after(listed)) {
        goesOn = visit(listed, this.at(listed))
      }
      return goesOn
    }
    this.#heap.inOrder((handle, atMs) => listUpTo(atMs) && (goesOn = visit(handle, atMs)))
    listUpTo(Infinity)
  }

  #after(handle: number): number {
    return this.#chunks[handle >>> CHUNK_BITS].links[((handle & IN_CHUNK) << 1) + 1]
  }

  #setLink(handle: number, side: 0 | 1, to: number): void {
    this.#chunks[handle >>> CHUNK_BITS].links[((handle & IN_CHUNK) << 1) + side] = to
  }
}
