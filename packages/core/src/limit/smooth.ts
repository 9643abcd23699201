import {
  EMPTY_TAT,
  gcraAdmit,
  gcraRefund,
  gcraRemaining,
  gcraRetryMs,
  restoredAtMs,
  type Tat,
} from './gcra.ts'
import { roomFor } from '../room.ts'
import { checkKey } from './key.ts'
import { KeyTable } from './keys.ts'
import type { SmoothPolicy } from './policy.ts'
import type { Slab } from './slab.ts'

const SEGMENT_BITS = 10
const FIELDS = 5

/**
 * The smooth policies of one name: a TAT per key, packed as five doubles beside its slot.
 * In the results `limit` is the burst, for that is what `remaining` is a part of.
 */
export class SmoothSlab implements Slab<SmoothPolicy> {
  nowMs = 0
  slot = 0
  lane = false
  limit = 0
  remaining = 0
  resetAtMs = 0
  readonly keys: KeyTable
  readonly #tats: Float64Array[] = []

  constructor(maxKeys: number, seed: number) {
    this.keys = new KeyTable(maxKeys, seed, (slot) => restoredAtMs(this.#read(slot)))
  }

  get bytes(): number {
    return this.keys.slots.bytes + this.#tats.length * (FIELDS << SEGMENT_BITS) * 8
  }

  take(key: string, policy: SmoothPolicy, cost: number, hint: number): number {
    const waitMs = this.check(key, policy, cost, hint)
    if (this.slot === 0 || this.lane) checkKey(key)
    if (waitMs === 0) this.commit(key, policy, cost)
    return waitMs
  }

  check(key: string, policy: SmoothPolicy, cost: number, hint: number): number {
    const { nowMs } = this
    const tat = this.#look(key, hint)
    const retryMs = gcraRetryMs(tat, policy, cost, nowMs)
    const after = retryMs === 0 ? gcraAdmit(tat, policy, cost, nowMs) : tat
    this.limit = policy.burst
    this.remaining = gcraRemaining(after, policy, nowMs)
    this.resetAtMs = Math.max(nowMs, restoredAtMs(after))
    return retryMs
  }

  commit(key: string, policy: SmoothPolicy, cost: number): void {
    const { nowMs } = this
    let tat = EMPTY_TAT
    if (this.slot === 0) {
      const nextMs = restoredAtMs(gcraAdmit(EMPTY_TAT, policy, cost, nowMs))
      this.slot = this.keys.claim(key, nowMs, nextMs)
    } else {
      tat = this.#read(this.slot)
      if (!this.lane) this.keys.touch(this.slot)
    }
    this.#write(this.slot, gcraAdmit(tat, policy, cost, nowMs))
  }

  usedBy(key: string, policy: SmoothPolicy): number {
    const { nowMs } = this
    const tat = this.#look(key, 0)
    this.limit = policy.burst
    this.resetAtMs = Math.max(nowMs, restoredAtMs(tat))
    return policy.burst - gcraRemaining(tat, policy, nowMs)
  }

  refund(key: string, policy: SmoothPolicy, cost: number, atMs: number): boolean {
    const { nowMs } = this
    const slot = this.keys.find(key, 0)
    if (slot === 0) return false
    const tat = gcraRefund(this.#read(slot), policy, cost, atMs, nowMs)
    if (tat === null) return false
    this.#write(slot, tat)
    if (restoredAtMs(tat) <= nowMs) this.keys.drop(slot)
    return true
  }

  /** Finds the key's slot or lane, and what is outstanding there. */
  #look(key: string, hint: number): Tat {
    let slot = this.keys.find(key, hint)
    this.lane = false
    if (slot === 0) {
      slot = this.keys.liveLane(key, this.nowMs)
      this.lane = slot !== 0
    }
    this.slot = slot
    return slot === 0 ? EMPTY_TAT : this.#read(slot)
  }

  #read(slot: number): Tat {
    const tats = this.#tats[slot >>> SEGMENT_BITS]
    const at = (slot & ((1 << SEGMENT_BITS) - 1)) * FIELDS
    return {
      wholeMs: tats[at],
      rest: tats[at + 1],
      limit: tats[at + 2],
      windowMs: tats[at + 3],
      sinceMs: tats[at + 4],
    }
  }

  #write(slot: number, tat: Tat): void {
    const segment = slot >>> SEGMENT_BITS
    if (segment === this.#tats.length) {
      this.#tats.push(new Float64Array(roomFor((FIELDS << SEGMENT_BITS) * 8, segment)))
    }
    const tats = this.#tats[segment]
    const at = (slot & ((1 << SEGMENT_BITS) - 1)) * FIELDS
    tats[at] = tat.wholeMs
    tats[at + 1] = tat.rest
    tats[at + 2] = tat.limit
    tats[at + 3] = tat.windowMs
    tats[at + 4] = tat.sinceMs
  }
}
