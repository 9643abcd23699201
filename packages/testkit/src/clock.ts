import type { Clock } from '@ostler/core'

/** A clock that moves when told. Starts at 1 or later: 0 means "never" in many places. It may step back. */
export class ManualClock implements Clock {
  #nowMs: number

  constructor(startMs = 1_000_000) {
    this.#nowMs = instant(startMs)
  }

  nowMs(): number {
    return this.#nowMs
  }

  /** Moves by so many ms, forwards or back, and gives the new instant. */
  advance(ms: number): number {
    return this.set(this.#nowMs + ms)
  }

  /** Sets the instant, earlier or later, and gives it. */
  set(nowMs: number): number {
    this.#nowMs = instant(nowMs)
    return this.#nowMs
  }
}

function instant(nowMs: number): number {
  if (Number.isSafeInteger(nowMs) && nowMs >= 1) return nowMs
  throw new RangeError(`an instant must be an integer of 1 or more, got ${nowMs}`)
}
