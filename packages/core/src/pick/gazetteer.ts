import { centreOf, countryIndex, NO_COUNTRY } from '../geo/places.ts'
import type { Agent } from './agent.ts'
import {
  columnOf,
  latOfRow,
  lonOfColumn,
  Pyramid,
  rowOf,
  type Cell,
  type Place,
} from './localities.ts'
import type { Ranges } from './ranges.ts'

/** Where agents are: their places by key, by region, and in the pyramid. A place lives while it has agents. */
export class Gazetteer {
  readonly pyramid: Pyramid = new Pyramid()
  /** Counts the places that came and went. */
  version = 0
  readonly #byKey: Map<number | string, Place> = new Map()
  readonly #byRegion: Map<string, Place[]> = new Map()
  readonly #ranges: Ranges

  constructor(ranges: Ranges) {
    this.#ranges = ranges
  }

  /** The place of the agents that are at no place. */
  get nowhere(): Place | undefined {
    return this.#byKey.get(NOWHERE_KEY)
  }

  /** The places of a region, in no particular order. */
  ofRegion(region: string): readonly Place[] {
    return this.#byRegion.get(region) ?? []
  }

  /** The place of an agent, opened if it is new. */
  placeFor(agent: Agent): Place {
    const key = placeKey(agent)
    return this.#byKey.get(key) ?? this.#open(key, agent)
  }

  /** Drops a place that has no agents left. */
  close(place: Place): void {
    this.version++
    this.#ranges.open(place.country).vacate(place)
    this.#byKey.delete(place.key)
    if (place.region !== undefined) {
      const others = this.ofRegion(place.region).filter((other) => other !== place)
      if (others.length === 0) this.#byRegion.delete(place.region)
      else this.#byRegion.set(place.region, others)
    }
    if (place.cell === null) return
    place.cell.places.splice(place.cell.places.indexOf(place), 1)
    this.pyramid.prune(place.cell)
  }

  #open(key: number | string, agent: Agent): Place {
    const at = locate(agent)
    const cell: Cell | null =
      at === null ? null : this.pyramid.leaf(rowOf(at.lat), columnOf(at.lon))
    const place: Place = {
      key,
      country: agent.country === undefined ? NO_COUNTRY : countryIndex(agent.country),
      region: agent.region,
      lat: cell === null ? NaN : latOfRow(cell.row),
      lon: cell === null ? NaN : lonOfColumn(cell.column),
      cell,
      name: null,
      starts: [],
      ends: [],
      countries: [],
      free: [],
      agents: 0,
      up: 0,
      wanted: 0,
    }
    this.version++
    cell?.places.push(place)
    this.#byKey.set(key, place)
    if (agent.region !== undefined) {
      const others = this.#byRegion.get(agent.region)
      if (others === undefined) this.#byRegion.set(agent.region, [place])
      else others.push(place)
    }
    return place
  }
}

const NOWHERE_KEY = -1

/** Where an agent is, in degrees; null for one that says nothing of it. */
export function locate(agent: Agent): { readonly lat: number; readonly lon: number } | null {
  if (agent.lat !== undefined && agent.lon !== undefined) return { lat: agent.lat, lon: agent.lon }
  return agent.country === undefined ? null : (centreOf(agent.country) ?? null)
}

/** Whether two agents say the same of where they are. */
export function standsAlike(a: Agent, b: Agent): boolean {
  return a.lat === b.lat && a.lon === b.lon && a.country === b.country && a.region === b.region
}

/** Agents of one key are at one place. */
export function placeKey(agent: Agent): number | string {
  const country = agent.country === undefined ? NO_COUNTRY : countryIndex(agent.country)
  const at = locate(agent)
  const key = at === null ? NOWHERE_KEY : (country * 4096 + rowOf(at.lat)) * 4096 + columnOf(at.lon)
  return agent.region === undefined ? key : `${agent.region} ${key}`
}
