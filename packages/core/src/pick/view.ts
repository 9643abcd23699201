import { COUNTRY_SHIFT, PositionSet } from './excluded.ts'
import { ExpiryHeap } from './expiry.ts'
import { NOWHERE, type Fleet } from './fleet.ts'
import { bitOf, type Cell, type Place } from './localities.ts'

/** Where a pair stands for a pick. */
export type Phase = 'available' | 'excluded' | 'probation' | 'probing'

/** How a view reads the records that it is given; it knows nothing else of them. */
export interface Judge<R> {
  phase(record: R, nowMs: number): Phase
  /** The next instant at which the phase may change by time alone; Infinity if never. */
  nextMs(record: R, nowMs: number): number
}

/**
 * What one domain excludes, as positions of the fleet: derived from the store's records, and rebuildable at any time.
 * `excluded` holds the positions of agents that are up and whose pair is not available; `probation` those of them that one probe may try.
 */
export class View<R> {
  readonly domain: string
  readonly excluded: PositionSet = new PositionSet()
  readonly probation: PositionSet = new PositionSet()
  /** Squares in which no agent is healthy, as bits of the square above: the walk outward passes over them. */
  readonly dead: Map<Cell, number> = new Map()
  /** The domain's version in the store that this view has seen. */
  version = 0
  /** Picks since the last probe. */
  sinceProbe = 0
  /** When the domain's incident opened, and when silence ends it; 0 while none is open. */
  incidentAtMs = 0
  incidentEndsAtMs = 0
  readonly #fleet: Fleet
  readonly #judge: Judge<R>
  #fleetVersion: number
  readonly #slots: Map<string, number> = new Map()
  readonly #exits: string[] = []
  readonly #records: (R | null)[] = []
  readonly #phases: Phase[] = []
  readonly #vacant: number[] = []
  readonly #due: ExpiryHeap = new ExpiryHeap()
  #drainedAtMs = -1

  constructor(domain: string, fleet: Fleet, judge: Judge<R>) {
    this.domain = domain
    this.#fleet = fleet
    this.#judge = judge
    this.#fleetVersion = fleet.version
  }

  /** Exits that are not available. */
  get size(): number {
    return this.#slots.size
  }

  phaseOf(exit: string): Phase {
    const slot = this.#slots.get(exit)
    return slot === undefined ? 'available' : this.#phases[slot]
  }

  /** The record of an exit that is not available. */
  recordOf(exit: string): R | null {
    const slot = this.#slots.get(exit)
    return slot === undefined ? null : this.#records[slot]
  }

