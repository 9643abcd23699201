/** Where time comes from: milliseconds since the epoch, an integer of 1 or more. */
export interface Clock {
  nowMs(): number
}

/** The machine's clock. It may step back: the scheduler never lets its own time do so. */
export const systemClock: Clock = { nowMs: () => Date.now() }

/** Chance from outside, for names that must differ between processes whatever their seeds. */
export const ambientRandom: () => number = Math.random

/**
 * An unsigned 32-bit integer that nobody can foretell, for seeds that are secrets: the outputs of `Math.random` that others get to
 * see, such as in names, give away its next ones.
 */
export function secretSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]
}

/** The one timer: a pause between two questions whether a store is back. Nothing is decided by it, and no process is kept alive by it. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    if (typeof timer === 'object') timer.unref?.()
  })
}

/** What Node and browsers have; core has no types of either. */
declare function setTimeout(callback: () => void, ms: number): number | { unref?(): unknown }
declare const crypto: { getRandomValues(into: Uint32Array): Uint32Array }
