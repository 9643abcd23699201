// hot path: where the run of a position, and the run with the earliest instant, are found.
import { ExpiryHeap } from './expiry.ts'
import type { Run } from './run.ts'

/** Several runs: in order of their positions, and ranked by their earliest instants. One alone needs none of it. */
export class Directory {
  readonly runs: Run[]
  /** No position of a run is below its bound, and none of the run before is at or above it. */
  #bounds = new Uint32Array(8)
  readonly #earliest = new ExpiryHeap()
  readonly #byHandle: (Run | null)[] = []
  readonly #vacant: number[] = []

  constructor(first: Run, atMs: number) {
    this.runs = [first]
    this.#byHandle.push(first)
    first.handle = 0
    this.rank(first, atMs)
  }

  get firstAtMs(): number {
    return this.#earliest.firstAtMs
  }

  /** The run with the earliest instant. */
  get first(): Run {
    return this.#byHandle[this.#earliest.first] as Run
  }

  /** Which run a position is in, or would be. */
  find(position: number): number {
    const bounds = this.#bounds
    let low = 1
    let high = this.runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (bounds[middle] <= position) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Says what a run's earliest instant is now. */
  rank(run: Run, atMs: number): void {
    this.#earliest.set(run.handle, atMs)
  }

  /** Adds a run behind another; `rank` must follow. The list is what moves: 4 and 8 bytes a run. */
  add(after: number, run: Run, bound: number): void {
    const { length } = this.runs
    run.handle = this.#vacant.pop() ?? this.#byHandle.length
    this.#byHandle[run.handle] = run
    if (length === this.#bounds.length) {
      const bounds = new Uint32Array(length * 2)
      bounds.set(this.#bounds)
      this.#bounds = bounds
    }
    this.#bounds.copyWithin(after + 2, after + 1, length)
    this.#bounds[after + 1] = bound
    this.runs.splice(after + 1, 0, run)
  }

  remove(at: number): void {
    const { handle } = this.runs[at]
    this.#bounds.copyWithin(at, at + 1, this.runs.length)
    this.runs.splice(at, 1)
    this.#earliest.remove(handle)
    this.#byHandle[handle] = null
    this.#vacant.push(handle)
  }

  /** Visits the runs by their earliest instants, until `visit` answers false. */
  inOrder(visit: (run: Run, atMs: number) => boolean): void {
    this.#earliest.inOrder((handle, atMs) => visit(this.#byHandle[handle] as Run, atMs))
  }
}
