import type { GeoHint, GeoWish } from '../geo/hint.ts'
import { continentRange, countryCodes, isContinent, NO_COUNTRY } from '../geo/places.ts'
import type { Place as Centre } from '../geo/places.ts'
import type { Fleet } from './fleet.ts'
import { bitOf, EVERYWHERE, Outward, type DeadKids, type Place } from './localities.ts'
import { fulfils } from './query.ts'

/** A whole country, as the end of a span. */
export const TO_THE_END: number = 0x1000000

/** One step of the walk: spans of positions in fleet order, as parallel arrays. */
export interface Step {
  /** Null where it is a single place, whose name is looked up only if it is wanted. */
  readonly label: string | null
  readonly distanceKm: number | null
  readonly place: Place | null
  /** The spans are whole countries. */
  readonly whole: boolean
  /** They are all there are. */
  readonly everything: boolean
  readonly countries: readonly number[]
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/** Places next to a hint's centre that are remembered: most walks end among them. */
const NEAR = 16

interface Near {
  readonly version: number
  readonly steps: readonly Step[]
}

/** Places whose centre is a little farther than the radius may hold agents within it. */
const PLACE_RADIUS_KM = 10

/** The steps of a hint, nearest first, made one at a time as the walk asks for them. */
export class Steps {
  readonly #fleet: Fleet
  readonly #outward: Outward = new Outward()
  #hint: GeoHint | null = null
  #dead: DeadKids | null = null
  #among: (() => Iterable<Place>) | null = null
  #wish = 0
  readonly #nearOf: WeakMap<GeoHint, Near> = new WeakMap()
  #near: readonly Step[] = []
  #nearAt = 0
  /** Steps of whole countries by label; they hold while no country is opened. */
  readonly #whole: Map<string, Step> = new Map()
  /** The same of single countries, by index: the commonest hint costs no look-up. */
  readonly #byCountry: (Step | undefined)[] = []
  #countries = 0
  #stage: 'wishes' | 'outward' | 'nowhere' | 'done' = 'done'

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  /**
   * Starts anew. Squares in `dead` are passed over: they hold nobody that is wanted.
   * With `among`, the walk outward takes these places only; it is asked for them when it gets there.
   */
  start(
    hint: GeoHint | null,
    dead: DeadKids | null,
    among: (() => Iterable<Place>) | null = null,
  ): void {
    this.#hint = hint
    this.#dead = dead
    this.#among = among
    this.#wish = 0
    this.#stage = 'wishes'
  }

