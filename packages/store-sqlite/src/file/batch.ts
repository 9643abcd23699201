/**
 * Decisions are committed one by one for so long, when batches have held the lock for as long as one may: those who wait for it get
 * their turn.
 */
const BREATH_MS = 1
/** Where other connections decide as well, a batch is open for so long at most: ten of 10 ms would use up the patience of those who wait. */
const SHARED_MS = 2

/** When decisions share a transaction: since when one is open, what it holds, and the timer that ends it. */
export class Batch {
  readonly #mostMs: number
  readonly #onDue: () => void
  /** By the host's clock, which each decision reads anyway. */
  #sinceMs = 0
  #spanMs = 0
  #decisions = 0
  /** By the process's own: when the lock was first taken, of batches that follow each other without a gap. */
  #heldSinceMs = 0
  #endedMs = 0
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

  /** Where the clock was set back, its age is not known: then it is due. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#sinceMs + this.#spanMs || nowMs < this.#sinceMs
  }

  ageMs(nowMs: number): number {
    return nowMs - this.#sinceMs
  }

  get mayOpen(): boolean {
    return this.#mostMs > 0 && performance.now() >= this.#breatheUntilMs
  }

  /** Begins one; `shared`: other connections decide as well. */
  open(nowMs: number, shared: boolean): void {
    const ownMs = performance.now()
    if (ownMs >= this.#endedMs + BREATH_MS) this.#heldSinceMs = ownMs
    this.#sinceMs = nowMs
    this.#spanMs = shared ? Math.min(SHARED_MS, this.#mostMs) : this.#mostMs
    this.#decisions = 0
    // Whoever forgets to close the store is not kept from ending.
    this.#timer = setTimeout(this.#onDue, this.#spanMs).unref()
  }

  decided(): void {
    this.#decisions++
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#sinceMs = 0
    this.#decisions = 0
    this.#endedMs = performance.now()
    if (this.#endedMs < this.#heldSinceMs + this.#spanMs) return
    this.#breatheUntilMs = this.#endedMs + BREATH_MS
  }
}
