// hot path: every pick takes a lease here, and every report frees one.
import { hashOf, OpenLeases } from '../pick/open-leases.ts'
import { roomFor } from '../room.ts'
import type { Domain } from './domains.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

interface Chunk {
  readonly domains: (Domain | null)[]
  readonly agents: string[]
  readonly epochs: Uint32Array
  /** Twice the candidate's index, plus one for a probe. */
  readonly answers: Uint16Array
}

/**
 * Outstanding leases: by id, by deadline, and by agent. A lease past its deadline is as good as gone: those of an agent are
 * let go before a decision about it, the others a bounded number a call.
 */
export class Leases {
  /** By hashes of their agents' ids: nothing is kept of an agent, as most have one lease or none. */
  readonly #open = new OpenLeases()
  /** What was answered, by lease. */
  readonly #chunks: Chunk[] = []
  /** The agent that was last asked about, and its owner: the next lease is mostly its. */
  #asked = ''
  #askedOwner = hashOf('') & 0x7fff_ffff

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
    const slot = this.#open.add(id, this.#ownerOf(agentId), deadlineMs)
    if (slot >>> CHUNK_BITS === this.#chunks.length) {
      this.#chunks.push({
        domains: [],
        agents: [],
        epochs: new Uint32Array(roomFor(CHUNK * 4, this.#chunks.length)),
        answers: new Uint16Array(roomFor(CHUNK * 2, this.#chunks.length)),
      })
    }
    const { domains, agents, epochs, answers } = this.#chunks[slot >>> CHUNK_BITS]
    domains[slot & IN_CHUNK] = domain
    agents[slot & IN_CHUNK] = agentId
    epochs[slot & IN_CHUNK] = epoch
    answers[slot & IN_CHUNK] = index * 2 + (probe ? 1 : 0)
    domain.inFlight++
    domain.dispatched++
  }

  free(slot: number): void {
    this.#open.remove(slot)
    const { domains, agents } = this.#chunks[slot >>> CHUNK_BITS]
    const domain = domains[slot & IN_CHUNK] as Domain
    domain.inFlight--
    domains[slot & IN_CHUNK] = null
    agents[slot & IN_CHUNK] = ''
  }

  /** Lets go up to `most` leases that are past their deadline. */
  drain(most: number, nowMs: number): void {
    const { deadlines } = this.#open
    for (let i = 0; i < most && deadlines.isDue(nowMs); i++) this.free(deadlines.first)
  }

  /** 0 when the agent has a free slot of `maxConcurrency`; else the instant from which it has, if nothing else happens. */
  busyUntilMs(agentId: string, maxConcurrency: number, nowMs: number): number {
    const owner = this.#ownerOf(agentId)
    if (this.#open.mostOf(owner) < maxConcurrency) return 0
    const deadlines = this.#deadlinesOf(agentId, owner, nowMs)
    if (deadlines.length < maxConcurrency) return 0
    // With k more leases than slots, the agent has a free one when k + 1 have ended.
    deadlines.sort((a, b) => a - b)
    return deadlines[deadlines.length - maxConcurrency]
  }

  /** Of an agent's leases; what is past its deadline is let go. O(its leases). */
  #deadlinesOf(agentId: string, owner: number, nowMs: number): number[] {
    const open = this.#open
    const deadlines: number[] = []
    for (let slot = open.firstOf(owner); slot >= 0;) {
      const next = open.next(slot)
      const deadlineMs = open.deadlines.at(slot)
      if (this.#chunks[slot >>> CHUNK_BITS].agents[slot & IN_CHUNK] === agentId) {
        if (deadlineMs <= nowMs) this.free(slot)
        else deadlines.push(deadlineMs)
      }
      slot = next
    }
    return deadlines
  }

  #ownerOf(agentId: string): number {
    if (agentId !== this.#asked) {
      this.#asked = agentId
      this.#askedOwner = hashOf(agentId) & 0x7fff_ffff
    }
    return this.#askedOwner
  }
}
