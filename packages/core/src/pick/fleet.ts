import { DEFAULT_CONCURRENCY, type StoredAgent } from './agent.ts'
import { COUNTRY_SHIFT, LOCAL_MASK } from './excluded.ts'
import { Exits } from './exits.ts'
import { ExpiryHeap } from './expiry.ts'
import { Gazetteer, placeKey, standsAlike } from './gazetteer.ts'
import type { Cell, Place } from './localities.ts'
import { Ranges } from './ranges.ts'

/** No position. */
export const NOWHERE = 0xffffffff

/** Membership changes that a view can still catch up with; one that is farther behind is rebuilt. */
const LOG_LENGTH = 65_536

/**
 * The index of agents: who is where, who may be picked, how busy each is. Derived from the store's agents and rebuildable.
 * Agents are small integers here, recycled; `positions[agent]` is where one stands in fleet order.
 */
export class Fleet {
  readonly ranges: Ranges = new Ranges()
  readonly gazetteer: Gazetteer = new Gazetteer(this.ranges)
  /** Agents that rest (breaker, or their exit excluded everywhere), by when they are up again. */
  readonly resting: ExpiryHeap = new ExpiryHeap()

  agents: (StoredAgent | null)[] = []
  positions: Uint32Array<ArrayBuffer> = new Uint32Array(1024)
  inFlight: Uint32Array<ArrayBuffer> = new Uint32Array(1024)
  capacities: Uint32Array<ArrayBuffer> = new Uint32Array(1024)
  weights: Float64Array<ArrayBuffer> = new Float64Array(1024)
  /** The moving mean of ok dispatches, ms; 0 while unknown. */
  latenciesMs: Float64Array<ArrayBuffer> = new Float64Array(1024)
  /** The number of the pick that chose it last, and its instant. */
  lastPicks: Float64Array<ArrayBuffer> = new Float64Array(1024)
  pickedAtMs: Float64Array<ArrayBuffer> = new Float64Array(1024)

  /** Agents that are up, by country. */
  readonly upByCountry: Uint32Array = new Uint32Array(256)

  /** Counts every change of membership, place, exit or upness. */
  version = 0
  #up = 0
  #wokenAtMs = -1
  readonly #places: (Place | null)[] = []
  readonly #byId: Map<string, number> = new Map()
  readonly #exits: Exits = new Exits()
  readonly #vacant: number[] = []
  readonly #logAgents = new Int32Array(LOG_LENGTH)
  readonly #logPositions = new Uint32Array(LOG_LENGTH)

  get size(): number {
    return this.#byId.size
  }

  /** Agents that may be picked, as far as they themselves go. */
  get up(): number {
    return this.#up
  }

  /** Distinct exits. */
  get exits(): number {
    return this.#exits.size
  }

  /** The number of an agent, or -1. */
  find(id: string): number {
    return this.#byId.get(id) ?? -1
  }

  /** The agent at a position, or -1. */
  at(position: number): number {
    return this.ranges.get(position >>> COUNTRY_SHIFT)?.agentAt(position & LOCAL_MASK) ?? -1
  }

  placeOf(agent: number): Place {
    return this.#places[agent] as Place
  }

  isUp(agent: number): boolean {
    const position = this.positions[agent]
    const range = this.ranges.get(position >>> COUNTRY_SHIFT)
    return range !== undefined && range.up.has(position & LOCAL_MASK)
  }

  /** Calls back with every agent of an exit. */
  eachOfExit(exit: string, visit: (agent: number) => void): void {
    this.#exits.each(exit, visit)
    const own = this.#byId.get(exit)
    if (own !== undefined && this.agents[own]?.exitIp === undefined) visit(own)
  }

  /** Agents in fleet order. */
  *values(): Generator<StoredAgent> {
    for (const country of this.ranges.countries) {
      const range = this.ranges.open(country)
      for (let local = 0; local < range.length; local++) {
        const agent = range.agentAt(local)
        if (agent !== -1) yield this.agents[agent] as StoredAgent
      }
    }
  }

  /**
   * Adds or replaces agents, in order; in-flight counts and latencies outlive a replacement. Each place grows once.
   * O(log n) an agent.
   */
  putAll(agents: readonly StoredAgent[], onPut: (agent: number, isNew: boolean) => void): void {
    const numbers = new Int32Array(agents.length)
    // The new ones get their numbers first, so that each place knows how many it waits for.
    const places: (Place | null)[] = []
    for (let i = 0; i < agents.length; i++) {
      const known = this.#byId.get(agents[i].id)
      numbers[i] = known ?? this.#number(agents[i].id)
      const place = known === undefined ? this.gazetteer.placeFor(agents[i]) : null
      if (place !== null) place.wanted++
      places.push(place)
    }
    for (let i = 0; i < agents.length; i++) {
      const place = places[i]
      if (place !== null) this.#add(numbers[i], agents[i], place)
      else this.#replace(numbers[i], agents[i])
      onPut(numbers[i], place !== null)
    }
  }

  remove(id: string): void {
    const agent = this.#byId.get(id)
    if (agent === undefined) return
    this.#setUp(agent, false)
    this.#note(agent)
    this.#exits.leave(agent, this.agents[agent] as StoredAgent)
    this.#leavePlace(agent)
    this.resting.remove(agent)
    this.#byId.delete(id)
    this.agents[agent] = null
    this.#vacant.push(agent)
  }

