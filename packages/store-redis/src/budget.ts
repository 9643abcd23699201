/** Calls that are waited for together. Instants and links are the budget's own. */
export interface Waiting {
  /** How many calls they are. */
  readonly weight: number
  /** When they were added, and when their budget is over, by `performance.now()`. */
  sentMs: number
  deadlineMs: number
  before: Waiting | null
  after: Waiting | null
  /** Called once, when the budget is over. */
  expire(): void
}

/**
 * Ends calls that take longer than `budgetMs`. All have the same budget, so they stand in line by
 * their deadlines, and one timer serves them all. It does not keep the process alive.
 */
export class Budget {
  readonly budgetMs: number
  #first: Waiting | null = null
  #last: Waiting | null = null
  #timer: NodeJS.Timeout | null = null
  #size = 0
  #onIdle: (() => void) | null = null

  constructor(budgetMs: number) {
    this.budgetMs = budgetMs
  }

  /** How many calls are waited for. */
  get size(): number {
    return this.#size
  }

  /** Starts the clock of calls. O(1) */
  add(call: Waiting): void {
    call.sentMs = performance.now()
    call.deadlineMs = call.sentMs + this.budgetMs
    call.before = this.#last
    call.after = null
    if (this.#last === null) this.#first = call
    else this.#last.after = call
    this.#last = call
    this.#size += call.weight
    if (this.#timer === null) this.#arm(this.budgetMs)
  }

  /** Ends the wait for calls that were answered. Only once for each `add`. O(1) */
  remove(call: Waiting): void {
    if (call.before === null) this.#first = call.after
    else call.before.after = call.after
    if (call.after === null) this.#last = call.before
    else call.after.before = call.before
    this.#size -= call.weight
    if (this.#size === 0) this.#onIdle?.()
  }

  /** Resolves, within the budget, once nothing is waited for; then there is no timer either. */
  async close(): Promise<void> {
    if (this.#size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #arm(delayMs: number): void {
    // Timers run before sockets are read: after a busy spell, answers that are already here must
    // come first. An immediate runs after them.
    this.#timer = setTimeout(() => setImmediate(() => this.#sweep()), Math.max(1, delayMs))
    this.#timer.unref()
  }

  #sweep(): void {
    if (this.#timer === null) return
    this.#timer = null
    const nowMs = performance.now()
    while (this.#first !== null && this.#first.deadlineMs <= nowMs) {
      const call = this.#first
      this.remove(call)
      call.expire()
    }
    if (this.#first !== null) this.#arm(this.#first.deadlineMs - nowMs)
  }
}
