import { NO_COUNTRY } from '../geo/places.ts'
import type { Place } from './localities.ts'
import { CountedBits } from './positions.ts'

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
  readonly #vacant: [start: number, end: number][] = []

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

  /** Takes back the segments of an emptied place. */
  vacate(place: Place): void {
    for (let i = 0; i < place.starts.length; i++) {
      this.#vacant.push([place.starts[i], place.ends[i]])
    }
  }

  /** A new segment: as long as the agents that are waiting, or as the place is already. */
  #extend(place: Place): void {
    const wished = Math.max(place.wanted, place.agents, 1)
    const vacant = this.#vacant.pop()
    let start = this.#length
    let end = start + wished
    if (vacant !== undefined) {
      start = vacant[0]
      end = Math.min(vacant[1], start + wished)
      if (end < vacant[1]) this.#vacant.push([end, vacant[1]])
    }
    if (end > this.#length) this.#grow(end)
    let at = place.starts.length
    while (at > 0 && place.starts[at - 1] > start) at--
    if (at > 0 && place.ends[at - 1] === start) place.ends[at - 1] = end
    else {
      place.starts.splice(at, 0, start)
      place.ends.splice(at, 0, end)
      place.countries.push(place.country)
    }
    for (let local = end - 1; local >= start; local--) place.free.push(local)
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
