// hot path: the exact policies of one name, for up to maxKeys keys. `check` decides and remembers
// where it looked, `commit` writes there; between the two nothing else may happen. A denial writes
// nothing. Instants go in and out by fields: as arguments and results of calls that are not inlined
// each would be allocated.

import { HitLogs, isEmpty, MOST_KEPT, newestMs } from './hits.ts'
import { checkKey } from './key.ts'
import { KeyTable } from './keys.ts'
import * as layout from './layout.ts'
import { type ExactPolicy, type ResolvedPolicy, UNIT_LIMIT } from './policy.ts'
import { effectiveMs } from './window.ts'

const { ARENA_BITS, ARENA_MASK, BASE_STEP_MS, MOST_OFFSET } = layout
const { BLOCK, CLASS, META, NEWEST, PAIRS, RING, SUM, WINDOW } = layout
const MOST_UNITS = UNIT_LIMIT
const MOST_KEPT_BITS = MOST_KEPT
/** How many expired entries a call looks at one by one. */
const MOST_STEPS = 4
const NO_WORDS = new Uint32Array(0)

/**
 * What `Gate` asks of the keys of one policy name. Results of a check stay in fields:
 * nothing is allocated.
 */
export interface Slab<P extends ResolvedPolicy> {
  /** The instant to decide at: set it before each call. */
  nowMs: number
  /** Of the last check: the slot or lane where the key is counted, or 0 where it is in none yet. */
  slot: number
  /** Of the last check: whether it is a lane. */
  lane: boolean
  /** Of the last check: the policy's limit (or burst). */
  limit: number
  /** Of the last check: what is left after the call, 0 or more. */
  remaining: number
  /** Of the last check: when all is restored, after the call. */
  resetAtMs: number
  readonly keys: KeyTable
  /** Memory of slots and logs, without the strings and the table of keys. */
  readonly bytes: number
  /**
   * Decides a call: 0 where it is admitted, else ms until it would be, -1 for never. Changes
   * nothing but the results. `hint`: the key's slot when the caller last looked, or 0.
   */
  check(key: string, policy: P, cost: number, hint: number): number
  /** Counts the call that the last check admitted; with the same arguments. */
  commit(key: string, policy: P, cost: number): void
  /** Decides as `check` does, and counts what it admits. @throws OstlerError INVALID_KEY where it has no slot */
  take(key: string, policy: P, cost: number, hint: number): number
  /**
   * Cost that the key has used; sets `limit` and `resetAtMs`. Changes nothing but the results.
   */
  usedBy(key: string, policy: P): number
  /** Gives back a call that was admitted at `atMs`; false where nothing of it is left. */
  refund(key: string, policy: P, cost: number, atMs: number): boolean
}

/**
 * The logs of `window.ts` for one policy name. A key's slot counts for min(windowMs, window of its
 * last admitted call). A lane is shared, so it counts for the longest window that its live hits
 * were admitted under, and never gives back.
 */
export class ExactSlab implements Slab<ExactPolicy> {
  nowMs = 0
  slot = 0
  lane = false
  limit = 0
  remaining = 0
  resetAtMs = 0
  readonly keys: KeyTable
  readonly #logs = new HitLogs()
  /** How many of the slot's oldest entries have expired, and the cost of the others. */
  #dead = 0
  #used = 0
  /** Effective time of the slot's newest hit, where any counts. */
  #lastMs = 0
  /**
   * For how long hits count: the policy's window, the slot's own if that is shorter, or the lane's.
   */
  #countsMs = 0
  /** The words of the slot or lane, and where it starts in them. */
  #words: Uint32Array = NO_WORDS
  #start = 0

