/**
 * Deadlines in order: a 4-ary min-heap over integer handles, each with one instant.
 * Equal instants come out by handle, so that every process drains in the same order.
 * `set` and `remove` are O(log n), a look at the first O(1); memory is 16 bytes a handle, grown by doubling.
 */
export class ExpiryHeap {
  #heap = new Uint32Array(64)
  /** Per handle: its place in the heap plus one; 0 where it is not in it. */
  #place = new Uint32Array(64)
  #atMs = new Float64Array(64)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The earliest instant, or Infinity. */
  get firstAtMs(): number {
    return this.#size === 0 ? Infinity : this.#atMs[this.#heap[0]]
  }

  /** The handle of the earliest instant, or -1. */
  get first(): number {
    return this.#size === 0 ? -1 : this.#heap[0]
  }

  has(handle: number): boolean {
    return handle < this.#place.length && this.#place[handle] !== 0
  }

  /** The handle's instant, or Infinity where it has none. */
  at(handle: number): number {
    return this.has(handle) ? this.#atMs[handle] : Infinity
  }

  /** Sets a handle's instant; one that has one already moves. */
  set(handle: number, atMs: number): void {
    this.#reserve(handle)
    this.#atMs[handle] = atMs
    if (this.#place[handle] === 0) {
      if (this.#size === this.#heap.length) this.#heap = grown(this.#heap, this.#size * 2)
      this.#heap[this.#size] = handle
      this.#place[handle] = ++this.#size
    }
    const place = this.#place[handle] - 1
    if (this.#up(place) === place) this.#down(place)
  }

  remove(handle: number): void {
    if (!this.has(handle)) return
    const place = this.#place[handle] - 1
    this.#place[handle] = 0
    const last = this.#heap[--this.#size]
    if (last === handle) return
    this.#heap[place] = last
    this.#place[last] = place + 1
    if (this.#up(place) === place) this.#down(place)
  }

  /**
   * Visits handles from the earliest on, until `visit` answers false. O(k log k) for k visits; nothing is removed.
   */
  inOrder(visit: (handle: number, atMs: number) => boolean): void {
    // A second heap holds the places whose parent has been visited.
    const frontier: number[] = this.#size > 0 ? [0] : []
    while (frontier.length > 0) {
      const place = this.#popNearest(frontier)
      const handle = this.#heap[place]
      if (!visit(handle, this.#atMs[handle])) return
      const firstChild = place * 4 + 1
      for (let c = firstChild; c < firstChild + 4 && c < this.#size; c++)
        this.#pushPlace(frontier, c)
    }
  }

  #pushPlace(frontier: number[], place: number): void {
    let at = frontier.push(place) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(this.#heap[place], this.#heap[frontier[parent]])) break
      frontier[at] = frontier[parent]
      at = parent
    }
    frontier[at] = place
  }

  #popNearest(frontier: number[]): number {
    const first = frontier[0]
    const last = frontier.pop() as number
    if (frontier.length === 0) return first
    let at = 0
    for (;;) {
      let kid = 2 * at + 1
      if (kid >= frontier.length) break
      const right = kid + 1
      if (
        right < frontier.length &&
        this.#before(this.#heap[frontier[right]], this.#heap[frontier[kid]])
      ) {
        kid = right
      }
      if (!this.#before(this.#heap[frontier[kid]], this.#heap[last])) break
      frontier[at] = frontier[kid]
      at = kid
    }
    frontier[at] = last
    return first
  }

  #before(a: number, b: number): boolean {
    const difference = this.#atMs[a] - this.#atMs[b]
    return difference < 0 || (difference === 0 && a < b)
  }

  #up(from: number): number {
    const handle = this.#heap[from]
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 2
      const above = this.#heap[parent]
      if (!this.#before(handle, above)) break
      this.#heap[place] = above
      this.#place[above] = place + 1
      place = parent
    }
    this.#heap[place] = handle
    this.#place[handle] = place + 1
    return place
  }

  #down(from: number): void {
    const handle = this.#heap[from]
    let place = from
    for (;;) {
      const firstChild = place * 4 + 1
      if (firstChild >= this.#size) break
      const end = firstChild + 4 < this.#size ? firstChild + 4 : this.#size
      let least = firstChild
      for (let c = firstChild + 1; c < end; c++) {
        if (this.#before(this.#heap[c], this.#heap[least])) least = c
      }
      const below = this.#heap[least]
      if (!this.#before(below, handle)) break
      this.#heap[place] = below
      this.#place[below] = place + 1
      place = least
    }
    this.#heap[place] = handle
    this.#place[handle] = place + 1
  }

  #reserve(handle: number): void {
    if (handle < this.#place.length) return
    const size = Math.max(handle + 1, this.#place.length * 2)
    this.#place = grown(this.#place, size)
    const atMs = new Float64Array(size)
    atMs.set(this.#atMs)
    this.#atMs = atMs
  }
}

function grown(array: Uint32Array<ArrayBuffer>, size: number): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(size)
  next.set(array)
  return next
}
