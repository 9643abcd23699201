// hot path: two steps for every dispatch; a binary heap in typed arrays, no object per event.

/**
 * What is due when: slots by instant, and of one instant in the order in which they were put in.
 */
export class Agenda {
  #atMs = new Float64Array(256)
  #order = new Float64Array(256)
  #slot = new Int32Array(256)
  #size = 0
  #puts = 0

  /** The earliest instant; Infinity when nothing is due. */
  get nextMs(): number {
    return this.#size === 0 ? Infinity : this.#atMs[0]
  }

  /** O(log n). */
  put(atMs: number, slot: number): void {
    if (this.#size === this.#atMs.length) this.#grow()
    let hole = this.#size++
    const order = this.#puts++
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (this.#atMs[parent] <= atMs) break
      this.#move(parent, hole)
      hole = parent
    }
    this.#atMs[hole] = atMs
    this.#order[hole] = order
    this.#slot[hole] = slot
  }

  /** Takes the earliest slot; only while `nextMs` is finite. O(log n). */
  take(): number {
    const taken = this.#slot[0]
    const last = --this.#size
    const atMs = this.#atMs[last]
    const order = this.#order[last]
    const slot = this.#slot[last]
    let hole = 0
    for (;;) {
      let child = 2 * hole + 1
      if (child >= last) break
      if (child + 1 < last && this.#before(child + 1, this.#atMs[child], this.#order[child])) {
        child++
      }
      if (!this.#before(child, atMs, order)) break
      this.#move(child, hole)
      hole = child
    }
    this.#atMs[hole] = atMs
    this.#order[hole] = order
    this.#slot[hole] = slot
    return taken
  }

  #before(entry: number, atMs: number, order: number): boolean {
    return this.#atMs[entry] < atMs || (this.#atMs[entry] === atMs && this.#order[entry] < order)
  }

  #move(from: number, to: number): void {
    this.#atMs[to] = this.#atMs[from]
    this.#order[to] = this.#order[from]
    this.#slot[to] = this.#slot[from]
  }

  #grow(): void {
    const size = this.#atMs.length * 2
    const atMs = new Float64Array(size)
    const order = new Float64Array(size)
    const slot = new Int32Array(size)
    atMs.set(this.#atMs)
    order.set(this.#order)
    slot.set(this.#slot)
    this.#atMs = atMs
    this.#order = order
    this.#slot = slot
  }
}
