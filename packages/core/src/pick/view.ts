// hot path: every pick reads here, and every report that changes a pair writes here.
import type { GeoHint } from '../geo/hint.ts'
import type { Book } from './book.ts'
import { COUNTRY_SHIFT, PositionSet } from './excluded.ts'
import { NOWHERE, type Fleet } from './fleet.ts'
import { bitOf, type Cell, type Place } from './localities.ts'
import type { Step } from './steps.ts'

/** Where a pair stands for a pick. */
export type Phase = 'available' | 'excluded' | 'probation' | 'probing'

/** How a view reads the records that it is given; it knows nothing else of them. */
export interface Judge<R> {
  phase(record: R, nowMs: number): Phase
  /** The next instant at which the phase may change by time alone; Infinity if never. */
  nextMs(record: R, nowMs: number): number
}

/** A square of fewer agents is marked as dead only where a larger one around it is: looking at them costs less than a mark. */
const LEAST_MARKED = 4

/** Hints whose first step with somebody in it is remembered, a domain: few of those that are asked for have lost theirs. */
const MOST_FIRSTS = 32

/** Stands for all that is empty, so that it costs a domain nothing. */
const NOBODY = new PositionSet()
const NONE_DEAD: Map<Cell, number> = new Map()

/**
 * What one domain excludes, as positions of the fleet: derived from the store's records, and rebuildable at any time.
 * `excluded` holds the positions of agents that are up and whose pair is not available, each with the instant of its next change;
 * `probation` those of them that one probe may try. The records themselves are in its book.
 */
export class View<R> {
  readonly domain: string
  readonly excluded: PositionSet = new PositionSet()
  probation: PositionSet = NOBODY
  /** Squares in which no agent is healthy, as bits of the square above: the walk outward passes over them. */
  dead: ReadonlyMap<Cell, number> = NONE_DEAD
  /** The domain's version in the store that this view has seen. */
  version = 0
  /** Picks since the last probe. */
  sinceProbe = 0
  /** When the domain's incident opened, and when silence ends it; 0 while none is open. */
  incidentAtMs = 0
  incidentEndsAtMs = 0
  readonly #fleet: Fleet
  readonly #judge: Judge<R>
  readonly #book: Book<R>
  #fleetVersion: number
  /** At least as many as the pairs that the book has: what to go through them all would cost. */
  #told = 0
  /** The newest instant that it has been told. */
  #nowMs = 0
  /** It has been drained at that instant. */
  #isDrained = false
  /** By hint, the first step in which somebody was healthy. Null once somebody has become healthy or the fleet has changed. */
  #firsts: Map<GeoHint, Step> | null = null

  constructor(domain: string, fleet: Fleet, judge: Judge<R>, book: Book<R>) {
    this.domain = domain
    this.#fleet = fleet
    this.#judge = judge
    this.#book = book
    this.#fleetVersion = fleet.version
  }

  /** How an agent that is up stands, as of the last drain. */
  phaseOf(agent: number): Phase {
    const position = this.#fleet.positionOf(agent)
    if (!this.excluded.has(position)) return 'available'
    if (this.probation.has(position)) return 'probation'
    const record = this.#book.get(this.domain, this.#fleet.agents.exitOf(agent), this.#nowMs)
    const isProbing = record !== null && this.#judge.phase(record, this.#nowMs) === 'probing'
    return isProbing ? 'probing' : 'excluded'
  }

