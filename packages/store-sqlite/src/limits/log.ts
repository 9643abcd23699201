// hot path: each decision on an exact policy reads one of these, and an admission writes it. Columns of numbers with running sums, so
// that what counts is found by bisection, and nothing is allocated; the pure functions of core's `window.ts` are its naive twin.

import { effectiveMs, type ExactPolicy } from '@ostler/core'

/** Only quanta that change from call to call make a log longer: then its oldest hits count as long as the next one. */
export const MOST_HITS = 4_096
/** So many dropped hits stay before the columns are moved. */
const SLACK = 64

/** The hits of a key: by effective time, oldest first, no two with the same. */
export class Log {
  /** The window of the last admitted call. */
  windowMs = 0
  /** Hits before this one are dropped. */
  first = 0
  readonly atMs: number[] = []
  /** What each hit cost, and all before it. */
  readonly upTo: number[] = []
  /** What the dropped ones cost. */
  dropped = 0
  /** What the last `look` found: the first hit that counts, and what counts. */
  live = 0
  used = 0

  get isEmpty(): boolean {
    return this.first === this.atMs.length
  }

  get newestMs(): number {
    return this.atMs[this.atMs.length - 1]
  }

  /** From then on nothing counts any more. */
  get idleMs(): number {
    return this.isEmpty ? 0 : this.newestMs + this.windowMs
  }

  clear(): void {
    this.#move(this.atMs.length)
    this.windowMs = 0
  }

  /** Adds a hit that is newer than all others. */
  push(atMs: number, cost: number): void {
    const { length } = this.upTo
    this.atMs.push(atMs)
    this.upTo.push((length === 0 ? this.dropped : this.upTo[length - 1]) + cost)
  }

  /** Finds what counts at `nowMs` in a window: for the shorter of it and the log's own. O(log hits), O(1) if all counts. */
  look(windowMs: number, nowMs: number): void {
    const { atMs, upTo } = this
    const afterMs = nowMs - (windowMs < this.windowMs ? windowMs : this.windowMs)
    const end = atMs.length
    let low = this.first
    if (low === end || atMs[end - 1] <= afterMs) {
      this.live = end
      this.used = 0
      return
    }
    let high = end - 1
    if (atMs[low] > afterMs) high = low
    while (low < high) {
      const middle = (low + high) >>> 1
      if (atMs[middle] > afterMs) high = middle
      else low = middle + 1
    }
    this.live = low
    this.used = upTo[end - 1] - this.#before(low)
  }

  /** After `look`: the effective time of the hit with which `excess` of what counts is gone. O(log hits) */
  goneMs(excess: number): number {
    const { upTo } = this
    const goal = this.#before(this.live) + excess
    let low = this.live
    let high = upTo.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (upTo[middle] >= goal) high = middle
      else low = middle + 1
    }
    return this.atMs[low]
  }

  /** After `look`: counts an admitted call, and drops what does not count. O(1), but where a quantum became shorter. */
  add(cost: number, policy: ExactPolicy, windowMs: number, nowMs: number): void {
    const { atMs, upTo } = this
    const hitMs = effectiveMs(nowMs, policy.quantumMs)
    this.#drop()
    this.windowMs = windowMs
    const last = atMs.length - 1
    if (last < this.first || atMs[last] < hitMs) this.push(hitMs, cost)
    else {
      let i = last
      while (i > this.first && atMs[i - 1] >= hitMs) i--
      if (atMs[i] > hitMs) {
        atMs.splice(i, 0, hitMs)
        upTo.splice(i, 0, this.#before(i))
      }
      for (; i < upTo.length; i++) upTo[i] += cost
    }
    if (atMs.length - this.first > MOST_HITS) this.first++
  }

  /** After `look`: takes `cost` from the hit at an effective time; false where it does not count, or cost less. O(hits). */
  remove(cost: number, hitMs: number): boolean {
    const { atMs, upTo } = this
    const at = atMs.indexOf(hitMs, this.live)
    if (at === -1) return false
    const left = upTo[at] - this.#before(at) - cost
    if (left < 0) return false
    for (let i = at; i < upTo.length; i++) upTo[i] -= cost
    if (left > 0) return true
    atMs.splice(at, 1)
    upTo.splice(at, 1)
    if (this.isEmpty) this.#move(atMs.length)
    return true
  }

  /** The cost of all hits before one. */
  #before(i: number): number {
    return i === this.first ? this.dropped : this.upTo[i - 1]
  }

  #drop(): void {
    const { live } = this
    if (live === this.first) return
    this.dropped = this.#before(live)
    this.first = live
    const left = this.atMs.length - live
    if (left === 0 || (live >= SLACK && live >= left)) this.#move(live)
  }

  /** Moves the columns to where they begin. Sums begin anew: they never grow beyond what is exact. */
  #move(from: number): void {
    const { atMs, upTo, dropped } = this
    const left = atMs.length - from
    for (let i = 0; i < left; i++) {
      atMs[i] = atMs[from + i]
      upTo[i] = upTo[from + i] - dropped
    }
    atMs.length = left
    upTo.length = left
    this.first = 0
    this.dropped = 0
  }
}
