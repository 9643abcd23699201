import { hash32, seededRandom, type Random } from '@ostler/core'

/** What one case is drawn from: its number under a seed gives the same case again, whatever was drawn before. */
export class Draw {
  readonly #random: Random

  constructor(seed: number, index: number) {
    this.#random = seededRandom(hash32(`${seed} ${index}`))
  }

  /** An integer from `least` to `most`. */
  int(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1))
  }

  /** True so often of a hundred. */
  percent(often: number): boolean {
    return this.#random() * 100 < often
  }

  of<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]
  }

  /** One of several ways, of which each is drawn as often as its weight says; only that one is gone. */
  way<T>(ways: readonly (readonly [number, () => T])[]): T {
    let left = this.#random() * ways.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, go] of ways) {
      left -= weight
      if (left < 0) return go()
    }
    return ways[ways.length - 1][1]()
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.int(0, 255)))
  }
}