  /** The next step, or null after the last. */
  next(): Step | null {
    const hint = this.#hint
    if (this.#stage === 'wishes') {
      if (hint === null || hint.wishes.length === 0) {
        this.#stage = 'done'
        return this.#anywhere(hint)
      }
      while (this.#wish < hint.wishes.length) {
        const wish = hint.wishes[this.#wish++]
        if (wish.kind !== 'point') return this.#wished(wish, hint)
      }
      this.#startOutward(hint)
    }
    if (this.#stage === 'outward' && hint !== null) {
      const step = this.#outwardStep(hint)
      if (step !== null) return step
      this.#stage = hint.strict || hint.radiusKm !== Infinity ? 'done' : 'nowhere'
    }
    if (this.#stage !== 'nowhere') return null
    this.#stage = 'done'
    return this.#nowhere()
  }

  #startOutward(hint: GeoHint): void {
    const isPoint = hint.wishes[0].kind === 'point'
    if (hint.centre === null || (hint.strict && !isPoint)) {
      this.#stage = hint.strict ? 'done' : 'nowhere'
      return
    }
    this.#stage = 'outward'
    this.#nearAt = 0
    this.#near = this.#among === null ? this.#nearestTo(hint, hint.centre) : []
    if (this.#near.length === 0) this.#startFar(hint.centre)
  }

  /** Walks on from the centre without the help of what is remembered. */
  #startFar({ lat, lon }: Centre): void {
    if (this.#among !== null) this.#outward.startAmong(this.#among(), lat, lon)
    else this.#outward.start(this.#fleet.gazetteer.pyramid.root, lat, lon)
  }

  #nearestTo(hint: GeoHint, centre: Centre): readonly Step[] {
    const { pyramid, version } = this.#fleet.gazetteer
    const known = this.#nearOf.get(hint)
    if (known !== undefined && known.version === version) return known.steps
    const steps: Step[] = []
    this.#outward.start(pyramid.root, centre.lat, centre.lon)
    while (steps.length < NEAR) {
      const place = this.#outward.next(EVERYWHERE)
      if (place === null) break
      steps.push(placeStep(place, this.#outward.distanceKm))
    }
    this.#nearOf.set(hint, { version, steps })
    return steps
  }

  #outwardStep(hint: GeoHint): Step | null {
    while (this.#nearAt < this.#near.length) {
      const step = this.#near[this.#nearAt++]
      if (this.#nearAt === this.#near.length && hint.centre !== null) this.#startFar(hint.centre)
      if (this.#isWanted(hint, step.place as Place, step.distanceKm as number)) return step
    }
    for (;;) {
      const place = this.#outward.next(this.#dead)
      if (place === null) return null
      const distanceKm = this.#outward.distanceKm
      if (distanceKm > hint.radiusKm + PLACE_RADIUS_KM) return null
      if (this.#near.some((step) => step.place === place)) continue
      if (this.#isWanted(hint, place, distanceKm)) return placeStep(place, distanceKm)
    }
  }

  /** Whether a step outward may be taken: somebody is up, nobody is vetoed, no wish has covered it. */
  #isWanted(hint: GeoHint, place: Place, distanceKm: number): boolean {
    if (place.up === 0 || distanceKm > hint.radiusKm + PLACE_RADIUS_KM) return false
    if (this.#isDead(place)) return false
    if (hint.never.includes(place.country)) return false
    return !hint.wishes.some((wish) => wish.kind !== 'point' && fulfils(wish, place))
  }

  #isDead({ cell }: Place): boolean {
    if (this.#dead === null || cell === null || cell.parent === null) return false
    return ((this.#dead.get(cell.parent) ?? 0) & bitOf(cell)) !== 0
  }

  /** Agents at no place: after every other. */
  #nowhere(): Step | null {
    const range = this.#fleet.ranges.get(NO_COUNTRY)
    if (range === undefined) return null
    const place = this.#fleet.gazetteer.nowhere
    return place === undefined ? null : placeStep(place, null)
  }

  #anywhere(hint: GeoHint | null): Step {
    const never = hint?.never ?? []
    return this.#wholeStep('anywhere', null, never, 0, NO_COUNTRY + 1)
  }

  #wished(wish: Exclude<GeoWish, { kind: 'point' }>, hint: GeoHint): Step {
    switch (wish.kind) {
      case 'country':
        return this.#country(wish.country)
      case 'continent': {
        const [from, to] = continentRange(wish.continent) ?? [0, 0]
        return this.#wholeStep(wish.continent, 0, hint.never, from, to)
      }
      case 'region':
        return this.#region(wish.region)
      default:
        return wish satisfies never
    }
  }

  #country(country: number): Step {
    this.#forgetIfOpened()
    const byCountry = this.#byCountry
    while (byCountry.length <= country) byCountry.push(undefined)
    return (byCountry[country] ??= this.#wholeStep(labelOf(country), 0, [], country, country + 1))
  }

  #forgetIfOpened(): void {
    const { length } = this.#fleet.ranges.countries
    if (length === this.#countries) return
    this.#countries = length
    this.#whole.clear()
    this.#byCountry.length = 0
  }

  /** Whole countries with indexes in [from, to), the vetoed left out. Without vetoes it is kept for the next walk. */
  #wholeStep(
    label: string,
    distanceKm: number | null,
    never: readonly number[],
    from: number,
    to: number,
  ): Step {
    this.#forgetIfOpened()
    const open = this.#fleet.ranges.countries
    const known = never.length === 0 ? this.#whole.get(label) : undefined
    if (known !== undefined) return known
    const countries = open.filter(
      (country) => country >= from && country < to && !never.includes(country),
    )
    const step = {
      label,
      distanceKm,
      place: null,
      whole: true,
      everything: countries.length === open.length,
      countries,
      starts: countries.map(() => 0),
      ends: countries.map(() => TO_THE_END),
    }
    if (never.length === 0) this.#whole.set(label, step)
    return step
  }

  #region(region: string): Step {
    const spans: [country: number, start: number, end: number][] = []
    for (const place of this.#fleet.gazetteer.ofRegion(region)) {
      place.starts.forEach((start, i) => spans.push([place.country, start, place.ends[i]]))
    }
    spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])
    return {
      label: region,
      distanceKm: 0,
      place: null,
      whole: false,
      everything: false,
      countries: spans.map((span) => span[0]),
      starts: spans.map((span) => span[1]),
      ends: spans.map((span) => span[2]),
    }
  }
}

/** A country's code; `country:NA` where that code is a continent's too. */
function labelOf(country: number): string {
  const code = countryCodes[country]
  return isContinent(code) ? `country:${code}` : code
}

function placeStep(place: Place, distanceKm: number | null): Step {
  return {
    label: null,
    distanceKm,
    place,
    whole: false,
    everything: false,
    countries: place.countries,
    starts: place.starts,
    ends: place.ends,
  }
}

/** `DE`, `anywhere`; of a place `AT/Vienna`, after the first of its agents that names its city, else `AT/48.2,16.4`. */
export function nameOf(fleet: Fleet, step: Step): string {
  const place = step.place
  if (place === null) return step.label ?? ''
  if (place.cell === null) return 'nowhere'
  place.name ??= nameOfPlace(fleet, place)
  return place.name
}

function nameOfPlace(fleet: Fleet, place: Place): string {
  const country = place.country === NO_COUNTRY ? '' : `${countryCodes[place.country]}/`
  const range = fleet.ranges.open(place.country)
  for (let i = 0; i < place.starts.length; i++) {
    for (let local = place.starts[i]; local < place.ends[i]; local++) {
      const agent = range.agentAt(local)
      const city = agent === -1 ? undefined : fleet.agents.restOf(agent)?.city
      if (city !== undefined) return country + city
    }
  }
  return `${country}${place.lat},${place.lon}`
}
