import { ExpiryHeap } from './expiry.ts'
import type { Fleet } from './fleet.ts'
import { NONE, OpenLeases } from './open-leases.ts'

/** How long the store's word that an agent is full is taken. */
const HOLD_MS = 250

/** So many full agents are asked for anew before a pick is refused. */
const FEW_HOLDS = 64

interface Hold {
  readonly slots: number
  readonly busyUntilMs: number
}

/**
 * The dispatches that this process has in flight: each takes a slot of its agent until it is closed or its deadline passes.
 * Opening and closing cost O(1), or O(log in flight) where deadlines do not come in order.
 */
export class Slots {
  /** Agents without a free slot. */
  readonly full: Set<number> = new Set()
  readonly #fleet: Fleet
  /** By their agents' numbers; one whose agent has left the fleet has no owner. */
  readonly #leases: OpenLeases = new OpenLeases()
  /** Leases whose agent has left the fleet, by its id: the connections are still open, should it come back. */
  readonly #orphans: Map<string, Set<number>> = new Map()
  readonly #orphanIds: Map<number, string> = new Map()
  /** Agents that the store has no slot for, all taken by other processes: for how many of them they stand, and until when. */
  readonly #holds: Map<number, Hold> = new Map()
  readonly #holdEnds: ExpiryHeap = new ExpiryHeap()
  #expiredAtMs = -1

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  get size(): number {
    return this.#leases.size
  }

  /** Takes a slot. A lease that is open already keeps the one it has. */
  open(leaseId: string, agent: number, deadlineMs: number): void {
    if (this.#leases.find(leaseId) !== NONE) return
    this.#leases.add(leaseId, agent, deadlineMs)
    this.#fleet.loads.addInFlight(agent, 1)
    this.review(agent)
  }

  /** Where a lease's slot is kept, or -1; it may be given to `close`. */
  find(leaseId: string): number {
    return this.#leases.find(leaseId)
  }

  /** The agent of a slot that `find` has just found; -1 where it is gone. */
  agentOf(handle: number): number {
    return this.#leases.ownerOf(handle)
  }

  /**
   * Frees a slot and answers its agent; -1 where the lease holds none any more, or its agent is gone. Who has found the slot
   * before spares looking for it, unless it has been freed since.
   */
  close(leaseId: string, likely: number = NONE): number {
    const isThere = likely !== NONE && this.#leases.idOf(likely) === leaseId
    const handle = isThere ? likely : this.#leases.find(leaseId)
    return handle === NONE ? NONE : this.#free(handle)
  }

  /** Frees slots whose deadline has passed: at most `budget` an instant. */
  expire(nowMs: number, budget: number): void {
    if (this.#holds.size > 0) this.#letGoOfEnded(nowMs)
    if (this.#expiredAtMs === nowMs && budget !== Infinity) return
    this.#expiredAtMs = nowMs
    for (let i = 0; i < budget && this.isDue(nowMs); i++) this.#free(this.#leases.deadlines.first)
  }

  /** Whether some slot's deadline has passed. */
  isDue(nowMs: number): boolean {
    return this.#leases.deadlines.isDue(nowMs)
  }

  /**
   * Counts an agent as full because the store says so: other processes have its slots. Not for long, as the store does
   * not tell when one gives a slot back.
   */
  hold(agent: number, busyUntilMs: number, nowMs: number): void {
    this.#letGo(agent)
    const { loads } = this.#fleet
    const slots = Math.max(loads.capacity(agent) - loads.inFlight(agent), 0)
    this.#holds.set(agent, { slots, busyUntilMs })
    this.#holdEnds.set(agent, Math.min(busyUntilMs, nowMs + HOLD_MS))
    loads.addInFlight(agent, slots)
    this.review(agent)
  }

  /** Forgets the store's word on full agents while they are few, to ask it anew. False where there is nothing to forget. */
  letGoOfFew(): boolean {
    if (this.#holds.size === 0 || this.#holds.size > FEW_HOLDS) return false
    for (const agent of this.#holds.keys()) this.#letGo(agent)
    return true
  }

  /** Visits the agents that are full by the store's word. */
  eachHeld(visit: (agent: number) => void): void {
    for (const agent of this.#holds.keys()) visit(agent)
  }

  /** Says whether an agent is full, after its capacity or its count changed. */
  review(agent: number): void {
    if (this.#fleet.loads.isFull(agent)) this.full.add(agent)
    else if (this.full.size > 0) this.full.delete(agent)
  }

  /** Keeps the leases of an agent that leaves the fleet apart, under its id. */
  abandon(agent: number, id: string): void {
    this.#letGo(agent)
    this.full.delete(agent)
    const orphans = new Set<number>()
    for (let handle = this.#leases.firstOf(agent); handle !== NONE;) {
      const next = this.#leases.next(handle)
      this.#leases.detach(handle)
      orphans.add(handle)
      this.#orphanIds.set(handle, id)
      handle = next
    }
    if (orphans.size > 0) this.#orphans.set(id, orphans)
  }

  /** Gives an agent that comes back the leases that it has left. */
  adopt(agent: number, id: string): void {
    const orphans = this.#orphans.get(id)
    if (orphans === undefined) return
    this.#orphans.delete(id)
    for (const handle of orphans) {
      this.#orphanIds.delete(handle)
      this.#leases.attach(handle, agent)
      this.#fleet.loads.addInFlight(agent, 1)
    }
    this.review(agent)
  }

  /** When an agent has a free slot if nothing else happens: 0 if it has one now. O(its leases). */
  freeAtMs(agent: number): number {
    const surplus = this.#fleet.loads.inFlight(agent) - this.#fleet.loads.capacity(agent) + 1
    if (surplus <= 0) return 0
    const deadlines: number[] = []
    const leases = this.#leases
    for (let handle = leases.firstOf(agent); handle !== NONE; handle = leases.next(handle)) {
      deadlines.push(leases.deadlines.at(handle))
    }
    const hold = this.#holds.get(agent)
    if (hold !== undefined) deadlines.push(...Array<number>(hold.slots).fill(hold.busyUntilMs))
    deadlines.sort((a, b) => a - b)
    return deadlines[surplus - 1] ?? Infinity
  }

  /** Visits agents by the deadlines of their leases, earliest first, until `visit` answers false. */
  inOrder(visit: (agent: number, deadlineMs: number) => boolean): void {
    this.#leases.deadlines.inOrder((handle, atMs) => {
      const agent = this.#leases.ownerOf(handle)
      return agent === NONE || visit(agent, atMs)
    })
  }

  #letGoOfEnded(nowMs: number): void {
    while (this.#holdEnds.firstAtMs <= nowMs) this.#letGo(this.#holdEnds.first)
  }

  #letGo(agent: number): void {
    const hold = this.#holds.get(agent)
    if (hold === undefined) return
    this.#holds.delete(agent)
    this.#holdEnds.remove(agent)
    this.#fleet.loads.addInFlight(agent, -hold.slots)
    this.review(agent)
  }

  #free(handle: number): number {
    const agent = this.#leases.remove(handle)
    if (agent === NONE) this.#forgetOrphan(handle)
    else {
      this.#fleet.loads.addInFlight(agent, -1)
      this.review(agent)
    }
    return agent
  }

  #forgetOrphan(handle: number): void {
    const id = this.#orphanIds.get(handle) as string
    this.#orphanIds.delete(handle)
    const others = this.#orphans.get(id)
    others?.delete(handle)
    if (others?.size === 0) this.#orphans.delete(id)
  }
}
