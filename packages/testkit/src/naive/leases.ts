import type { Lease } from '@ostler/core'

const HOUR_MS = 3_600_000

/** How a report finds its lease: still out, no longer (a block may still count), or too late for anything. */
export type NaiveLeaseStanding = 'out' | 'late' | 'gone'

/** Dispatches as a list. O(leases). */
export class NaiveLeases {
  #out: Lease[] = []

  take(lease: Lease): void {
    this.#out.push(lease)
  }

  /** Ends the lease, and says how the report found it. */
  settle(lease: Lease, nowMs: number): NaiveLeaseStanding {
    const out = this.#out.some((other) => other.id === lease.id && other.deadlineMs > nowMs)
    this.#out = this.#out.filter((other) => other.id !== lease.id)
    if (out) return 'out'
    return nowMs < lease.pickedAtMs + HOUR_MS ? 'late' : 'gone'
  }

  inFlight(agentId: string, nowMs: number): number {
    return this.#of(agentId, nowMs).length
  }

  inFlightOf(domain: string, nowMs: number): number {
    return this.#out.filter((lease) => lease.domain === domain && lease.deadlineMs > nowMs).length
  }

  /** When the agent has a free slot, if nothing is reported. */
  freeAtMs(agentId: string, maxConcurrency: number, nowMs: number): number {
    return fewerAtMs(this.#of(agentId, nowMs), maxConcurrency, nowMs)
  }

  /** When fewer than so many dispatches of a domain are on their way, if nothing is reported. */
  domainFreeAtMs(domain: string, most: number, nowMs: number): number {
    const out = this.#out.filter((lease) => lease.domain === domain && lease.deadlineMs > nowMs)
    return fewerAtMs(out, most, nowMs)
  }

  #of(agentId: string, nowMs: number): Lease[] {
    return this.#out.filter((lease) => lease.agentId === agentId && lease.deadlineMs > nowMs)
  }
}

function fewerAtMs(leases: readonly Lease[], most: number, nowMs: number): number {
  const deadlines = leases.map((lease) => lease.deadlineMs).toSorted((a, b) => a - b)
  return deadlines.length < most ? nowMs : deadlines[deadlines.length - most]
}
