// hot path: the exact policies of one name, for up to maxKeys keys. `check` decides and remembers
// where it looked, `commit` writes there; between the two nothing else may happen. A denial writes
// nothing.

import { HitLogs } from './hits.ts'
import { KeyTable } from './keys.ts'
import { type ExactPolicy, type ResolvedPolicy, UNIT_LIMIT } from './policy.ts'
import { effectiveMs } from './window.ts'

/**
 * What `MemoryLimits` asks of the keys of one policy name. Results of a check stay in fields:
 * nothing is allocated.
 */
export interface Slab<P extends ResolvedPolicy> {
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
   * nothing but the results.
   */
  check(key: string, policy: P, cost: number, nowMs: number): number
  /** Counts the call that the last check admitted; with the same arguments. */
  commit(key: string, policy: P, cost: number, nowMs: number): void
  /**
   * Cost that the key has used; sets `limit` and `resetAtMs`. Changes nothing but the results.
   */
  usedBy(key: string, policy: P, nowMs: number): number
  /** Gives back a call that was admitted at `atMs`; false where nothing of it is left. */
  refund(key: string, policy: P, cost: number, atMs: number, nowMs: number): boolean
}

/**
 * The logs of `window.ts` for one policy name. A key's slot counts for min(windowMs, window of its
 * last admitted call). A lane is shared, so it counts for the longest window that its live hits
 * were admitted under, and never gives back.
 */
export class ExactSlab implements Slab<ExactPolicy> {
  limit = 0
  remaining = 0
  resetAtMs = 0
  readonly keys: KeyTable
  readonly #logs: HitLogs
  #slot = 0
  #lane = false
  #dead = 0
  #used = 0
  /**
   * For how long hits count: the policy's window, the slot's own if that is shorter, or the lane's.
   */
  #countsMs = 0

  constructor(maxKeys: number, seed: number) {
    this.keys = new KeyTable(maxKeys, seed, (slot) => this.#logs.idleAtMs(slot))
    this.#logs = new HitLogs(this.keys.slots)
  }

  get bytes(): number {
    return this.keys.slots.bytes + this.#logs.arena.bytes
  }

  check(key: string, policy: ExactPolicy, cost: number, nowMs: number): number {
    this.#look(key, policy, nowMs)
    const { limit } = policy
    const left = limit - this.#used
    if (cost > left) {
      const countsMs = this.#countsMs
      this.remaining = left > 0 ? left : 0
      this.resetAtMs = this.#used === 0 ? nowMs : this.#logs.newestMs(this.#slot) + countsMs
      if (cost > limit) return -1
      return this.#logs.expiryMs(this.#slot, this.#dead, cost - left) + countsMs - nowMs
    }
    const atMs = effectiveMs(nowMs, policy.quantumMs)
    const newestMs = this.#used === 0 ? atMs : this.#logs.newestMs(this.#slot)
    this.remaining = left - cost
    this.resetAtMs = (newestMs > atMs ? newestMs : atMs) + this.#keptMs(policy.windowMs)
    return 0
  }

  usedBy(key: string, policy: ExactPolicy, nowMs: number): number {
    this.#look(key, policy, nowMs)
    const newestMs = this.#used === 0 ? nowMs : this.#logs.newestMs(this.#slot) + this.#countsMs
    this.resetAtMs = newestMs
    return this.#used
  }

  commit(key: string, policy: ExactPolicy, cost: number, nowMs: number): void {
    const { limit, quantumMs } = policy
    const atMs = effectiveMs(nowMs, quantumMs)
    const windowMs = this.#keptMs(policy.windowMs)
    if (this.#slot === 0) {
      this.#slot = this.keys.claim(key, nowMs, atMs + windowMs)
      this.#lane = this.keys.isLane(this.#slot)
      this.#logs.clear(this.#slot)
      this.#dead = 0
    } else if (!this.#lane) this.keys.touch(this.#slot)
    const pairs = this.#lane || quantumMs !== 1 || limit > UNIT_LIMIT
    this.#logs.add(this.#slot, this.#dead, this.#used, atMs, cost, windowMs, pairs)
  }

  refund(key: string, policy: ExactPolicy, cost: number, atMs: number, nowMs: number): boolean {
    const slot = this.keys.find(key)
    if (slot === 0) return false
    const ownMs = this.#logs.windowMs(slot)
    const hitMs = effectiveMs(atMs, policy.quantumMs)
    if (hitMs <= nowMs - Math.min(ownMs, policy.windowMs)) return false
    if (!this.#logs.remove(slot, hitMs, cost)) return false
    if (this.#logs.isEmpty(slot)) this.keys.drop(slot)
    return true
  }

  /** Finds the key's slot or lane, and what of it counts. */
  #look(key: string, policy: ExactPolicy, nowMs: number): void {
    const logs = this.#logs
    this.limit = policy.limit
    this.#countsMs = policy.windowMs
    this.#used = 0
    this.#lane = false
    let slot = this.keys.find(key)
    if (slot === 0) {
      slot = this.keys.liveLane(key, nowMs)
      this.#lane = slot !== 0
    }
    this.#slot = slot
    if (slot === 0) return
    const ownMs = logs.windowMs(slot)
    if (this.#lane || ownMs < policy.windowMs) this.#countsMs = ownMs
    this.#used = logs.used(slot, this.#countsMs, nowMs)
    this.#dead = logs.dead
  }

  /** The window to remember after an admission: a live lane keeps the longest. */
  #keptMs(windowMs: number): number {
    if (!this.#lane) return windowMs
    const laneMs = this.#logs.windowMs(this.#slot)
    return laneMs > windowMs ? laneMs : windowMs
  }
}
