// hot path: the slots of one policy's keys. The recency list is threaded through the slots and
// moved only on an admission.

import { hash32 } from '../random.ts'
import * as layout from './layout.ts'
import { SlotNames } from './names.ts'
import { Slots } from './slots.ts'

const { NEXT, PREV } = layout

const LANES = 1024
/** How many of the least recent slots a new key looks at before it shares a lane. */
const LOOKS = 8

/**
 * The keys of one policy: at most `maxKeys` have a slot of their own, the others share lanes.
 *
 * A new key takes a free slot, else that of the least recently admitted key if nothing of it counts
 * any more, so that to evict is to forget nothing. Where it still counts, the new key is counted in
 * the lane that its hash names: a lane is a slot shared by many keys, so it may deny too much and
 * never admits too much. While a lane has anything that counts, every key of that lane without a
 * slot of its own stays in it, for its history is there.
 */
export class KeyTable {
  readonly slots: Slots = new Slots()
  readonly #names: SlotNames
  readonly #maxKeys: number
  readonly #seed: number
  readonly #idleAtMs: (slot: number) => number
  #lanes: Uint32Array | undefined
  #laneCount = 0
  #head = 0
  #tail = 0

  /**
   * `idleAtMs` tells when nothing of a slot counts any more; it is asked only when a key is new.
   */
  constructor(maxKeys: number, seed: number, idleAtMs: (slot: number) => number) {
    this.#maxKeys = maxKeys
    this.#seed = seed
    this.#names = new SlotNames(this.slots, seed)
    this.#idleAtMs = idleAtMs
  }

  /** Keys with a slot of their own. */
  get size(): number {
    return this.#names.size
  }

  get lanes(): number {
    return this.#laneCount
  }

  /** The key's own slot, or 0. `hint`: where it was when the caller last looked, or 0. */
  find(key: string, hint: number): number {
    return this.#names.find(key, hint)
  }

  /** The lane that a key without a slot must use, because something in it still counts; or 0. */
  liveLane(key: string, nowMs: number): number {
    if (this.#lanes === undefined) return 0
    const lane = this.#lanes[this.#laneIndex(key)]
    return lane !== 0 && this.#idleAtMs(lane) > nowMs ? lane : 0
  }

  isLane(slot: number): boolean {
    return this.#names.of(slot) === ''
  }

  /**
   * A slot for the key that was just looked for in vain, and whose lane is idle: its own or a
   * lane's; what it holds is of the past. `nextIdleMs`: when a key that is admitted now goes idle.
   * A slot that stays live for longer (its window is longer) is not the next to go idle, wherever
   * it stands in the list: it moves to the front, so that it can't bar the others.
   */
  claim(key: string, nowMs: number, nextIdleMs: number): number {
    let slot: number
    if (this.size < this.#maxKeys) slot = this.slots.take()
    else {
      slot = this.#evict(nowMs, nextIdleMs)
      if (slot === 0) return this.#claimLane(key)
    }
    this.#names.add(slot, key)
    this.#linkFirst(slot)
    return slot
  }

  /** Makes a slot the most recent. Not for lanes: they are in no list. */
  touch(slot: number): void {
    const head = this.#head
    if (slot === head) return
    // As #unlink and #linkFirst do, but this comes with each admission, and neither end is missing.
    const { slots } = this
    const words = slots.wordsOf(slot)
    const start = slots.startOf(slot)
    const prev = words[start + PREV]
    const next = words[start + NEXT]
    slots.wordsOf(prev)[slots.startOf(prev) + NEXT] = next
    if (next === 0) this.#tail = prev
    else slots.wordsOf(next)[slots.startOf(next) + PREV] = prev
    words[start + PREV] = 0
    words[start + NEXT] = head
    slots.wordsOf(head)[slots.startOf(head) + PREV] = slot
    this.#head = slot
  }

  /** Frees the key's own slot; what it holds must have been freed before. */
  drop(slot: number): void {
    this.#names.remove(slot)
    this.#unlink(slot)
    this.slots.give(slot)
  }

  #evict(nowMs: number, nextIdleMs: number): number {
    for (let look = 0; look < LOOKS; look++) {
      const slot = this.#tail
      const idleMs = this.#idleAtMs(slot)
      if (idleMs <= nowMs) {
        this.#names.remove(slot)
        this.#unlink(slot)
        return slot
      }
      if (idleMs <= nextIdleMs) return 0
      this.touch(slot)
    }
    return 0
  }

  #claimLane(key: string): number {
    this.#lanes ??= new Uint32Array(LANES)
    const index = this.#laneIndex(key)
    if (this.#lanes[index] === 0) {
      this.#laneCount++
      this.#lanes[index] = this.slots.take()
      this.#names.reserve(this.#lanes[index])
    }
    return this.#lanes[index]
  }

  #laneIndex(key: string): number {
    return hash32(key, this.#seed) & (LANES - 1)
  }

  #linkFirst(slot: number): void {
    const words = this.slots.wordsOf(slot)
    const start = this.slots.startOf(slot)
    const head = this.#head
    words[start + PREV] = 0
    words[start + NEXT] = head
    if (head === 0) this.#tail = slot
    else this.slots.wordsOf(head)[this.slots.startOf(head) + PREV] = slot
    this.#head = slot
  }

  #unlink(slot: number): void {
    const words = this.slots.wordsOf(slot)
    const start = this.slots.startOf(slot)
    const prev = words[start + PREV]
    const next = words[start + NEXT]
    if (prev === 0) this.#head = next
    else this.slots.wordsOf(prev)[this.slots.startOf(prev) + NEXT] = next
    if (next === 0) this.#tail = prev
    else this.slots.wordsOf(next)[this.slots.startOf(next) + PREV] = prev
  }
}
