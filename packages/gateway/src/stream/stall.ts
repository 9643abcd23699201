/** Watches a reader for whom something waits: one who takes nothing of it in time has stalled. */
export class StallWatch {
  readonly #ms: number
  readonly #onStall: () => void
  /** Runs while anything waits, anew whenever some is taken. */
  #timer: NodeJS.Timeout | null = null
  #waiting = 0
  #taken = 0

  constructor(ms: number, onStall: () => void) {
    this.#ms = ms
    this.#onStall = onStall
  }

  /** One more thing waits for the reader. */
  sent(): void {
    this.#waiting++
    this.#timer ??= setTimeout(() => this.#judge(), this.#ms)
  }

  /** One of them waits no more. */
  taken(): void {
    this.#waiting--
    this.#taken++
    if (this.#waiting === 0) this.stop()
    else this.#timer?.refresh()
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** After the process was held up a timer runs before it is heard what the reader took meanwhile. */
  #judge(): void {
    const before = this.#taken
    setImmediate(() => {
      if (this.#timer !== null && this.#taken === before) this.#onStall()
    })
  }
}
