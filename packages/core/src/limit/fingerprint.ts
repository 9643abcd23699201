// hot path: once for each call of a key that is not at hand. No module constants, no calls, 32-bit
// integers only.

/**
 * Fingerprints of strings under a secret seed: HalfSipHash-1-3 (J.-P. Aumasson, D. J. Bernstein)
 * with 64 bits of result, over words of two UTF-16 units. Who doesn't know the seed can't choose
 * strings that collide, and two of a million strings do so with a probability of 3e-8. O(length).
 */
export class Fingerprint {
  /** The last string's: signed 32-bit integers, which no engine allocates. */
  hash = 0
  check = 0
  readonly #k0: number
  readonly #k1: number

  constructor(seed: number) {
    // One seed makes both halves of the key; odd multipliers keep all of its bits.
    this.#k0 = Math.imul(seed ^ 0x736f6d65, 0x9e3779b1)
    this.#k1 = Math.imul(seed ^ 0x646f7261, 0x85ebca6b)
  }

  take(text: string): void {
    const { length } = text
    let v0 = this.#k0
    let v1 = this.#k1 ^ 0xee
    let v2 = this.#k0 ^ 0x6c796765
    let v3 = this.#k1 ^ 0x74656462
    // Whole words, then one of the length and the odd unit, then three rounds without any.
    const words = length >>> 1
    for (let i = 0; i < words + 4; i++) {
      let word = 0
      if (i < words) word = text.charCodeAt(i << 1) | (text.charCodeAt((i << 1) | 1) << 16)
      else if (i === words) {
        word = (length << 16) | ((length & 1) === 1 ? text.charCodeAt(length - 1) : 0)
      } else if (i === words + 1) v2 ^= 0xee
      v3 ^= word
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= word
    }
    this.hash = v1 ^ v3
    this.check = v0 ^ v2
  }
}
