import type { GeoHint, GeoWish } from '../geo/hint.ts'
import { continentRange, NO_COUNTRY } from '../geo/places.ts'
import { distanceKm } from '../geo/sphere.ts'
import type { StoredAgent } from './agent.ts'
import type { Fleet } from './fleet.ts'
import { locate } from './gazetteer.ts'
import type { Place } from './localities.ts'

/** What a request asks of an agent, ready for the walk. Agents are fleet numbers. */
export interface Query {
  readonly hint: GeoHint | null
  readonly avoid: ReadonlySet<number> | null
  /** Null where nothing is pinned; unknown ids are left out. */
  readonly pin: ReadonlySet<number> | null
  readonly tags: readonly string[] | null
  readonly session: string | null
}

/** Why an agent does not pass, whatever its health; null if it does. */
export type Refusal = 'avoided' | 'not_pinned' | 'tag_missing' | 'too_far' | 'full'

/** What an agent must be whatever the step: all but the hint's wishes, which the steps see to. O(tags). */
export function refusalOf(fleet: Fleet, query: Query, agent: number): Refusal | null {
  if (query.pin !== null && !query.pin.has(agent)) return 'not_pinned'
  if (query.avoid !== null && query.avoid.has(agent)) return 'avoided'
  if (query.tags !== null) {
    const tags = fleet.agents.restOf(agent)?.tags
    for (const tag of query.tags)
      if (tags === undefined || !tags.includes(tag)) return 'tag_missing'
  }
  if (isTooFar(fleet, query, agent)) return 'too_far'
  return fleet.loads.isFull(agent) ? 'full' : null
}

/** Whether an agent stands beyond the hint's radius, or nowhere. */
export function isTooFar(fleet: Fleet, query: Query, agent: number): boolean {
  if (query.hint === null || query.hint.radiusKm === Infinity) return false
  const km = distanceTo(fleet, query, agent)
  return km === null || km > query.hint.radiusKm
}

/** Km from the hint's centre to an agent's own coordinates; null where either is missing. */
export function distanceTo(fleet: Fleet, query: Query, agent: number): number | null {
  const centre = query.hint === null ? null : query.hint.centre
  const { agents } = fleet
  if (centre === null || !agents.isLive(agent)) return null
  const lat = agents.latOf(agent)
  const lon = agents.lonOf(agent)
  if (!Number.isNaN(lat) && !Number.isNaN(lon)) {
    return distanceKm(centre.lat, centre.lon, lat, lon)
  }
  const at = locate(agents.get(agent) as StoredAgent)
  return at === null ? null : distanceKm(centre.lat, centre.lon, at.lat, at.lon)
}

/** Whether a hint allows a place at all: never a vetoed country, and only fulfilled wishes where it is strict. */
export function allowsPlace(hint: GeoHint | null, place: Place): boolean {
  if (hint === null) return true
  if (hint.never.includes(place.country)) return false
  if (!hint.strict || hint.wishes.length === 0) return true
  return hint.wishes.some((wish) => fulfils(wish, place))
}

/** Whether a place is part of what a wish names. A point names every place with coordinates. */
export function fulfils(wish: GeoWish, place: Place): boolean {
  switch (wish.kind) {
    case 'point':
      return place.cell !== null
    case 'country':
      return place.country === wish.country
    case 'region':
      return place.region === wish.region
    case 'continent': {
      const range = continentRange(wish.continent)
      return (
        range !== undefined &&
        place.country !== NO_COUNTRY &&
        place.country >= range[0] &&
        place.country < range[1]
      )
    }
    default:
      return wish satisfies never
  }
}
