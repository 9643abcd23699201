/** The first and the longest pause between two tries, in ms: a decision holds the lock for some 20 us. */
const FIRST_MS = 0.05
const LONGEST_MS = 0.25
/** Longer than any pause: who waits tries meanwhile. */
const TURN_MS = 0.4

/**
 * How long a call may wait for other processes, in all. The pauses are short, grow, and differ by chance, so that those who wait do
 * not wake together. They are true pauses: a synchronous store can only hold up its caller.
 */
export class Patience {
  readonly budgetMs: number
  readonly #cell = new Int32Array(new SharedArrayBuffer(4))
  #untilMs = 0
  #pauseMs = 0

  constructor(budgetMs: number) {
    this.budgetMs = budgetMs
  }

  /** A new call begins; its time runs from the first pause on. */
  renew(): void {
    this.#untilMs = 0
  }

  /** Keeps from taking what others wait for, long enough for one of them. */
  giveWay(): void {
    Atomics.wait(this.#cell, 0, 0, TURN_MS)
  }

  /** Pauses a little; false where the budget is used up. */
  pause(): boolean {
    const nowMs = performance.now()
    if (this.#untilMs === 0) {
      this.#untilMs = nowMs + this.budgetMs
      this.#pauseMs = FIRST_MS
    }
    const leftMs = this.#untilMs - nowMs
    if (leftMs <= 0) return false
    const pauseMs = this.#pauseMs * (0.5 + Math.random())
    this.#pauseMs = Math.min(this.#pauseMs * 1.5, LONGEST_MS)
    Atomics.wait(this.#cell, 0, 0, Math.min(pauseMs, leftMs))
    return true
  }
}
