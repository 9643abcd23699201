import { OstlerError } from '../errors.ts'
import { NO_COUNTRY } from '../geo/places.ts'
import { roomFor } from '../room.ts'
import { LOCAL_MASK } from './excluded.ts'
import type { Place } from './localities.ts'
import { CountedBits } from './positions.ts'

const CHUNK_BITS = 12
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

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
  /**
   * By position, in chunks that are never copied once they are whole: its agent plus one; of one that was given back, less
   * than 1: minus the next one of its place, less one, or 0 for the last.
   */
  readonly #agents: Int32Array[] = [new Int32Array(16)]
  #length = 0
  /** Segments that no place has, ascending, none beside another; and how many positions they are. */
  readonly #vacantStarts: number[] = []
  readonly #vacantEnds: number[] = []
  #vacant = 0
  /** By number of segments, what `countries` of a place is: the same array for all of them. */
  readonly #countries: (readonly number[])[] = []

  constructor(country: number) {
    this.country = country
  }

  /** One more than the greatest position ever given. */
  get length(): number {
    return this.#length
  }

  /** The agent at a position, or -1. */
  agentAt(local: number): number {
    if (local >= this.#length) return -1
    const agent = this.#agents[local >>> CHUNK_BITS][local & IN_CHUNK]
    return agent > 0 ? agent - 1 : -1
  }

  /** Gives an agent a position of a place. O(1), but for a place that is as long as the chunks of its new segment. */
  settle(place: Place, agent: number): number {
    if (place.free < 0 && place.fresh === place.freshEnd) this.#extend(place)
    let local = place.free
    if (local < 0) local = place.fresh++
    else {
      const next = this.#agents[local >>> CHUNK_BITS][local & IN_CHUNK]
      place.free = next < 0 ? -next - 1 : -1
    }
    this.#agents[local >>> CHUNK_BITS][local & IN_CHUNK] = agent + 1
    this.agents++
    return local
  }

  leave(place: Place, local: number): void {
    this.#agents[local >>> CHUNK_BITS][local & IN_CHUNK] = place.free < 0 ? 0 : -place.free - 1
    place.free = local
    this.agents--
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
    place.fresh = start
    place.freshEnd = end
    const at = placeIn(place.starts, start)
    if (at > 0 && place.ends[at - 1] === start) place.ends = place.ends.with(at - 1, end)
    else {
      place.starts = place.starts.toSpliced(at, 0, start)
      place.ends = place.ends.toSpliced(at, 0, end)
      const { length } = place.starts
      place.countries = this.#countries[length] ??= place.starts.map(() => this.country)
    }
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
    this.#length = length
    const chunks = this.#agents
    // A country of few agents has a part of a chunk.
    if (length > chunks[0].length && chunks[0].length < CHUNK) {
      const whole = new Int32Array(Math.min(Math.max(length, chunks[0].length * 2), CHUNK))
      whole.set(chunks[0])
      chunks[0] = whole
    }
    while (chunks.length << CHUNK_BITS < length) {
      chunks.push(new Int32Array(roomFor(CHUNK * 4, chunks.length)))
    }
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
