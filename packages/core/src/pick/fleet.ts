import { hash32 } from '../random.ts'
import { roomFor } from '../room.ts'
import { AHEAD, HandleTable } from '../table.ts'
import { DEFAULT_CONCURRENCY, type StoredAgent } from './agent.ts'
import { CountryCounts } from './country-counts.ts'
import { COUNTRY_SHIFT, LOCAL_MASK } from './excluded.ts'
import { Descriptions } from './descriptions.ts'
import { Exits } from './exits.ts'
import { ExpiryHeap } from './expiry.ts'
import { Gazetteer, isPlaceOf, standsAlike } from './gazetteer.ts'
import { Loads } from './loads.ts'
import type { Cell, Place } from './localities.ts'
import { Ranges } from './ranges.ts'

/** No position. */
export const NOWHERE = 0xffffffff

/** Membership changes that a view can still catch up with; one that is farther behind is rebuilt. */
const LOG_LENGTH = 65_536

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

const HASHES = new Uint32Array(AHEAD)
const NUMBERS = new Int32Array(AHEAD)

/**
 * The index of agents: who is where, who may be picked, how busy each is. Derived from the store's agents and rebuildable.
 * Agents are small integers here, recycled; `positionOf(agent)` is where one stands in fleet order. About 45 bytes an agent
 * until it is picked, beside the places; no call copies what is there, however many come.
 */
export class Fleet {
  readonly ranges: Ranges = new Ranges()
  readonly gazetteer: Gazetteer = new Gazetteer(this.ranges)
  /** Agents that rest (breaker, or their exit excluded everywhere), by when they are up again. */
  readonly resting: ExpiryHeap = new ExpiryHeap()

  readonly loads: Loads = new Loads()
  /** By number, as they were put; null for a number that nobody has. */
  readonly agents: Descriptions = new Descriptions()

  /** Agents that are up, by country. */
  readonly upByCountry: CountryCounts = new CountryCounts()

  /** Counts every change of membership, place, exit or upness. */
  version = 0
  /** A sum of no meaning: what came to nothing the engine would not read. */
  ahead = 0
  #up = 0
  #wokenAtMs = -1
  /** Numbers by id. */
  readonly #ids = new HandleTable()
  readonly #exits: Exits = new Exits(this.agents)
  /** By number, in chunks: the agent's position, and the number of its place. */
  readonly #spots: Uint32Array[] = []
  readonly #logAgents = new Int32Array(LOG_LENGTH)
  readonly #logPositions = new Uint32Array(LOG_LENGTH)

  get size(): number {
    return this.#ids.size
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
    return this.#find(id, hash32(id))
  }

  /** Where an agent stands in fleet order. */
  positionOf(agent: number): number {
    return this.#spots[agent >>> CHUNK_BITS][(agent & IN_CHUNK) << 1]
  }

  /** The agent at a position, or -1. */
  at(position: number): number {
    return this.ranges.get(position >>> COUNTRY_SHIFT)?.agentAt(position & LOCAL_MASK) ?? -1
  }

