// hot path: each decision on an exact policy looks at one log, and an admission writes it. The logs are those of core's limiter: a
// known key's is a record of 44 bytes and four bytes or eight a hit, so that it mostly takes two lines of the processor's caches.

import { effectiveMs, type ExactPolicy } from '@ostler/core'
import { HitLogs, isEmpty, layout, newestMs, Slots } from '@ostler/core/packed'
import type { Counted, Counters } from './counters.ts'
import { packLog, readLog } from './state-codec.ts'

const { BASE_STEP_MS, META, NEWEST, WINDOW } = layout
/** Above it hits are kept as times and sums of cost, as core does. */
const MOST_UNITS = 256
const NO_WORDS = new Uint32Array(0)

/** The hits of keys and lanes, by place. */
export class ExactCounters implements Counters<ExactPolicy> {
  // Not 0: V8 would keep a small integer here at first.
  nowMs: number = NaN
  limit = 0
  remaining = 0
  resetAtMs: number = NaN
  places = 0
  #slots = new Slots()
  #logs = new HitLogs()
  /** The place of the last look, where nothing has changed since; else 0. */
  #looked = 0
  /** Of the last look: where the log stands, what counts, and for how long. */
  #words: Uint32Array = NO_WORDS
  #start = 0
  #used = 0
  #countsMs = 0

  get bytes(): number {
    return this.#slots.bytes + this.#logs.arena.bytes
  }

  take(): number {
    this.places++
    return this.#slots.take()
  }

  give(place: number): void {
    this.#looked = 0
    this.places--
    this.#logs.clear(this.#slots.wordsOf(place), this.#slots.startOf(place))
    this.#slots.give(place)
  }

  clear(): void {
    this.#looked = 0
    this.places = 0
    this.#slots = new Slots()
    this.#logs = new HitLogs()
  }

  idleMs(place: number): number {
    const words = this.#slots.wordsOf(place)
    const start = this.#slots.startOf(place)
    return isEmpty(words, start) ? 0 : newestMs(words, start) + words[start + WINDOW]
  }

  check(at: Counted, cost: number, policy: ExactPolicy): number {
    this.#look(at, policy)
    const { nowMs } = this
    const { limit } = policy
    const used = this.#used
    const left = limit - used
    this.limit = limit
    if (cost <= left) {
      const hitMs = policy.quantumMs === 1 ? nowMs : effectiveMs(nowMs, policy.quantumMs)
      const lastMs = used === 0 ? hitMs : this.#lastMs()
      this.remaining = left - cost
      this.resetAtMs = (lastMs > hitMs ? lastMs : hitMs) + this.#keptMs(at, policy)
      return 0
    }
    this.remaining = left > 0 ? left : 0
    this.resetAtMs = used === 0 ? nowMs : this.#lastMs() + this.#countsMs
    if (cost > limit) return -1
    const words = this.#words
    const start = this.#start
    const baseMs = (words[start + META] >>> 5) * BASE_STEP_MS
    const { dead } = this.#logs
    return this.#logs.expiry(words, start, dead, cost - left) - (nowMs - baseMs - this.#countsMs)
  }

  /** Mostly after a check of the same call. */
  admit(at: Counted, cost: number, policy: ExactPolicy): void {
    if (this.#looked !== at.place) this.#look(at, policy)
    this.#looked = 0
    const { nowMs } = this
    const { quantumMs } = policy
    const logs = this.#logs
    const words = this.#words
    const start = this.#start
    words[start + WINDOW] = this.#keptMs(at, policy)
    logs.atMs = quantumMs === 1 ? nowMs : effectiveMs(nowMs, quantumMs)
    const pairs = at.lane || quantumMs !== 1 || policy.limit > MOST_UNITS
    logs.add(words, start, logs.dead, this.#used, cost, pairs)
  }

  refund({ place }: Counted, cost: number, policy: ExactPolicy, atMs: number): boolean {
    const words = this.#slots.wordsOf(place)
    const start = this.#slots.startOf(place)
    const hitMs = effectiveMs(atMs, policy.quantumMs)
    this.#looked = 0
    if (hitMs <= this.nowMs - Math.min(words[start + WINDOW], policy.windowMs)) return false
    return this.#logs.remove(words, start, hitMs, cost)
  }

  used(at: Counted, policy: ExactPolicy): number {
    this.#look(at, policy)
    this.limit = policy.limit
    this.resetAtMs = this.#used === 0 ? this.nowMs : this.#lastMs() + this.#countsMs
    return this.#used
  }

  load(place: number, state: Buffer | null): void {
    const logs = this.#logs
    const words = this.#slots.wordsOf(place)
    const start = this.#slots.startOf(place)
    this.#looked = 0
    logs.clear(words, start)
    if (state === null) return
    let sum = 0
    words[start + WINDOW] = readLog(state, (atMs, cost) => {
      logs.atMs = atMs
      // Costs of more than so many units are kept as pairs, whatever is asked for.
      logs.add(words, start, 0, sum, cost, false)
      sum += cost
    })
  }

  pack(place: number): Buffer {
    return packLog(this.#logs, this.#slots.wordsOf(place), this.#slots.startOf(place))
  }

  #look({ place, lane }: Counted, { windowMs }: ExactPolicy): void {
    const words = this.#slots.wordsOf(place)
    const start = this.#slots.startOf(place)
    const ownMs = words[start + WINDOW]
    const countsMs = lane || ownMs < windowMs ? ownMs : windowMs
    const baseMs = (words[start + META] >>> 5) * BASE_STEP_MS
    // Mostly the same ones, and to write an object's reference costs more than to compare it.
    if (words !== this.#words) this.#words = words
    this.#looked = place
    this.#start = start
    this.#countsMs = countsMs
    this.#used = this.#logs.used(words, start, this.nowMs - baseMs - countsMs)
  }

  /** After a look at which something counted. */
  #lastMs(): number {
    const words = this.#words
    const start = this.#start
    return (words[start + META] >>> 5) * BASE_STEP_MS + words[start + NEWEST]
  }

  /** The window that is remembered after an admission: of a lane in which something counts, the longest. */
  #keptMs({ lane }: Counted, { windowMs }: ExactPolicy): number {
    return lane && this.#used > 0 && this.#countsMs > windowMs ? this.#countsMs : windowMs
  }
}
