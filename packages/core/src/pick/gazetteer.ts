import { centreOf, countryIndex, NO_COUNTRY } from '../geo/places.ts'
import { LongList } from '../list.ts'
import { hash32 } from '../random.ts'
import { HandleTable } from '../table.ts'
import type { Agent } from './agent.ts'
import {
  columnOf,
  latOfRow,
  lonOfColumn,
  Pyramid,
  rowOf,
  without,
  type Cell,
  type Place,
} from './localities.ts'
import type { Ranges } from './ranges.ts'

/** No square: of agents that are at no place. */
const NOWHERE = -1
const COLUMN_BITS = 12
const COLUMN_MASK = (1 << COLUMN_BITS) - 1

const NO_SEGMENTS: readonly number[] = []

/** Where agents are: their places by number, by what agents say, by region, and in the pyramid. A place lives while it has agents. */
export class Gazetteer {
  readonly pyramid: Pyramid = new Pyramid()
  /** Counts the places that came and went, and the segments that were added to them. */
  version = 0
  readonly #table = new HandleTable()
  readonly #places: LongList<Place> = new LongList()
  readonly #byRegion: Map<string, Set<Place>> = new Map()
  readonly #ranges: Ranges

  constructor(ranges: Ranges) {
    this.#ranges = ranges
  }

  /** The place of the agents that are at no place. */
  get nowhere(): Place | undefined {
    return this.#find(NO_COUNTRY, NOWHERE, undefined, hashOf(NO_COUNTRY, NOWHERE, undefined))
  }

  /** The place of a number. */
  at(number: number): Place {
    return this.#places.get(number) as Place
  }

  /** The places of a region, in no particular order. */
  ofRegion(region: string): Iterable<Place> {
    return this.#byRegion.get(region) ?? []
  }

  /** The place of an agent, opened if it is new. */
  placeFor(agent: Agent): Place {
    const country = countryOf(agent)
    const square = squareOf(agent, country)
    const hash = hashOf(country, square, agent.region)
    const known = this.#find(country, square, agent.region, hash)
    return known ?? this.#open(country, square, agent.region, hash)
  }

  /** Drops a place that has no agents left. */
  close(place: Place): void {
    const { number, country, region, cell } = place
    this.version++
    this.#ranges.open(country).vacate(place)
    this.#table.remove(number)
    this.#places.set(number, null)
    if (region !== undefined) {
      const others = this.#byRegion.get(region)
      others?.delete(place)
      if (others?.size === 0) this.#byRegion.delete(region)
    }
    if (cell === null) return
    cell.places = without(cell.places, place)
    this.pyramid.prune(cell)
  }

  #find(
    country: number,
    square: number,
    region: string | undefined,
    hash: number,
  ): Place | undefined {
    const table = this.#table
    for (let number = table.first(hash); number >= 0; number = table.next(number)) {
      if (!table.isOf(number, hash)) continue
      const place = this.at(number)
      if (place.country === country && place.square === square && place.region === region) {
        return place
      }
    }
    return undefined
  }

  #open(country: number, square: number, region: string | undefined, hash: number): Place {
    const cell: Cell | null =
      square === NOWHERE ? null : this.pyramid.leaf(square >> COLUMN_BITS, square & COLUMN_MASK)
    const place: Place = {
      number: this.#table.add(hash),
      country,
      region,
      square,
      lat: cell === null ? NaN : latOfRow(cell.row),
      lon: cell === null ? NaN : lonOfColumn(cell.column),
      cell,
      name: null,
      starts: NO_SEGMENTS,
      ends: NO_SEGMENTS,
      countries: NO_SEGMENTS,
      free: -1,
      fresh: 0,
      freshEnd: 0,
      agents: 0,
      up: 0,
      wanted: 0,
    }
    this.version++
    this.#places.set(place.number, place)
    if (cell !== null) cell.places = [...cell.places, place]
    if (region !== undefined) {
      const others = this.#byRegion.get(region)
      if (others === undefined) this.#byRegion.set(region, new Set([place]))
      else others.add(place)
    }
    return place
  }
}

/** Where an agent is, in degrees; null for one that says nothing of it. */
export function locate(agent: Agent): { readonly lat: number; readonly lon: number } | null {
  if (agent.lat !== undefined && agent.lon !== undefined) return { lat: agent.lat, lon: agent.lon }
  return agent.country === undefined ? null : (centreOf(agent.country) ?? null)
}

/** Whether two agents say the same of where they are; by their countries' indexes, for how strings are compared depends on where they come from. */
export function standsAlike(a: Agent, b: Agent): boolean {
  return (
    a.lat === b.lat && a.lon === b.lon && a.region === b.region && countryOf(a) === countryOf(b)
  )
}

/** Whether a place is the one that an agent says it is at. */
export function isPlaceOf(place: Place, agent: Agent): boolean {
  const country = countryOf(agent)
  return (
    place.country === country &&
    place.region === agent.region &&
    place.square === squareOf(agent, country)
  )
}

function countryOf(agent: Agent): number {
  return agent.country === undefined ? NO_COUNTRY : countryIndex(agent.country)
}

/** The row and the column of an agent's tenth of a degree, in one number. */
function squareOf({ lat, lon }: Agent, country: number): number {
  if (lat !== undefined && lon !== undefined) return (rowOf(lat) << COLUMN_BITS) | columnOf(lon)
  const centre = centreOf(country)
  return centre === undefined ? NOWHERE : (rowOf(centre.lat) << COLUMN_BITS) | columnOf(centre.lon)
}

/** Of a country, a square and a region: mixed so that neighbours spread. */
function hashOf(country: number, square: number, region: string | undefined): number {
  let hash = Math.imul(square, 0x9e3779b1) ^ Math.imul(country + 1, 0x85ebca6b)
  if (region !== undefined) hash ^= hash32(region)
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35)
  return (hash ^ (hash >>> 15)) >>> 0
}
