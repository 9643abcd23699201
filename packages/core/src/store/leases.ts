// hot path: every pick takes a lease here, and every report frees one.
import { OpenLeases } from '../pick/open-leases.ts'
import type { Domain } from './domains.ts'
import { Names } from './names.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

interface Chunk {
  readonly domains: (Domain | undefined)[]
  readonly epochs: Uint32Array
  /** Twice the candidate's index, plus one for a probe. */
  readonly answers: Uint16Array
}

/**
 * Outstanding leases: by id, by deadline, and by agent. A lease past its deadline is as good as gone: those of an agent are
 * let go before a decision about it, the others a bounded number a call.
 */
export class Leases {
  /** By the rows of their agents. */
  readonly #open = new OpenLeases()
  /** What was answered, by lease. */
  readonly #chunks: Chunk[] = []
  /** Agents with leases. */
  readonly #agents = new Names()
  // Columns by row.
  readonly #inFlight: number[] = []
  /** The agent's earliest deadline; NaN (not known) once that lease has been freed, until a full agent asks. */
  readonly #earliestMs: number[] = []
  /** The agent that was last asked about, and its row (or -1): the next lease is mostly its. */
  #asked: string | null = null
  #askedRow = -1

  get size(): number {
    return this.#open.size
  }

  /** The slot of an outstanding lease, or -1. */
  find(id: string, nowMs: number): number {
    const slot = this.#open.find(id)
    if (slot < 0 || nowMs < this.#open.deadlines.at(slot)) return slot
    this.free(slot)
    return -1
  }

  epochOf(slot: number): number {
    return this.#chunks[slot >>> CHUNK_BITS].epochs[slot & IN_CHUNK]
  }

  indexOf(slot: number): number {
    return this.#chunks[slot >>> CHUNK_BITS].answers[slot & IN_CHUNK] >> 1
  }

  isProbe(slot: number): boolean {
    return (this.#chunks[slot >>> CHUNK_BITS].answers[slot & IN_CHUNK] & 1) === 1
  }

  /** Takes a lease that the last `find` did not know. */
  take(
    id: string,
    agentId: string,
    domain: Domain,
    deadlineMs: number,
    epoch: number,
    index: number,
    probe: boolean,
  ): void {
    let row = this.#rowOf(agentId)
    if (row < 0) row = this.#addRow(agentId)
    this.#inFlight[row]++
    if (deadlineMs < this.#earliestMs[row]) this.#earliestMs[row] = deadlineMs
    const slot = this.#open.add(id, row, deadlineMs)
    if (slot >>> CHUNK_BITS === this.#chunks.length) {
      this.#chunks.push({
        domains: [],
        epochs: new Uint32Array(CHUNK),
        answers: new Uint16Array(CHUNK),
      })
    }
    const { domains, epochs, answers } = this.#chunks[slot >>> CHUNK_BITS]
    domains[slot & IN_CHUNK] = domain
    epochs[slot & IN_CHUNK] = epoch
    answers[slot & IN_CHUNK] = index * 2 + (probe ? 1 : 0)
    domain.inFlight++
    domain.dispatched++
  }

  free(slot: number): void {
    const deadlineMs = this.#open.deadlines.at(slot)
    const row = this.#open.remove(slot)
    const { domains } = this.#chunks[slot >>> CHUNK_BITS]
    const domain = domains[slot & IN_CHUNK] as Domain
    domain.inFlight--
    domains[slot & IN_CHUNK] = undefined
    if (--this.#inFlight[row] === 0) {
      this.#agents.remove(row)
      this.#asked = null
    } else if (deadlineMs === this.#earliestMs[row]) this.#earliestMs[row] = NaN
  }

  /** Lets go up to `most` leases that are past their deadline. */
  drain(most: number, nowMs: number): void {
    const { deadlines } = this.#open
    for (let i = 0; i < most && deadlines.firstAtMs <= nowMs; i++) this.free(deadlines.first)
  }

  /** 0 when the agent has a free slot of `maxConcurrency`; else the instant from which it has, if nothing else happens. */
  busyUntilMs(agentId: string, maxConcurrency: number, nowMs: number): number {
    const row = this.#rowOf(agentId)
    if (row < 0 || this.#inFlight[row] < maxConcurrency) return 0
    const earliestMs = this.#earliestMs[row]
    if (nowMs < earliestMs && this.#inFlight[row] === maxConcurrency) return earliestMs
    const open = this.#open
    const deadlines: number[] = []
    for (let slot = open.firstOf(row); slot >= 0;) {
      const next = open.next(slot)
      const deadlineMs = open.deadlines.at(slot)
      if (deadlineMs <= nowMs) this.free(slot)
      else deadlines.push(deadlineMs)
      slot = next
    }
    deadlines.sort((a, b) => a - b)
    if (deadlines.length > 0) this.#earliestMs[row] = deadlines[0]
    // With k more leases than slots, the agent has a free one when k + 1 have ended.
    if (deadlines.length < maxConcurrency) return 0
    return deadlines[deadlines.length - maxConcurrency]
  }

  #rowOf(agentId: string): number {
    if (agentId !== this.#asked) {
      this.#askedRow = this.#agents.find(agentId)
      this.#asked = agentId
    }
    return this.#askedRow
  }

  #addRow(agentId: string): number {
    const row = this.#agents.add(agentId)
    this.#asked = null
    this.#inFlight[row] = 0
    this.#earliestMs[row] = Infinity
    return row
  }
}
