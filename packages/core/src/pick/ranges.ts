import { OstlerError } from '../errors.ts'
import { NO_COUNTRY } from '../geo/places.ts'
import { LOCAL_MASK } from './excluded.ts'
import type { Place } from './localities.ts'
import { CountedBits } from './positions.ts'

/** Vacant segments that are looked at for one that is long enough. */
const MOST_LOOKED_AT = 64

/**
 * The positions of one country: a growing range of 24-bit numbers in which each place holds segments.
 * A position outlives its agent: it goes back to its place, and with an emptied place to the country.
 */
export class CountryRange {
  readonly country: number
  /** Positions whose agent may be picked, as far as the agent itself goes. */
  readonly up: CountedBits = new CountedBits()
  /** Agents that have a position here, up or not. */
  agents = 0
  #agents = new Int32Array(16).fill(-1)
  #length = 0
  /** Segments that no place has, ascending, none beside another; and how many positions they are. */
  readonly #vacantStarts: number[] = []
  readonly #vacantEnds: number[] = []
  #vacant = 0

  constructor(country: number) {
    this.country = country
  }

  /** One more than the greatest position ever given. */
  get length(): number {
    return this.#length
  }

  /** The agent at a position, or -1. */
  agentAt(local: number): number {
    return local < this.#length ? this.#agents[local] : -1
  }

  /** Gives an agent a position of a place. Amortised O(1). */
  settle(place: Place, agent: number): number {
    if (place.free.length === 0) this.#extend(place)
    const local = place.free.pop() as number
    this.#agents[local] = agent
    this.agents++
    return local
  }

  leave(place: Place, local: number): void {
    this.#agents[local] = -1
    this.agents--
    place.free.push(local)
  }

  /** Takes back the segments of an emptied place, joined with what is vacant beside them. */
  vacate(place: Place): void {
    for (let i = 0; i < place.starts.length; i++) this.#free(place.starts[i], place.ends[i])
  }

  /**
   * A new segment: as long as the agents that are waiting, or as the place is already; taken from what is vacant, if enough
   * lies together there or more is vacant than used.
   */
  #extend(place: Place): void {
    const wished = Math.max(place.wanted, place.agents, 1)
    const from = this.#take(wished)
    const start = from === null ? this.#length : from[0]
    const end = from === null ? Math.min(start + wished, LOCAL_MASK + 1) : from[1]
    if (start === end) {
      const message = `a country must not hold more than ${LOCAL_MASK + 1} positions`
      throw new OstlerError('FLEET_FULL', message)
    }
    if (end > this.#length) this.#grow(end)
    const at = placeIn(place.starts, start)
    if (at > 0 && place.ends[at - 1] === start) place.ends[at - 1] = end
    else {
      place.starts.splice(at, 0, start)
      place.ends.splice(at, 0, end)
      place.countries.push(place.country)
    }
    for (let local = end - 1; local >= start; local--) place.free.push(local)
  }

  #take(wished: number): [start: number, end: number] | null {
    let best = -1
    for (let i = 0; i < this.#vacantStarts.length && i < MOST_LOOKED_AT; i++) {
      const size = this.#vacantEnds[i] - this.#vacantStarts[i]
      if (best === -1 || size > this.#vacantEnds[best] - this.#vacantStarts[best]) best = i
      if (size >= wished) break
    }
    if (best === -1) return null
    const start = this.#vacantStarts[best]
    const size = Math.min(this.#vacantEnds[best] - start, wished)
    const wasteful = this.#vacant > this.#length / 2 || this.#length + wished > LOCAL_MASK
    if (size < wished && !wasteful) return null
    this.#vacant -= size
    this.#vacantStarts[best] += size
    if (this.#vacantStarts[best] === this.#vacantEnds[best]) {
      this.#vacantStarts.splice(best, 1)
      this.#vacantEnds.splice(best, 1)
    }
    return [start, start + size]
  }

  #free(start: number, end: number): void {
    const starts = this.#vacantStarts
    const ends = this.#vacantEnds
    this.#vacant += end - start
    const at = placeIn(starts, start)
    const joinsBefore = at > 0 && ends[at - 1] === start
    const joinsAfter = at < starts.length && starts[at] === end
    if (joinsBefore && joinsAfter) {
      ends[at - 1] = ends[at]
      starts.splice(at, 1)
      ends.splice(at, 1)
    } else if (joinsBefore) ends[at - 1] = end
    else if (joinsAfter) starts[at] = start
    else {
      starts.splice(at, 0, start)
      ends.splice(at, 0, end)
    }
  }

  #grow(length: number): void {
    if (length > this.#agents.length) {
      const next = new Int32Array(Math.max(length, this.#agents.length * 2)).fill(-1)
      next.set(this.#agents)
      this.#agents = next
    }
    this.#length = length
  }
}

/** Where a start belongs among ascending ones. */
function placeIn(starts: readonly number[], start: number): number {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (starts[middle] < start) low = middle + 1
    else high = middle
  }
  return low
}

/** All countries' ranges, and the order of the fleet: by country, then by position. */
export class Ranges {
  readonly #byCountry: (CountryRange | undefined)[] = []
  /** Countries that have a range, ascending. */
  readonly countries: number[] = []

  get(country: number): CountryRange | undefined {
    return this.#byCountry[country]
  }

  open(country: number): CountryRange {
    const known = this.#byCountry[country]
    if (known !== undefined) return known
    while (this.#byCountry.length <= NO_COUNTRY) this.#byCountry.push(undefined)
    const range = new CountryRange(country)
    this.#byCountry[country] = range
    this.countries.push(country)
    this.countries.sort((a, b) => a - b)
    return range
  }
}
