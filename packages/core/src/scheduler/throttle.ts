/**
 * Holds a domain in an incident to a few dispatches at once, where the embedder asks for it. It counts this process's own
 * leases: several processes share the load by each keeping to its own number.
 */
export class Throttle {
  readonly #most: number
  /** Open leases by domain: their deadlines, by id. */
  readonly #leases: Map<string, Map<string, number>> = new Map()

  constructor(most: number) {
    this.#most = most
  }

  /** Where it holds nothing back, nothing need be told to it. */
  get isOn(): boolean {
    return this.#most !== Infinity
  }

  took(domain: string, leaseId: string, deadlineMs: number, nowMs: number): void {
    if (!this.isOn) return
    const leases = this.#leases.get(domain)
    if (leases === undefined) this.#leases.set(domain, new Map([[leaseId, deadlineMs]]))
    else {
      // Leases that nobody reported: those that ended first stand at the front.
      for (const [id, endMs] of leases) {
        if (endMs > nowMs) break
        leases.delete(id)
      }
      leases.set(leaseId, deadlineMs)
    }
  }

  gave(domain: string, leaseId: string): void {
    if (!this.isOn) return
    const leases = this.#leases.get(domain)
    leases?.delete(leaseId)
    if (leases?.size === 0) this.#leases.delete(domain)
  }

  /** When a domain may be dispatched to again: 0 if it may now. O(its leases). */
  freeAtMs(domain: string, nowMs: number): number {
    const leases = this.#leases.get(domain)
    if (leases === undefined || leases.size < this.#most) return 0
    for (const [id, deadlineMs] of leases) if (deadlineMs <= nowMs) leases.delete(id)
    const surplus = leases.size - this.#most
    if (surplus < 0) return 0
    return [...leases.values()].sort((a, b) => a - b)[surplus]
  }
}