  /** The record of an exit that is not available. */
  recordOf(exit: string): R | null {
    const record = this.#book.get(this.domain, exit, this.#nowMs)
    if (record === null || this.#judge.phase(record, this.#nowMs) === 'available') return null
    return record
  }

  /** When an exit's pair is pickable if nothing else happens: 0 if it is now. */
  pickableAtMs(exit: string): number {
    const record = this.#book.get(this.domain, exit, this.#nowMs)
    if (record === null) return 0
    const phase = this.#judge.phase(record, this.#nowMs)
    if (phase === 'available' || phase === 'probation') return 0
    return this.#judge.nextMs(record, this.#nowMs)
  }

  /** Takes in what the store says of an exit now. O(agents of the exit * log n). An `agent` that may be the exit's own spares a look-up. */
  apply(exit: string, record: R | null, nowMs: number, agent: number = -1): void {
    this.#advance(nowMs)
    if (record !== null) this.#told++
    this.#book.set(this.domain, exit, record, nowMs)
    this.#mark(exit, record, agent)
  }

  /** Whether something has fallen due. */
  isDue(nowMs: number): boolean {
    return this.excluded.firstAtMs <= nowMs
  }

  /** Lets go of what has fallen due: at most `budget` agents an instant, so that looking twice in one instant sees the same. */
  drain(nowMs: number, budget: number): void {
    this.#advance(nowMs)
    if (this.#isDrained) return
    this.#isDrained = true
    this.drainOn(nowMs, budget)
  }

  /** Lets go of up to `most` more agents that have fallen due. */
  drainOn(nowMs: number, most: number): void {
    this.#advance(nowMs)
    for (let i = 0; i < most && this.isDue(nowMs); i++) this.#drainAt(this.excluded.first)
  }

  /** Lets go of up to `most` agents that have fallen due from one position to below another. Answers how many there were. */
  drainBetween(start: number, end: number, nowMs: number, most: number): number {
    this.#advance(nowMs)
    let drained = 0
    let position = this.excluded.firstDue(start, end, nowMs)
    for (; position !== -1 && drained < most; drained++) {
      this.#drainAt(position)
      position = this.excluded.firstDue(position + 1, end, nowMs)
    }
    return drained
  }

  /** Visits agents that are not pickable, by an instant before which they are not so, until `visit` answers false. */
  inOrder(visit: (agent: number, notBeforeMs: number) => boolean): void {
    this.excluded.inOrder((position, atMs) =>
      this.probation.has(position) ? true : visit(this.#fleet.at(position), atMs),
    )
  }

  /** Every exit that may not be available, with its record. */
  entries(): Iterable<readonly [string, R]> {
    return this.#book.entries(this.domain, this.#nowMs)
  }

  /** Forgets all exits: the store is about to tell them anew. */
  reset(): void {
    this.#book.clear()
    this.#told = 0
    this.#clearPositions()
  }

  /** Follows the agents that came, moved and went since the last look. */
  catchUp(nowMs: number): void {
    this.#advance(nowMs)
    const behind = this.#fleet.version - this.#fleetVersion
    if (behind === 0) return
    this.#firsts = null
    const replayed =
      behind <= 64 + 4 * this.#told &&
      this.dead.size <= this.#fleet.gazetteer.pyramid.size &&
      this.#replay()
    if (!replayed) this.#rebuild()
    this.#fleetVersion = this.#fleet.version
  }

  /** A step of a hint before which nobody is healthy, where a walk has found out. */
  firstOf(hint: GeoHint): Step | undefined {
    return this.#firsts === null ? undefined : this.#firsts.get(hint)
  }

  /** Remembers it: what is excluded later empties steps, and fills none. */
  setFirst(hint: GeoHint, step: Step): void {
    if (this.#firsts === null || this.#firsts.size >= MOST_FIRSTS) this.#firsts = new Map()
    this.#firsts.set(hint, step)
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

  #drainAt(position: number): void {
    const agent = this.#fleet.at(position)
    const exit = this.#fleet.agents.exitOf(agent)
    const record = this.#book.get(this.domain, exit, this.#nowMs)
    this.#book.set(this.domain, exit, record, this.#nowMs)
    if (this.#follow(agent, record)) this.#review(this.#fleet.placeOf(agent))
  }

  #advance(nowMs: number): void {
    if (nowMs <= this.#nowMs) return
    this.#nowMs = nowMs
    this.#isDrained = false
  }

  /** First all that left their positions, then all that stand somewhere: a place is judged when no trace of the former is left. */
  #replay(): boolean {
    const known = this.#fleet.replay(this.#fleetVersion, (_, before) => {
      if (before === NOWHERE) return
      this.excluded.delete(before)
      if (this.probation.size > 0) this.probation.delete(before)
    })
    return known && this.#fleet.replay(this.#fleetVersion, (agent) => this.#meet(agent))
  }

  /** An agent has come, or moved, or is up again. */
  #meet(agent: number): void {
    if (!this.#fleet.agents.isLive(agent) || !this.#fleet.isUp(agent)) return
    this.#follow(agent, this.#book.get(this.domain, this.#fleet.agents.exitOf(agent), this.#nowMs))
    this.#review(this.#fleet.placeOf(agent))
  }

  /** Puts an agent that is up where its pair's record says. Answers whether it is excluded that was not, or the reverse. */
  #follow(agent: number, record: R | null): boolean {
    const phase = record === null ? 'available' : this.#judge.phase(record, this.#nowMs)
    return this.#put(agent, phase, record)
  }

  #rebuild(): void {
    this.#clearPositions()
    this.#told = 0
    for (const [exit, record] of this.entries()) {
      this.#told++
      this.#mark(exit, record)
    }
  }

