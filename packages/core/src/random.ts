/** A source of numbers in [0, 1), each a multiple of 2^-32. */
export type Random = () => number

/**
 * A seeded source: the same seed (an unsigned 32-bit integer) gives the same numbers everywhere.
 * Mulberry32 (T. Ettinger, public domain): a 32-bit Weyl sequence through two rounds of mixing.
 */
export function seededRandom(seed: number): Random {
  const seeded = new Seeded()
  seeded.start(seed)
  return () => seeded.next()
}

/** The same source as one object that starts anew for each seed: a closure for each of many short sequences costs more than the numbers. */
export class Seeded {
  #state = 0

  start(seed: number): void {
    this.#state = seed | 0
  }

  next(): number {
    return (this.#mixed() >>> 0) / 4294967296
  }

  /** An integer from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(((this.#mixed() >>> 0) / 4294967296) * count)
  }

  /** 32 bits as a signed integer, which costs no allocation to hand on. */
  #mixed(): number {
    const state = (this.#state + 0x6d2b79f5) | 0
    this.#state = state
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return mixed ^ (mixed >>> 14)
  }
}

/** A 32-bit hash of a string's UTF-16 units (FNV-1a, then murmur3's finaliser). Not for secrets. */
export function hash32(text: string, seed = 0): number {
  let hash = (0x811c9dc5 ^ seed) | 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
