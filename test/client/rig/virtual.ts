import { setImmediate } from 'node:timers/promises'
import type { Runtime } from '@ostler/client'

interface Timer {
  readonly atMs: number
  readonly callback: () => void
  /** Whether it is the other side's. */
  readonly isForeign: boolean
}

/** Time that stands still until nothing else is left to do, and then goes on to the next timer. Chance is what it is told. */
export class VirtualRuntime implements Runtime {
  /** What `random` gives. */
  chance = 1
  readonly #timers = new Set<Timer>()
  readonly #startMs: number
  #nowMs: number

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs
    this.#nowMs = startMs
  }

  /** Since it began. */
  get passedMs(): number {
    return this.#nowMs - this.#startMs
  }

  /** Timers of the client that neither rang nor were called off. */
  get pending(): number {
    return [...this.#timers].filter(({ isForeign }) => !isForeign).length
  }

  nowMs(): number {
    return this.#nowMs
  }

  random(): number {
    return this.chance
  }

  after(ms: number, callback: () => void): () => void {
    return this.#set(ms, callback, false)
  }

  /** A pause of the other side's in this time. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#set(ms, resolve, true)
    })
  }

  /** Lets time pass until a promise is settled, and gives what it came to. @throws Error where no timer could settle it */
  async settle<T>(promise: PromiseLike<T>): Promise<PromiseSettledResult<T>> {
    let result: PromiseSettledResult<T> | null = null
    promise.then(
      (value) => (result = { status: 'fulfilled', value }),
      (reason: unknown) => (result = { status: 'rejected', reason }),
    )
    for (;;) {
      // All that follows from what has happened, streams included.
      for (let turn = 0; turn < 5; turn++) await setImmediate()
      if (result !== null) return result
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) throw new Error('nothing is left that could settle it')
      this.#timers.delete(next)
      this.#nowMs = next.atMs
      next.callback()
    }
  }

  #set(ms: number, callback: () => void, isForeign: boolean): () => void {
    const timer = { atMs: this.#nowMs + ms, callback, isForeign }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }
}
