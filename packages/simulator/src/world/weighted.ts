import type { Random } from '@ostler/core'

/** Draws indexes in proportion to weights: a table of running sums, and a binary search in it. */
export class Weighted {
  readonly #sums: Float64Array

  /** At least one weight is above 0. */
  constructor(weights: ArrayLike<number>) {
    this.#sums = new Float64Array(weights.length)
    let sum = 0
    for (let i = 0; i < weights.length; i++) this.#sums[i] = sum += weights[i]
  }

  /** O(log n). */
  draw(random: Random): number {
    const sums = this.#sums
    const target = random() * sums[sums.length - 1]
    let low = 0
    let high = sums.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle] > target) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** Weights of Zipf's law: the n-th of `count` (from 1) weighs n ** -exponent. */
export function zipfWeights(count: number, exponent: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => (i + 1) ** -exponent)
}

/**
 * A well-mixed unsigned 32-bit number of three integers: the world's stateless coin.
 * murmur3's finaliser over a sum of odd multiples.
 */
export function mix(a: number, b: number, c: number): number {
  let hash = (Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b)) + Math.imul(c, 0xc2b2ae35)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