  constructor(maxKeys: number, seed: number) {
    this.keys = new KeyTable(maxKeys, seed, (slot) => this.#idleAtMs(slot))
  }

  get bytes(): number {
    return this.keys.slots.bytes + this.#logs.arena.bytes
  }

  check(key: string, policy: ExactPolicy, cost: number, hint: number): number {
    return this.#checkAt(this.keys.find(key, hint), key, policy, cost)
  }

  /**
   * Most calls cost 1 and are of a key with a slot, whose log is of units under the policy that it
   * was last admitted by, and keeps its block. These are decided and counted here in one go, in half
   * the time that `check` and `commit` take, by which the others go.
   */
  take(key: string, policy: ExactPolicy, cost: number, hint: number): number {
    const { keys, nowMs } = this
    const { limit, windowMs } = policy
    const slot = keys.find(key, hint)
    const words = keys.slots.wordsOf(slot)
    const start = keys.slots.startOf(slot)
    const size = words[start + META] & (PAIRS | CLASS)
    const baseMs = (words[start + META] >>> 5) * BASE_STEP_MS
    const at = nowMs - baseMs
    const after = at - windowMs
    const newest = words[start + NEWEST]
    // Slot 0 is nobody's: its window is 0.
    const isPlain = words[start + WINDOW] === windowMs && policy.quantumMs === 1 && size < PAIRS
    if (!isPlain || cost !== 1 || limit > MOST_UNITS || at < newest || at > MOST_OFFSET) {
      return this.#takeAt(slot, key, policy, cost)
    }
    const address = words[start + BLOCK]
    const block = size === 0 ? NO_WORDS : this.#logs.arena.segments[address >>> ARENA_BITS]
    const offset = address & ARENA_MASK
    const mask = (1 << size) - 1
    let head = words[start + RING] >>> 16
    let used = 0
    if (newest > after) {
      used = words[start + SUM]
      if (size === 0) {
        if (at !== newest && used < limit) return this.#takeAt(slot, key, policy, cost)
      } else {
        const most = head + MOST_STEPS
        while (block[offset + (head & mask)] <= after) {
          if (head === most) return this.#takeAt(slot, key, policy, cost)
          head++
          used--
        }
      }
    } else if (size > MOST_KEPT_BITS) return this.#takeAt(slot, key, policy, cost)
    this.slot = slot
    this.lane = false
    this.limit = limit
    if (used >= limit) {
      if (limit === 0) return this.#takeAt(slot, key, policy, cost)
      this.remaining = 0
      this.resetAtMs = baseMs + newest + windowMs
      const freed = size === 0 ? newest : block[offset + ((head + used - limit) & mask)]
      return freed - after
    }
    if (size !== 0) {
      if (used > mask) return this.#takeAt(slot, key, policy, cost)
      block[offset + ((head + used) & mask)] = at
    }
    keys.touch(slot)
    words[start + RING] = size === 0 ? 1 : (((head & mask) << 16) | (used + 1)) >>> 0
    words[start + SUM] = used + 1
    words[start + NEWEST] = at
    this.remaining = limit - used - 1
    this.resetAtMs = nowMs + windowMs
    return 0
  }

  #takeAt(slot: number, key: string, policy: ExactPolicy, cost: number): number {
    if (slot === 0) checkKey(key)
    const waitMs = this.#checkAt(slot, key, policy, cost)
    if (waitMs === 0) this.commit(key, policy, cost)
    return waitMs
  }

  #checkAt(slot: number, key: string, policy: ExactPolicy, cost: number): number {
    this.#look(slot, key, policy)
    const { nowMs } = this
    const { limit } = policy
    this.limit = limit
    const used = this.#used
    const left = limit - used
    if (cost <= left) {
      const atMs = policy.quantumMs === 1 ? nowMs : effectiveMs(nowMs, policy.quantumMs)
      const lastMs = used !== 0 && this.#lastMs > atMs ? this.#lastMs : atMs
      this.remaining = left - cost
      this.resetAtMs = lastMs + (this.lane ? this.#keptMs(policy) : policy.windowMs)
      return 0
    }
    this.remaining = left > 0 ? left : 0
    if (used === 0) {
      this.resetAtMs = nowMs
      return -1
    }
    const countsMs = this.#countsMs
    this.resetAtMs = this.#lastMs + countsMs
    if (cost > limit) return -1
    const words = this.#words
    const start = this.#start
    const baseMs = (words[start + META] >>> 5) * BASE_STEP_MS
    return this.#logs.expiry(words, start, this.#dead, cost - left) - (nowMs - baseMs - countsMs)
  }

