import { OstlerError, shown } from '../errors.ts'
import { continentRange, countryCodes, regionCentre, type Place } from './places.ts'
import { MAX_DISTANCE_KM } from './sphere.ts'
import {
  centreOfWish,
  nameOf,
  NUMBER,
  parsePoint,
  parseVeto,
  parseWish,
  rounded,
  type GeoWish,
  type Refuse,
  type Veto,
} from './wish.ts'

export type { GeoWish } from './wish.ts'

/** What a caller wishes of an agent's place. Countries are indexes of `countryCodes`. */
export interface GeoHint {
  /** The canonical form: `parseGeo(hint.text)` equals the hint. */
  readonly text: string
  /** In order of preference; empty when there are only vetoes. */
  readonly wishes: readonly GeoWish[]
  /** Countries that are never used, ascending. Vetoes hold in soft hints too. */
  readonly never: readonly number[]
  /** Only agents that fulfil a wish; any agent fulfils a point, within the radius. */
  readonly strict: boolean
  /**
   * No farther than this from `centre`; Infinity without. Holds together with the wish:
   * `DE;radius=300` stays in DE.
   */
  readonly radiusKm: number
  /**
   * Where the walk goes outward from: the point, or the first wish's centre; null when there are
   * only vetoes.
   */
  readonly centre: Place | null
}

/** The forms, as error messages name them. */
const GEO_FORMS: string =
  'DE, DE,AT (in order of preference), US-CA, 48.21,16.37 (latitude,longitude), ' +
  'EU (continents: AF AN AS EU NA OC SA; country:NA is Namibia), -GB (never), ' +
  'and the suffixes ;strict and ;radius=500 (km)'

const MOST_CHARACTERS = 256
const MOST_ITEMS = 32

const RADIUS = /^radius *= *(\d+(?:\.\d+)?)$/i

interface Suffixes {
  readonly strict: boolean
  readonly radiusKm: number
}

/**
 * Reads a geo hint (header `X-Geo`, option `geo`): {@link GEO_FORMS}.
 *
 * Items are separated by commas and stand in order of preference; letters may be of either case,
 * spaces around items do not count. A point stands alone but for vetoes. `AF AS NA SA` are
 * continents; the countries of these codes are written `country:AF` (Afghanistan), `country:AS`
 * (American Samoa), `country:NA` (Namibia) and `country:SA` (Saudi Arabia). A veto takes what a
 * wish takes, a point and a region aside: `EU,-GB`, `-country:NA`. A radius needs one point,
 * country or region (AU, CA, DE, US) to be measured from, and makes the hint strict.
 * @throws OstlerError INVALID_GEO names the text, what is wrong with it and the forms. O(items).
 */
export function parseGeo(text: string): GeoHint {
  const refuse: Refuse = (problem) => {
    throw new OstlerError('INVALID_GEO', `geo ${shown(text)}: ${problem}. Forms: ${GEO_FORMS}`)
  }
  if (typeof text !== 'string') refuse('must be a string')
  if (text.length > MOST_CHARACTERS) {
    refuse(`must have at most ${MOST_CHARACTERS} characters, has ${text.length}`)
  }
  const [list, ...suffixes] = text.split(';').map((part) => part.trim())
  if (list === '') refuse('is empty')
  const items = list.split(',').map((item) => item.trim())
  if (items.length > MOST_ITEMS) {
    refuse(`must have at most ${MOST_ITEMS} items, has ${items.length}`)
  }

  const wishes = new Map<string, GeoWish>()
  const vetoes = new Map<string, Veto>()
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    if (NUMBER.test(item)) {
      const point = parsePoint(item, items[++i], refuse)
      wishes.set(nameOf(point), point)
    } else if (item.startsWith('-')) {
      const veto = parseVeto(item, refuse)
      vetoes.set(veto.text, veto)
    } else {
      const wish = parseWish(item, refuse)
      wishes.set(nameOf(wish), wish)
    }
  }
  const never = new Set([...vetoes.values()].flatMap((veto) => veto.countries))
  checkTogether([...wishes.values()], never, refuse)
  return build(wishes, vetoes, never, parseSuffixes(suffixes, [...wishes.values()], refuse))
}

function build(
  wishes: ReadonlyMap<string, GeoWish>,
  vetoes: ReadonlyMap<string, Veto>,
  never: ReadonlySet<number>,
  { strict, radiusKm }: Suffixes,
): GeoHint {
  const suffix = radiusKm < Infinity ? `;radius=${radiusKm}` : strict ? ';strict' : ''
  const [first] = wishes.values()
  return Object.freeze({
    text: [...wishes.keys(), ...vetoes.keys()].join(',') + suffix,
    wishes: Object.freeze([...wishes.values()].map((wish) => Object.freeze(wish))),
    never: Object.freeze([...never].sort((a, b) => a - b)),
    strict,
    radiusKm,
    centre: first === undefined ? null : centreOfWish(first),
  })
}

function parseSuffixes(
  suffixes: readonly string[],
  wishes: readonly GeoWish[],
  refuse: Refuse,
): Suffixes {
  let strict = false
  let radiusKm = Infinity
  for (const suffix of suffixes) {
    const radius = RADIUS.exec(suffix)
    if (radius !== null && radiusKm === Infinity) radiusKm = parseRadius(radius[1], refuse)
    else if (suffix.toLowerCase() === 'strict' && !strict) strict = true
    else refuse(`the suffix ${shown(suffix)} is unknown, or there twice`)
  }
  const [wish] = wishes
  if (radiusKm < Infinity) {
    if (wishes.length !== 1 || wish.kind === 'continent') {
      refuse('a radius needs one point, country or region')
    }
    if (wish.kind === 'region' && regionCentre(wish.region) === undefined) {
      refuse(`a radius needs a centre, and that of ${wish.region} is not known; give a point`)
    }
    return { strict: true, radiusKm }
  }
  if (strict && wish === undefined) refuse('strict needs a wish; a veto alone is strict already')
  if (strict && wish.kind === 'point') refuse('a strict point needs a radius')
  return { strict, radiusKm }
}

function parseRadius(digits: string, refuse: Refuse): number {
  const km = rounded(Number(digits), 1e3)
  const most = Math.ceil(MAX_DISTANCE_KM)
  if (km > 0 && km <= most) return km
  return refuse(`radius must be from 0.001 to ${most} km, got ${digits}`)
}

/** A point stands alone, and no veto leaves a wish without an agent. */
function checkTogether(
  wishes: readonly GeoWish[],
  never: ReadonlySet<number>,
  refuse: Refuse,
): void {
  for (const wish of wishes) {
    switch (wish.kind) {
      case 'point':
        if (wishes.length > 1) refuse('a point stands alone; only vetoes and suffixes go with it')
        break
      case 'country':
      case 'region':
        if (never.has(wish.country)) {
          refuse(`wishes ${nameOf(wish)} and vetoes ${countryCodes[wish.country]}`)
        }
        break
      case 'continent': {
        const [start, end] = continentRange(wish.continent)!
        let next = start
        while (next < end && never.has(next)) next++
        if (next === end) refuse(`wishes ${wish.continent} and vetoes every country of it`)
        break
      }
      default:
        wish satisfies never
    }
  }
  if (never.size === countryCodes.length) refuse('vetoes every country')
}
