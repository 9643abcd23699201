/** After a batch, decisions are committed one by one for so long: those who wait for the lock get their turn. */
const BREATH_MS = 1
/** Where other connections decide as well, a batch is open for so long at most: ten of 10 ms would use up the patience of those who wait. */
const SHARED_MS = 2

/** When decisions share a transaction: since when one is open, what it holds, and the timer that ends it. Instants of the process's own clock. */
export class Batch {
  readonly #mostMs: number
  readonly #onDue: () => void
  #sinceMs = 0
  #dueMs = 0
  #decisions = 0
  #breatheUntilMs = 0
  #timer: NodeJS.Timeout | undefined

  /** `mostMs`: how long one may be open; 0 where none ever is. */
  constructor(mostMs: number, onDue: () => void) {
    this.#mostMs = mostMs
    this.#onDue = onDue
  }

  get isOpen(): boolean {
    return this.#sinceMs > 0
  }

  /** What the open one has decided so far. */
  get decisions(): number {
    return this.#decisions
  }

  get ageMs(): number {
    return Math.ceil(performance.now() - this.#sinceMs)
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs
  }

  mayOpen(nowMs: number): boolean {
    return this.#mostMs > 0 && nowMs >= this.#breatheUntilMs
  }

  /** Begins one; `shared`: other connections decide as well. */
  open(shared: boolean): void {
    const mostMs = shared ? Math.min(SHARED_MS, this.#mostMs) : this.#mostMs
    this.#sinceMs = performance.now()
    this.#dueMs = this.#sinceMs + mostMs
    this.#decisions = 0
    // Whoever forgets to close the store is not kept from ending.
    this.#timer = setTimeout(this.#onDue, mostMs).unref()
  }

  decided(): void {
    this.#decisions++
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#sinceMs = 0
    this.#decisions = 0
    this.#breatheUntilMs = performance.now() + BREATH_MS
  }
}