  usedBy(key: string, policy: ExactPolicy): number {
    this.#look(this.keys.find(key, 0), key, policy)
    this.limit = policy.limit
    this.resetAtMs = this.#used === 0 ? this.nowMs : this.#lastMs + this.#countsMs
    return this.#used
  }

  commit(key: string, policy: ExactPolicy, cost: number): void {
    const { keys, nowMs } = this
    const { quantumMs } = policy
    const logs = this.#logs
    const windowMs = this.lane ? this.#keptMs(policy) : policy.windowMs
    logs.atMs = quantumMs === 1 ? nowMs : effectiveMs(nowMs, quantumMs)
    if (this.slot === 0) this.#claim(key, logs.atMs + windowMs)
    else if (!this.lane) keys.touch(this.slot)
    const words = this.#words
    const start = this.#start
    words[start + WINDOW] = windowMs
    const pairs = this.lane || quantumMs !== 1 || policy.limit > MOST_UNITS
    logs.add(words, start, this.#dead, this.#used, cost, pairs)
  }

  refund(key: string, policy: ExactPolicy, cost: number, atMs: number): boolean {
    const slot = this.keys.find(key, 0)
    if (slot === 0) return false
    const words = this.keys.slots.wordsOf(slot)
    const start = this.keys.slots.startOf(slot)
    const hitMs = effectiveMs(atMs, policy.quantumMs)
    if (hitMs <= this.nowMs - Math.min(words[start + WINDOW], policy.windowMs)) return false
    if (!this.#logs.remove(words, start, hitMs, cost)) return false
    if (isEmpty(words, start)) this.keys.drop(slot)
    return true
  }

  /** What counts of the key's slot or lane. `slot`: its own, or 0. */
  #look(slot: number, key: string, policy: ExactPolicy): void {
    this.slot = slot
    this.lane = false
    this.#countsMs = policy.windowMs
    if (slot !== 0) this.#read(slot)
    else this.#lookInLane(key)
  }

  #lookInLane(key: string): void {
    const lane = this.keys.liveLane(key, this.nowMs)
    this.slot = lane
    this.lane = lane !== 0
    this.#used = 0
    this.#dead = 0
    if (lane !== 0) this.#read(lane)
  }

  #read(slot: number): void {
    this.#point(slot)
    const words = this.#words
    const start = this.#start
    const ownMs = words[start + WINDOW]
    if (ownMs < this.#countsMs || this.lane) this.#countsMs = ownMs
    const baseMs = (words[start + META] >>> 5) * BASE_STEP_MS
    this.#lastMs = baseMs + words[start + NEWEST]
    this.#used = this.#logs.used(words, start, this.nowMs - baseMs - this.#countsMs)
    this.#dead = this.#logs.dead
  }

  #claim(key: string, idleMs: number): void {
    const { keys } = this
    this.slot = keys.claim(key, this.nowMs, idleMs)
    this.lane = keys.isLane(this.slot)
    this.#point(this.slot)
    this.#logs.clear(this.#words, this.#start)
    this.#dead = 0
  }

  #point(slot: number): void {
    const { slots } = this.keys
    const words = slots.wordsOf(slot)
    // Mostly the same ones, and to write an object's reference costs more than to compare it.
    if (words !== this.#words) this.#words = words
    this.#start = slots.startOf(slot)
  }

  /** When nothing of the slot counts any more, by the window of its last admitted call. */
  #idleAtMs(slot: number): number {
    const { slots } = this.keys
    const words = slots.wordsOf(slot)
    const start = slots.startOf(slot)
    return newestMs(words, start) + words[start + WINDOW]
  }

  /** The window that a lane remembers after an admission: while it is live, the longest. */
  #keptMs({ windowMs }: ExactPolicy): number {
    const laneMs = this.#words[this.#start + WINDOW]
    return laneMs > windowMs ? laneMs : windowMs
  }
}
