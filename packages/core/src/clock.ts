/** Where time comes from: milliseconds since the epoch, an integer of 1 or more. */
export interface Clock {
  nowMs(): number
}

/** The machine's clock. It may step back: the scheduler never lets its own time do so. */
export const systemClock: Clock = { nowMs: () => Date.now() }

/** Chance from outside, for names that must differ between processes whatever their seeds. */
export const ambientRandom: () => number = Math.random
