import {
  EMPTY_TAT,
  gcraAdmit,
  gcraRefund,
  gcraRemaining,
  gcraRetryMs,
  restoredAtMs,
  type SmoothPolicy,
  type Tat,
} from '@ostler/core'
import type { Counted, Counters } from './counters.ts'
import { packTat, unpackTat } from './state-codec.ts'

/** An arrival time, its five numbers and its place. */
const BYTES_A_TAT = 120

/** The arrival times of keys and lanes, by place. */
export class SmoothCounters implements Counters<SmoothPolicy> {
  nowMs: number = NaN
  limit = 0
  remaining = 0
  resetAtMs: number = NaN
  #tats: Tat[] = []
  #free: number[] = []

  get places(): number {
    return this.#tats.length - this.#free.length
  }

  get bytes(): number {
    return this.#tats.length * BYTES_A_TAT
  }

  take(): number {
    const place = this.#free.pop() ?? this.#tats.length
    this.#tats[place] = EMPTY_TAT
    return place
  }

  give(place: number): void {
    this.#free.push(place)
  }

  clear(): void {
    this.#tats = []
    this.#free = []
  }

  idleMs(place: number): number {
    return restoredAtMs(this.#tats[place])
  }

  check({ place }: Counted, cost: number, policy: SmoothPolicy): number {
    const tat = this.#tats[place]
    const waitMs = gcraRetryMs(tat, policy, cost, this.nowMs)
    this.#says(waitMs === 0 ? gcraAdmit(tat, policy, cost, this.nowMs) : tat, policy)
    return waitMs
  }

  admit({ place }: Counted, cost: number, policy: SmoothPolicy): void {
    this.#tats[place] = gcraAdmit(this.#tats[place], policy, cost, this.nowMs)
  }

  refund({ place }: Counted, cost: number, policy: SmoothPolicy, atMs: number): boolean {
    const tat = gcraRefund(this.#tats[place], policy, cost, atMs, this.nowMs)
    if (tat === null) return false
    this.#tats[place] = tat
    return true
  }

  used({ place }: Counted, policy: SmoothPolicy): number {
    this.#says(this.#tats[place], policy)
    return policy.burst - this.remaining
  }

  load(place: number, state: Buffer | null): void {
    this.#tats[place] = state === null ? EMPTY_TAT : unpackTat(state)
  }

  pack(place: number): Buffer {
    return packTat(this.#tats[place])
  }

  #says(tat: Tat, policy: SmoothPolicy): void {
    this.limit = policy.burst
    this.remaining = gcraRemaining(tat, policy, this.nowMs)
    this.resetAtMs = Math.max(this.nowMs, restoredAtMs(tat))
  }
}