  /** When an exit's pair is pickable if nothing else happens: 0 if it is now. */
  pickableAtMs(exit: string): number {
    const slot = this.#slots.get(exit)
    if (slot === undefined || this.#phases[slot] === 'probation') return 0
    return this.#due.at(slot)
  }

  /** Takes in what the store says of an exit now. O(agents of the exit * log n). */
  apply(exit: string, record: R | null, nowMs: number): void {
    const phase = record === null ? 'available' : this.#judge.phase(record, nowMs)
    let slot = this.#slots.get(exit)
    if (record === null || phase === 'available') {
      if (slot === undefined) return
      this.#drop(exit, slot)
      return
    }
    if (slot === undefined) {
      slot = this.#vacant.pop() ?? this.#exits.length
      this.#slots.set(exit, slot)
      this.#exits[slot] = exit
    }
    this.#records[slot] = record
    this.#phases[slot] = phase
    this.#due.set(slot, this.#judge.nextMs(record, nowMs))
    this.#fleet.eachOfExit(exit, (agent) => this.#mark(agent, phase))
  }

  /** Whether something has fallen due. */
  isDue(nowMs: number): boolean {
    return this.#due.firstAtMs <= nowMs
  }

  /** Lets go of what has fallen due: at most `budget` exits an instant, so that looking twice in one instant sees the same. */
  drain(nowMs: number, budget: number): void {
    if (this.#drainedAtMs === nowMs && budget !== Infinity) return
    this.#drainedAtMs = nowMs
    for (let i = 0; i < budget && this.isDue(nowMs); i++) {
      const slot = this.#due.first
      this.apply(this.#exits[slot], this.#records[slot], nowMs)
    }
  }

  /** Visits exits that are not pickable, by the instant at which they are, until `visit` answers false. */
  inOrder(visit: (exit: string, pickableAtMs: number) => boolean): void {
    this.#due.inOrder((slot, atMs) =>
      this.#phases[slot] === 'probation' ? true : visit(this.#exits[slot], atMs),
    )
  }

  /** Every exit that is not available, with its record. */
  *entries(): Generator<readonly [string, R]> {
    for (const [exit, slot] of this.#slots) yield [exit, this.#records[slot] as R]
  }

  /** Forgets all exits: the store is about to tell them anew. */
  reset(): void {
    this.#slots.clear()
    this.#exits.length = 0
    this.#records.length = 0
    this.#phases.length = 0
    this.#vacant.length = 0
    this.#due.clear()
    this.#clearPositions()
  }

  /** Follows the agents that came, moved and went since the last look. */
  catchUp(): void {
    const behind = this.#fleet.version - this.#fleetVersion
    if (behind === 0) return
    const replayed =
      behind <= 64 + 4 * this.#slots.size &&
      this.dead.size <= this.#fleet.gazetteer.pyramid.size &&
      this.#replay()
    if (!replayed) this.#rebuild()
    this.#fleetVersion = this.#fleet.version
  }

  /** Agents of a place that are healthy. */
  healthyAt(place: Place): number {
    let healthy = place.up
    if (this.excluded.size === 0) return healthy
    for (let i = 0; i < place.starts.length; i++) {
      healthy -= this.excluded.countBetween(place.country, place.starts[i], place.ends[i])
    }
    return healthy
  }

  /** First all that left their positions, then all that stand somewhere: a place is judged when no trace of the former is left. */
  #replay(): boolean {
    const known = this.#fleet.replay(this.#fleetVersion, (_, before) => {
      if (before === NOWHERE) return
      this.excluded.delete(before)
      this.probation.delete(before)
    })
    return known && this.#fleet.replay(this.#fleetVersion, (agent) => this.#follow(agent))
  }

  #follow(agent: number): void {
    const described = this.#fleet.agents.get(agent)
    if (described === null || !this.#fleet.isUp(agent)) return
    this.#mark(agent, this.phaseOf(described.exitIp ?? described.id))
  }

  #rebuild(): void {
    this.#clearPositions()
    for (const [exit, slot] of this.#slots) {
      this.#fleet.eachOfExit(exit, (agent) => this.#mark(agent, this.#phases[slot]))
    }
  }

  #clearPositions(): void {
    this.excluded.clear()
    this.probation.clear()
    this.dead.clear()
  }

  #drop(exit: string, slot: number): void {
    this.#slots.delete(exit)
    this.#records[slot] = null
    this.#due.remove(slot)
    this.#vacant.push(slot)
    this.#fleet.eachOfExit(exit, (agent) => this.#mark(agent, 'available'))
  }

  #mark(agent: number, phase: Phase): void {
    if (!this.#fleet.isUp(agent)) return
    const position = this.#fleet.positionOf(agent)
    const length = this.#fleet.ranges.open(position >>> COUNTRY_SHIFT).length
    if (phase === 'available') this.excluded.delete(position)
    else this.excluded.add(position, length)
    if (phase === 'probation') this.probation.add(position, length)
    else if (this.probation.size > 0) this.probation.delete(position)
    this.#review(this.#fleet.placeOf(agent))
  }

  /** Keeps `dead` true for a place's square and those above it. */
  #review(place: Place): void {
    const cell = place.cell
    if (cell === null) return
    if (this.healthyAt(place) > 0) this.#revive(cell)
    else if (!cell.places.some((other) => this.healthyAt(other) > 0)) this.#bury(cell)
  }

  #revive(leaf: Cell): void {
    if (this.dead.size === 0) return
    for (let cell = leaf; cell.parent !== null; cell = cell.parent) {
      const mask = this.dead.get(cell.parent) ?? 0
      if ((mask & bitOf(cell)) === 0) continue
      if (mask === bitOf(cell)) this.dead.delete(cell.parent)
      else this.dead.set(cell.parent, mask & ~bitOf(cell))
    }
  }

  #bury(leaf: Cell): void {
    for (let cell = leaf; cell.parent !== null; cell = cell.parent) {
      const mask = (this.dead.get(cell.parent) ?? 0) | bitOf(cell)
      this.dead.set(cell.parent, mask)
      if (cell.parent.kids.some((kid) => kid.up > 0 && (mask & bitOf(kid)) === 0)) return
    }
  }
}
