// hot path: every pick takes a lease here, and every report frees one.
import { ExpiryHeap } from '../pick/expiry.ts'
import type { Domain } from './domains.ts'

/**
 * Outstanding leases: by id, by deadline, and by agent. A lease past its deadline is as good as gone: those of an agent are
 * let go before a decision about it, the others a bounded number a call. O(log leases).
 */
export class Leases {
  readonly #slots = new Map<string, number>()
  readonly #deadlines = new ExpiryHeap()
  readonly #freeSlots: number[] = []
  // Columns by slot.
  readonly #ids: string[] = []
  readonly #domains: (Domain | undefined)[] = []
  readonly #epochs: number[] = []
  /** Twice the candidate's index, plus one for a probe. */
  readonly #answers: number[] = []
  readonly #rows: number[] = []
  /** The leases of one agent: the slot before and after, or -1. */
  readonly #before: number[] = []
  readonly #after: number[] = []
  // Agents with leases, columns by row.
  readonly #rowOf = new Map<string, number>()
  readonly #freeRows: number[] = []
  readonly #agents: string[] = []
  readonly #inFlight: number[] = []
  readonly #firstSlot: number[] = []
  /** The agent's earliest deadline; NaN (not known) once that lease has been freed, until a full agent asks. */
  readonly #earliestMs: number[] = []

  get size(): number {
    return this.#slots.size
  }

  /** The slot of an outstanding lease, or -1. */
  find(id: string, nowMs: number): number {
    const slot = this.#slots.get(id)
    if (slot === undefined) return -1
    if (nowMs < this.#deadlines.at(slot)) return slot
    this.free(slot)
    return -1
  }

  epochOf(slot: number): number {
    return this.#epochs[slot]
  }

  indexOf(slot: number): number {
    return this.#answers[slot] >> 1
  }

  isProbe(slot: number): boolean {
    return (this.#answers[slot] & 1) === 1
  }

  take(
    id: string,
    agentId: string,
    domain: Domain,
    deadlineMs: number,
    epoch: number,
    index: number,
    probe: boolean,
  ): void {
    const slot = this.#freeSlots.length > 0 ? (this.#freeSlots.pop() as number) : this.#ids.length
    this.#ids[slot] = id
    this.#domains[slot] = domain
    this.#epochs[slot] = epoch
    this.#answers[slot] = index * 2 + (probe ? 1 : 0)
    this.#slots.set(id, slot)
    this.#deadlines.set(slot, deadlineMs)
    domain.inFlight++
    domain.dispatched++
    let row = this.#rowOf.get(agentId)
    if (row === undefined) row = this.#addRow(agentId)
    this.#rows[slot] = row
    const first = this.#firstSlot[row]
    this.#before[slot] = -1
    this.#after[slot] = first
    if (first >= 0) this.#before[first] = slot
    this.#firstSlot[row] = slot
    this.#inFlight[row]++
    if (deadlineMs < this.#earliestMs[row]) this.#earliestMs[row] = deadlineMs
  }

  free(slot: number): void {
    const row = this.#rows[slot]
    if (this.#deadlines.at(slot) === this.#earliestMs[row]) this.#earliestMs[row] = NaN
    this.#slots.delete(this.#ids[slot])
    this.#deadlines.remove(slot)
    const domain = this.#domains[slot] as Domain
    domain.inFlight--
    this.#ids[slot] = ''
    this.#domains[slot] = undefined
    this.#freeSlots.push(slot)
    const before = this.#before[slot]
    const after = this.#after[slot]
    if (before < 0) this.#firstSlot[row] = after
    else this.#after[before] = after
    if (after >= 0) this.#before[after] = before
    if (--this.#inFlight[row] > 0) return
    this.#rowOf.delete(this.#agents[row])
    this.#freeRows.push(row)
  }

  /** Lets go up to `most` leases that are past their deadline. */
  drain(most: number, nowMs: number): void {
    for (let i = 0; i < most && this.#deadlines.firstAtMs <= nowMs; i++) {
      this.free(this.#deadlines.first)
    }
  }

  /** 0 when the agent has a free slot of `maxConcurrency`; else the instant from which it has, if nothing else happens. */
  busyUntilMs(agentId: string, maxConcurrency: number, nowMs: number): number {
    const row = this.#rowOf.get(agentId)
    if (row === undefined || this.#inFlight[row] < maxConcurrency) return 0
    const earliestMs = this.#earliestMs[row]
    if (nowMs < earliestMs && this.#inFlight[row] === maxConcurrency) return earliestMs
    const deadlines: number[] = []
    for (let slot = this.#firstSlot[row]; slot >= 0;) {
      const after = this.#after[slot]
      const deadlineMs = this.#deadlines.at(slot)
      if (deadlineMs <= nowMs) this.free(slot)
      else deadlines.push(deadlineMs)
      slot = after
    }
    deadlines.sort((a, b) => a - b)
    if (deadlines.length > 0) this.#earliestMs[row] = deadlines[0]
    // With k more leases than slots, the agent has a free one when k + 1 have ended.
    if (deadlines.length < maxConcurrency) return 0
    return deadlines[deadlines.length - maxConcurrency]
  }

  #addRow(agentId: string): number {
    const row = this.#freeRows.length > 0 ? (this.#freeRows.pop() as number) : this.#agents.length
    this.#agents[row] = agentId
    this.#inFlight[row] = 0
    this.#firstSlot[row] = -1
    this.#earliestMs[row] = Infinity
    this.#rowOf.set(agentId, row)
    return row
  }
}