  #clearPositions(): void {
    this.excluded.clear()
    this.#firsts = null
    this.probation = NOBODY
    this.dead = NONE_DEAD
  }

  #mark(exit: string, record: R | null, likely: number = -1): void {
    const phase = record === null ? 'available' : this.#judge.phase(record, this.#nowMs)
    if (phase === 'available' && this.excluded.size === 0) return
    const fleet = this.#fleet
    const place = (agent: number): void => {
      if (fleet.isUp(agent) && this.#put(agent, phase, record)) this.#review(fleet.placeOf(agent))
    }
    fleet.eachOfExit(exit, place, likely)
  }

  #put(agent: number, phase: Phase, record: R | null): boolean {
    const position = this.#fleet.positionOf(agent)
    if (phase !== 'probation' && this.probation.size > 0) this.probation.delete(position)
    if (phase === 'available' || record === null) {
      this.#firsts = null
      return this.excluded.delete(position)
    }
    const atMs = this.#judge.nextMs(record, this.#nowMs)
    const { length } = this.#fleet.ranges.open(position >>> COUNTRY_SHIFT)
    if (phase === 'probation') {
      if (this.probation === NOBODY) this.probation = new PositionSet()
      this.probation.put(position, atMs, length, this.#nowMs)
    }
    return this.excluded.put(position, atMs, length, this.#nowMs)
  }

  /** Keeps `dead` true for a place's square and those above it. */
  #review(place: Place): void {
    const { cell } = place
    if (cell === null) return
    // While no square is dead, so small a set can't have emptied this place.
    if (this.dead.size === 0 && this.excluded.size < place.up) return
    if (this.healthyAt(place) > 0) this.#revive(cell)
    else if (this.excluded.size >= cell.up && !this.#lives(cell)) this.#bury(cell)
  }

  /** Whether somebody in a square is healthy. Squares that are marked as dead are not looked into. */
  #lives(cell: Cell): boolean {
    for (const place of cell.places) if (this.healthyAt(place) > 0) return true
    const mask = this.dead.get(cell) ?? 0
    for (const kid of cell.kids) {
      if (kid.up > 0 && (mask & bitOf(kid)) === 0 && this.#lives(kid)) return true
    }
    return false
  }

  #revive(leaf: Cell): void {
    if (this.dead.size === 0) return
    const dead = this.dead as Map<Cell, number>
    for (let cell = leaf; cell.parent !== null; cell = cell.parent) {
      const mask = dead.get(cell.parent) ?? 0
      if ((mask & bitOf(cell)) === 0) continue
      if (mask === bitOf(cell)) dead.delete(cell.parent)
      else dead.set(cell.parent, mask & ~bitOf(cell))
    }
  }

  /** Marks a square in which nobody is healthy, and those above it of which the same has become true. */
  #bury(leaf: Cell): void {
    for (let cell = leaf; cell.parent !== null; cell = cell.parent) {
      const { parent } = cell
      if (cell.up >= LEAST_MARKED) this.#markDead(cell, parent)
      // Fewer than its agents are excluded: one of them is healthy.
      if (this.excluded.size < parent.up) return
      const mask = this.dead.get(parent) ?? 0
      for (const kid of parent.kids) {
        if (kid === cell || kid.up === 0 || (mask & bitOf(kid)) !== 0) continue
        // A larger square that is dead has been marked when its last agent was excluded.
        if (kid.up >= LEAST_MARKED || this.#lives(kid)) return
      }
      if (parent.up >= LEAST_MARKED) this.#markKids(parent)
    }
  }

  /** Of a larger square that is dead, the small ones in it are marked as well: a walk that passes by reads the lowest marks only. */
  #markKids(cell: Cell): void {
    for (const kid of cell.kids) {
      if (kid.up === 0 || kid.up >= LEAST_MARKED) continue
      this.#markDead(kid, cell)
      this.#markKids(kid)
    }
  }

  #markDead(cell: Cell, parent: Cell): void {
    if (this.dead === NONE_DEAD) this.dead = new Map()
    const dead = this.dead as Map<Cell, number>
    dead.set(parent, (dead.get(parent) ?? 0) | bitOf(cell))
  }
}