  placeOf(agent: number): Place {
    return this.gazetteer.at(this.#spots[agent >>> CHUNK_BITS][((agent & IN_CHUNK) << 1) | 1])
  }

  isUp(agent: number): boolean {
    const position = this.positionOf(agent)
    const range = this.ranges.get(position >>> COUNTRY_SHIFT)
    return range !== undefined && range.up.has(position & LOCAL_MASK)
  }

  /** Calls back with every agent of an exit. One that is `likely` called like the exit spares looking up the name. */
  eachOfExit(exit: string, visit: (agent: number) => void, likely: number = -1): void {
    const isKnown = likely >= 0 && this.agents.idOf(likely) === exit
    this.#exits.each(exit, visit)
    const own = isKnown ? likely : this.find(exit)
    if (own >= 0 && this.agents.restOf(own)?.exitIp === undefined) visit(own)
  }

  /** Agents in fleet order. */
  *values(): Generator<StoredAgent> {
    for (const country of this.ranges.countries) {
      const range = this.ranges.open(country)
      for (let local = 0; local < range.length; local++) {
        const agent = range.agentAt(local)
        if (agent !== -1) yield this.agents.get(agent) as StoredAgent
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
      if (i % AHEAD === 0) this.lookAhead(agents.slice(i, i + AHEAD).map(idOf))
      const hash = hash32(agents[i].id)
      const known = this.#find(agents[i].id, hash)
      numbers[i] = known >= 0 ? known : this.#number(agents[i], hash)
      const place = known < 0 ? this.gazetteer.placeFor(agents[i]) : null
      if (place !== null) place.wanted++
      places.push(place)
    }
    for (let i = 0; i < agents.length; i++) {
      const place = places[i]
      this.#put(numbers[i], agents[i], place)
      onPut(numbers[i], place !== null)
    }
  }

  /**
   * Reads what changing up to {@link AHEAD} agents will read. One agent after the other waits for memory thirty times, some 100 ns each in a fleet of a
   * million; read together the waits overlap. Changes nothing.
   */
  lookAhead(ids: readonly string[]): void {
    for (let i = 0; i < ids.length; i++) HASHES[i] = hash32(ids[i])
    this.#ids.findEach(HASHES, NUMBERS, ids.length)
    let read = 0
    for (let i = 0; i < ids.length; i++) {
      if (NUMBERS[i] < 0) continue
      read += this.agents.touch(NUMBERS[i])
      read ^= this.positionOf(NUMBERS[i])
    }
    for (let i = 0; i < ids.length; i++) {
      // One that a change under way has numbered is not at a place yet.
      if (NUMBERS[i] < 0 || this.positionOf(NUMBERS[i]) === NOWHERE) continue
      const { free, cell } = this.placeOf(NUMBERS[i])
      read += free + (cell === null || cell.parent === null ? 0 : cell.up + cell.parent.up)
      if (this.at(this.positionOf(NUMBERS[i])) >= 0 && this.isUp(NUMBERS[i])) read++
    }
    this.ahead = read & 1
  }

  remove(id: string): void {
    const agent = this.find(id)
    if (agent < 0) return
    const described = this.agents.get(agent) as StoredAgent
    this.#setUp(agent, false)
    this.#note(agent)
    this.#exits.leave(agent, described)
    this.#leavePlace(agent, described)
    this.resting.remove(agent)
    this.#ids.remove(agent)
    this.agents.clear(agent)
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
    if (this.resting.size === 0 || (this.#wokenAtMs === nowMs && budget !== Infinity)) return
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

  #find(id: string, hash: number): number {
    const ids = this.#ids
    for (let agent = ids.first(hash); agent >= 0; agent = ids.next(agent)) {
      if (ids.isOf(agent, hash) && this.agents.idOf(agent) === id) return agent
    }
    return -1
  }

  #number(agent: StoredAgent, hash: number): number {
    const number = this.#ids.add(hash)
    this.agents.set(number, agent)
    const chunk = number >>> CHUNK_BITS
    if (chunk === this.#spots.length) {
      this.#spots.push(new Uint32Array(roomFor(CHUNK * 8, chunk)))
    }
    this.#spots[chunk][(number & IN_CHUNK) << 1] = NOWHERE
    return number
  }

  /**
   * Adds an agent at the place that was found for it, or (null) replaces a known one. One way for both: most of a fleet's life only one of them
   * is taken, and who comes to the other would run what nobody has compiled.
   */
  #put(number: number, agent: StoredAgent, found: Place | null): void {
    const { agents, loads } = this
    const weight = agent.weight ?? 1
    const capacity = agent.maxConcurrency ?? DEFAULT_CONCURRENCY
    const former = found === null ? agents.get(number) : null
    if (former === null) loads.open(number, weight, capacity)
    else loads.describe(number, weight, capacity)
    const keepsExit = former !== null && former.exitIp === agent.exitIp
    if (former !== null && !keepsExit) this.#exits.leave(number, former)
    if (former !== null) agents.set(number, agent)
    if (!keepsExit) this.#exits.join(number, agent)
    let place = found ?? this.placeOf(number)
    const stays = former !== null && (standsAlike(former, agent) || isPlaceOf(place, agent))
    if (former !== null) {
      if (former.city !== agent.city) place.name = null
      if (stays && keepsExit && former.drained === agent.drained) return
      if (!stays || !keepsExit) {
        this.#setUp(number, false)
        this.#note(number)
      }
      if (!stays) {
        this.#leavePlace(number, former)
        place = this.gazetteer.placeFor(agent)
      }
    }
    if (!stays) this.#enterPlace(number, agent, place)
    if (found !== null) found.wanted--
    this.#refresh(number)
  }

  /** Sets upness to what draining and rest say, and notes it if it changed. */
  #refresh(agent: number): void {
    const up = this.agents.restOf(agent)?.drained !== true && !this.resting.has(agent)
    if (up === this.isUp(agent)) return
    this.#setUp(agent, up)
    this.#note(agent)
  }

  #setUp(agent: number, up: boolean): void {
    if (up === this.isUp(agent)) return
    const position = this.positionOf(agent)
    const bits = this.ranges.open(position >>> COUNTRY_SHIFT).up
    if (up) bits.add(position & LOCAL_MASK)
    else bits.delete(position & LOCAL_MASK)
    const by = up ? 1 : -1
    this.#up += by
    this.upByCountry.add(position >>> COUNTRY_SHIFT, by)
    const place = this.placeOf(agent)
    place.up += by
    for (let cell: Cell | null = place.cell; cell !== null; cell = cell.parent) cell.up += by
  }

  #note(agent: number): void {
    const at = this.version++ % LOG_LENGTH
    this.#logAgents[at] = agent
    this.#logPositions[at] = this.positionOf(agent)
  }

  #enterPlace(agent: number, { city }: StoredAgent, place: Place): void {
    const { ends } = place
    const local = this.ranges.open(place.country).settle(place, agent)
    // Steps that are remembered hold the segments that their place had.
    if (place.ends !== ends) this.gazetteer.version++
    const spots = this.#spots[agent >>> CHUNK_BITS]
    spots[(agent & IN_CHUNK) << 1] = place.country * 0x1000000 + local
    spots[((agent & IN_CHUNK) << 1) | 1] = place.number
    place.agents++
    // A place is named after a city of its agents: finding one anew takes a look at all that name none.
    if (city !== undefined) place.name = null
  }

  #leavePlace(agent: number, { city }: StoredAgent): void {
    const place = this.placeOf(agent)
    this.ranges.open(place.country).leave(place, this.positionOf(agent) & LOCAL_MASK)
    this.#spots[agent >>> CHUNK_BITS][(agent & IN_CHUNK) << 1] = NOWHERE
    place.agents--
    if (city !== undefined) place.name = null
    if (place.agents === 0 && place.wanted === 0) this.gazetteer.close(place)
  }
}

const idOf = ({ id }: StoredAgent): string => id
