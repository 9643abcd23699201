// hot path: every pick asks here whether its agent is free, and takes a lease; every report gives one back.

import type { HeldLease } from './log-rows.ts'

/** A lease, and where it stands. */
interface Place {
  readonly lease: HeldLease
  /** Its number in the log; 0 where it has none yet. */
  n: number
  out: boolean
}

/** Leases that are out: by id, by number, by agent and by deadline. */
export class Outstanding {
  readonly #byId = new Map<string, Place>()
  readonly #byNumber = new Map<number, Place>()
  readonly #byAgent = new Map<string, Place[]>()
  readonly #inFlight = new Map<number, number>()
  /** A binary heap by deadline; those that have come back leave it when they reach its top, or when they are the most of it. */
  #heap: Place[] = []

  get size(): number {
    return this.#byId.size
  }

  find(id: string): HeldLease | undefined {
    return this.#byId.get(id)?.lease
  }

  /** The number in the log of a lease that is out; 0 where it has none yet. */
  numberOf(id: string): number {
    return (this.#byId.get(id) as Place).n
  }

  /** The lease that has this number, if it is out. */
  at(n: number): HeldLease | undefined {
    return this.#byNumber.get(n)?.lease
  }

  /** How many are on their way to a domain. */
  inFlight(domain: number): number {
    return this.#inFlight.get(domain) ?? 0
  }

  /** A lease of an id that is out already takes its place. */
  add(n: number, lease: HeldLease): void {
    const { id, agent, domain } = lease
    this.remove(id)
    const place = { lease, n, out: true }
    this.#byId.set(id, place)
    if (n > 0) this.#byNumber.set(n, place)
    const others = this.#byAgent.get(agent)
    if (others === undefined) this.#byAgent.set(agent, [place])
    else others.push(place)
    this.#inFlight.set(domain, this.inFlight(domain) + 1)
    this.#push(place)
  }

  /** Gives a lease that is out a number, or another one. */
  number(id: string, n: number): void {
    const place = this.#byId.get(id) as Place
    this.#byNumber.delete(place.n)
    place.n = n
    this.#byNumber.set(n, place)
  }

  remove(id: string): void {
    const place = this.#byId.get(id)
    if (place === undefined) return
    const { agent, domain } = place.lease
    place.out = false
    this.#byId.delete(id)
    this.#byNumber.delete(place.n)
    const others = this.#byAgent.get(agent) as Place[]
    if (others.length === 1) this.#byAgent.delete(agent)
    else {
      const last = others.pop() as Place
      if (last !== place) others[others.indexOf(place)] = last
    }
    const inFlight = this.inFlight(domain) - 1
    if (inFlight === 0) this.#inFlight.delete(domain)
    else this.#inFlight.set(domain, inFlight)
    if (this.#heap.length > 2 * this.#byId.size + 64) this.#rebuild()
  }

  clear(): void {
    this.#byId.clear()
    this.#byNumber.clear()
    this.#byAgent.clear()
    this.#inFlight.clear()
    this.#heap = []
  }

  /** Lets up to `most` go that are past their deadline; true where there were any. */
  drain(most: number, nowMs: number): boolean {
    const heap = this.#heap
    let drained = false
    for (let left = most; left > 0 && heap.length > 0; left--) {
      const first = heap[0]
      if (first.out && first.lease.deadlineMs > nowMs) break
      this.#pop()
      if (!first.out) continue
      this.remove(first.lease.id)
      drained = true
    }
    return drained
  }

  /** 0 when the agent has a free slot of `most`; else the instant from which it has, if nothing else happens. O(leases of the agent). */
  busyUntilMs(agent: string, most: number, nowMs: number): number {
    const held = this.#byAgent.get(agent)
    if (held === undefined || held.length < most) return 0
    const deadlines: number[] = []
    for (const { lease } of held) if (lease.deadlineMs > nowMs) deadlines.push(lease.deadlineMs)
    if (deadlines.length < most) return 0
    // With k more leases than slots, the agent has a free one when k + 1 have ended.
    return deadlines.sort((a, b) => a - b)[deadlines.length - most]
  }

  #rebuild(): void {
    this.#heap = this.#heap.filter(({ out }) => out)
    this.#heap.sort((a, b) => a.lease.deadlineMs - b.lease.deadlineMs)
  }

  #push(place: Place): void {
    const heap = this.#heap
    const { deadlineMs } = place.lease
    let i = heap.length
    heap.push(place)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (heap[parent].lease.deadlineMs <= deadlineMs) break
      heap[i] = heap[parent]
      i = parent
    }
    heap[i] = place
  }

  #pop(): void {
    const heap = this.#heap
    const place = heap.pop() as Place
    const { length } = heap
    if (length === 0) return
    const { deadlineMs } = place.lease
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= length) break
      if (child + 1 < length && heap[child + 1].lease.deadlineMs < heap[child].lease.deadlineMs)
        child++
      if (heap[child].lease.deadlineMs >= deadlineMs) break
      heap[i] = heap[child]
      i = child
    }
    heap[i] = place
  }
}
