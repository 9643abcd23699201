// hot path: looked up for every dispatch; open addressing in typed arrays, sized once from the most
// pairs that can be touched.

import { mix } from './weighted.ts'

const EMPTY = -1

/**
 * What the domains remember of each exit that has asked them: a request count in a sliding window,
 * and a hold.
 */
export class Pairs {
  readonly #keys: Float64Array
  readonly #mask: number
  readonly #exits: number
  /** Number of the window that `count` is of; `before` is the count of the one before it. */
  readonly window: Int32Array
  readonly count: Int32Array
  readonly before: Int32Array
  /** Held off before this instant. */
  readonly heldUntilMs: Float64Array

  /** Room for `most` pairs. */
  constructor(most: number, exits: number) {
    let size = 1024
    while (size < most * 1.5) size *= 2
    this.#keys = new Float64Array(size).fill(EMPTY)
    this.#mask = size - 1
    this.#exits = exits
    this.window = new Int32Array(size)
    this.count = new Int32Array(size)
    this.before = new Int32Array(size)
    this.heldUntilMs = new Float64Array(size)
  }

  /** The slot of a pair, taken if it is new. */
  slotOf(domain: number, exit: number): number {
    const keys = this.#keys
    const mask = this.#mask
    const key = domain * this.#exits + exit
    let slot = mix(domain, exit, 0) & mask
    while (keys[slot] !== key) {
      if (keys[slot] === EMPTY) {
        keys[slot] = key
        break
      }
      slot = (slot + 1) & mask
    }
    return slot
  }

  /**
   * Requests in the last `windowMs`, as edge proxies count them: this window's, and of the one
   * before the share that still overlaps. Moves the slot's window on to that of `nowMs`.
   */
  requests(slot: number, nowMs: number, windowMs: number): number {
    const window = Math.floor(nowMs / windowMs)
    if (this.window[slot] !== window) {
      this.before[slot] = this.window[slot] === window - 1 ? this.count[slot] : 0
      this.count[slot] = 0
      this.window[slot] = window
    }
    const overlap = 1 - (nowMs - window * windowMs) / windowMs
    return this.count[slot] + this.before[slot] * overlap
  }
}