  /** Rests an agent until an instant; 0 ends a rest. */
  rest(agent: number, untilMs: number): void {
    if (untilMs > 0) this.resting.set(agent, untilMs)
    else this.resting.remove(agent)
    this.#refresh(agent)
  }

  /** Whether some agent's rest is over. */
  isDue(nowMs: number): boolean {
    return this.resting.firstAtMs <= nowMs
  }

  /** Agents whose rest is over are up again: at most `budget` an instant. */
  wake(nowMs: number, budget: number): void {
    if (this.#wokenAtMs === nowMs && budget !== Infinity) return
    this.#wokenAtMs = nowMs
    for (let i = 0; i < budget && this.isDue(nowMs); i++) {
      const agent = this.resting.first
      this.resting.remove(agent)
      this.#refresh(agent)
    }
  }

  /**
   * Replays what changed since `version`, oldest first: an agent, and the position it had before.
   * False, and nothing replayed, when that is no longer known.
   */
  replay(version: number, visit: (agent: number, before: number) => void): boolean {
    if (this.version - version > LOG_LENGTH) return false
    for (let at = version; at < this.version; at++) {
      visit(this.#logAgents[at % LOG_LENGTH], this.#logPositions[at % LOG_LENGTH])
    }
    return true
  }

  #number(id: string): number {
    const number = this.#vacant.pop() ?? this.agents.length
    if (number >= this.positions.length) this.#grow()
    this.agents[number] = null
    this.#byId.set(id, number)
    return number
  }

  #add(number: number, agent: StoredAgent, place: Place): void {
    this.agents[number] = agent
    this.inFlight[number] = 0
    this.latenciesMs[number] = 0
    this.lastPicks[number] = 0
    this.pickedAtMs[number] = 0
    this.#describe(number, agent)
    this.#exits.join(number, agent)
    this.#enterPlace(number, place)
    place.wanted--
    this.#refresh(number)
  }

  #replace(number: number, agent: StoredAgent): void {
    const former = this.agents[number] as StoredAgent
    this.agents[number] = agent
    this.#describe(number, agent)
    const stays = standsAlike(former, agent) || this.placeOf(number).key === placeKey(agent)
    const keepsExit = former.exitIp === agent.exitIp
    if (former.city !== agent.city) this.placeOf(number).name = null
    if (stays && keepsExit && former.drained === agent.drained) return
    if (!stays || !keepsExit) {
      this.#setUp(number, false)
      this.#note(number)
    }
    if (!keepsExit) {
      this.#exits.leave(number, former)
      this.#exits.join(number, agent)
    }
    if (!stays) {
      this.#leavePlace(number)
      this.#enterPlace(number, this.gazetteer.placeFor(agent))
    }
    this.#refresh(number)
  }

  #describe(number: number, agent: StoredAgent): void {
    this.weights[number] = agent.weight ?? 1
    this.capacities[number] = agent.maxConcurrency ?? DEFAULT_CONCURRENCY
  }

  /** Sets upness to what draining and rest say, and notes it if it changed. */
  #refresh(agent: number): void {
    const up = this.agents[agent]?.drained !== true && !this.resting.has(agent)
    if (up === this.isUp(agent)) return
    this.#setUp(agent, up)
    this.#note(agent)
  }

  #setUp(agent: number, up: boolean): void {
    if (up === this.isUp(agent)) return
    const position = this.positions[agent]
    const bits = this.ranges.open(position >>> COUNTRY_SHIFT).up
    if (up) bits.add(position & LOCAL_MASK)
    else bits.delete(position & LOCAL_MASK)
    const by = up ? 1 : -1
    this.#up += by
    this.upByCountry[position >>> COUNTRY_SHIFT] += by
    const place = this.placeOf(agent)
    place.up += by
    for (let cell: Cell | null = place.cell; cell !== null; cell = cell.parent) cell.up += by
  }

  #note(agent: number): void {
    const at = this.version++ % LOG_LENGTH
    this.#logAgents[at] = agent
    this.#logPositions[at] = this.positions[agent]
  }

  #enterPlace(agent: number, place: Place): void {
    const local = this.ranges.open(place.country).settle(place, agent)
    this.positions[agent] = place.country * 0x1000000 + local
    this.#places[agent] = place
    place.agents++
    place.name = null
  }

  #leavePlace(agent: number): void {
    const place = this.placeOf(agent)
    this.ranges.open(place.country).leave(place, this.positions[agent] & LOCAL_MASK)
    this.positions[agent] = NOWHERE
    this.#places[agent] = null
    place.agents--
    place.name = null
    this.#closeIfEmpty(place)
  }

  #closeIfEmpty(place: Place): void {
    if (place.agents === 0 && place.wanted === 0) this.gazetteer.close(place)
  }

  #grow(): void {
    const size = this.positions.length * 2
    this.positions = resized(this.positions, new Uint32Array(size))
    this.inFlight = resized(this.inFlight, new Uint32Array(size))
    this.capacities = resized(this.capacities, new Uint32Array(size))
    this.weights = resized(this.weights, new Float64Array(size))
    this.latenciesMs = resized(this.latenciesMs, new Float64Array(size))
    this.lastPicks = resized(this.lastPicks, new Float64Array(size))
    this.pickedAtMs = resized(this.pickedAtMs, new Float64Array(size))
  }
}

function resized<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}
