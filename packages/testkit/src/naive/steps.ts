import { centreOf, continentRange, countryIndex, distanceKm, NO_COUNTRY } from '@ostler/core'
import type { Agent, GeoHint, GeoWish, Place } from '@ostler/core'

/** One step of the walk: its agents in fleet order. */
export interface NaiveStep {
  /** Null for `anywhere`, and for agents at no place. */
  readonly distanceKm: number | null
  readonly agents: readonly Agent[]
}

/** The steps of a hint, nearest first, over agents in fleet order. O(agents * steps). */
export function naiveSteps(agents: readonly Agent[], hint: GeoHint | null): readonly NaiveStep[] {
  if (hint === null) return [{ distanceKm: null, agents }]
  const allowed = agents.filter((agent) => !isVetoed(agent, hint))
  if (hint.wishes.length === 0) return [{ distanceKm: null, agents: allowed }]

  const steps: NaiveStep[] = []
  let left = allowed
  for (const wish of hint.wishes) {
    if (wish.kind === 'point') continue
    // Wishes may overlap (`US-CA,US`): each is a step of its own; the walk outward holds none of them again.
    steps.push({ distanceKm: 0, agents: allowed.filter((agent) => fulfils(agent, wish)) })
    left = left.filter((agent) => !fulfils(agent, wish))
  }
  const point = hint.wishes.some((wish) => wish.kind === 'point')
  return hint.strict && !point ? steps : [...steps, ...outward(left, hint)]
}

interface NaivePlace extends Place {
  readonly country: number
  readonly region: string
}

function outward(agents: readonly Agent[], hint: GeoHint): NaiveStep[] {
  const centre = hint.centre!
  const byPlace = new Map<string, { readonly place: NaivePlace; readonly agents: Agent[] }>()
  const nowhere: Agent[] = []
  for (const agent of agents) {
    const place = placeOf(agent)
    if (place === null) {
      nowhere.push(agent)
      continue
    }
    const key = Object.values(place).join(' ')
    const known = byPlace.get(key)
    if (known === undefined) byPlace.set(key, { place, agents: [agent] })
    else known.agents.push(agent)
  }
  const steps = [...byPlace.values()].map(({ place, agents: members }) => {
    const km = distanceKm(centre.lat, centre.lon, place.lat, place.lon)
    return { distanceKm: km, place, agents: members }
  })
  steps.sort((a, b) => a.distanceKm - b.distanceKm || order(a.place, b.place))
  if (hint.strict || nowhere.length === 0) return steps
  return [...steps, { distanceKm: null, agents: nowhere }]
}

function order(a: NaivePlace, b: NaivePlace): number {
  return a.country - b.country || a.lat - b.lat || a.lon - b.lon || (a.region < b.region ? -1 : 1)
}

/** Where an agent is: its coordinates, else its country's centre, else nowhere. */
export function whereIs(agent: Agent): Place | null {
  if (agent.lat !== undefined && agent.lon !== undefined) return { lat: agent.lat, lon: agent.lon }
  return agent.country === undefined ? null : (centreOf(agent.country) ?? null)
}

/** A country, a region, and the coordinates to 0.1 degree, which are its centre; null for no place. */
function placeOf(agent: Agent): NaivePlace | null {
  const at = whereIs(agent)
  if (at === null) return null
  const lon = Math.round(at.lon * 10) / 10 + 0
  return {
    country: agent.country === undefined ? NO_COUNTRY : countryIndex(agent.country),
    lat: Math.round(at.lat * 10) / 10 + 0,
    lon: lon === 180 ? -180 : lon,
    region: agent.region ?? '',
  }
}

/** Km from the hint's centre to the agent; null where either has no place. */
export function naiveDistanceKm(agent: Agent, hint: GeoHint | null): number | null {
  const at = whereIs(agent)
  if (hint === null || hint.centre === null || at === null) return null
  return distanceKm(hint.centre.lat, hint.centre.lon, at.lat, at.lon)
}

function isVetoed(agent: Agent, hint: GeoHint): boolean {
  return agent.country !== undefined && hint.never.includes(countryIndex(agent.country))
}

function fulfils(agent: Agent, wish: GeoWish): boolean {
  const country = agent.country === undefined ? -1 : countryIndex(agent.country)
  switch (wish.kind) {
    case 'country':
      return country === wish.country
    case 'region':
      return agent.region === wish.region
    case 'continent': {
      const [start, end] = continentRange(wish.continent)!
      return country >= start && country < end
    }
    case 'point':
      return false
    default:
      return wish satisfies never
  }
}
