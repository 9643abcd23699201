import { shown } from '../errors.ts'
import {
  centreOf,
  continentCentre,
  continentRange,
  countryCodes,
  countryIndex,
  isContinent,
  NO_COUNTRY,
  regionCentre,
  type Place,
} from './places.ts'

/** One place that the caller would like. */
export type GeoWish =
  | { readonly kind: 'country'; readonly country: number }
  | { readonly kind: 'region'; readonly country: number; readonly region: string }
  | { readonly kind: 'continent'; readonly continent: string }
  | { readonly kind: 'point'; readonly lat: number; readonly lon: number }

/** A country, or all of a continent, that is never used. */
export interface Veto {
  readonly text: string
  readonly countries: readonly number[]
}

/** Throws the error of the hint that is being read. */
export type Refuse = (problem: string) => never

const COUNTRY = /^[A-Za-z]{2}$/
const COUNTRY_ONLY = /^country: *([A-Za-z]{2})$/i
const REGION = /^([A-Za-z]{2})-([A-Za-z0-9]{1,3})$/
export const NUMBER: RegExp = /^-?\d+(\.\d+)?$/

// What people write for countries whose ISO code is another.
const MEANT: Readonly<Record<string, string>> = { UK: 'GB', EL: 'GR' }

/** Reads one item: a country, region or continent. */
export function parseWish(item: string, refuse: Refuse): GeoWish {
  if (item === '') refuse('has an empty item')
  const code = item.toUpperCase()
  if (COUNTRY.test(item) && isContinent(code)) return { kind: 'continent', continent: code }
  if (COUNTRY.test(item)) return { kind: 'country', country: parseCountry(code, refuse) }
  const only = COUNTRY_ONLY.exec(item)
  if (only !== null) {
    return { kind: 'country', country: parseCountry(only[1].toUpperCase(), refuse) }
  }
  const region = REGION.exec(item)
  if (region !== null) {
    const country = parseCountry(region[1].toUpperCase(), refuse)
    return { kind: 'region', country, region: code }
  }
  return refuse(`${shown(item)} is no country, region, continent or coordinate`)
}

function parseCountry(code: string, refuse: Refuse): number {
  const index = countryIndex(code)
  if (index !== NO_COUNTRY) return index
  const meant = MEANT[code]
  return refuse(`${code} is no ISO 3166-1 country${meant === undefined ? '' : `, use ${meant}`}`)
}

/** Reads `-GB` or `-EU`. */
export function parseVeto(item: string, refuse: Refuse): Veto {
  const wish = parseWish(item.slice(1).trim(), refuse)
  const text = `-${nameOf(wish)}`
  switch (wish.kind) {
    case 'country':
      return { text, countries: [wish.country] }
    case 'continent': {
      const [start, end] = continentRange(wish.continent)!
      return { text, countries: Array.from({ length: end - start }, (_, i) => start + i) }
    }
    case 'region':
    case 'point':
      return refuse(`${text} vetoes a ${wish.kind}; only countries and continents can be vetoed`)
    default:
      return wish satisfies never
  }
}

/** Reads a latitude and the item after it. */
export function parsePoint(first: string, second: string | undefined, refuse: Refuse): GeoWish {
  if (second === undefined || !NUMBER.test(second)) {
    refuse(
      `${first} needs a longitude after it, got ${second === undefined ? 'none' : shown(second)}`,
    )
  }
  const lat = Number(first)
  const lon = Number(second)
  if (lat < -90 || lat > 90) refuse(`latitude must be from -90 to 90, got ${first}`)
  if (lon < -180 || lon > 180) refuse(`longitude must be from -180 to 180, got ${second}`)
  return { kind: 'point', lat: rounded(lat, 1e6), lon: rounded(lon, 1e6) }
}

/** A wish as the canonical text has it. */
export function nameOf(wish: GeoWish): string {
  switch (wish.kind) {
    case 'country': {
      const code = countryCodes[wish.country]
      return isContinent(code) ? `country:${code}` : code
    }
    case 'region':
      return wish.region
    case 'continent':
      return wish.continent
    case 'point':
      return `${wish.lat},${wish.lon}`
    default:
      return wish satisfies never
  }
}

/** Where a wish is measured from: its point, or the centre of its region, country or continent. */
export function centreOfWish(wish: GeoWish): Place {
  switch (wish.kind) {
    case 'country':
      return centreOf(wish.country)!
    case 'region':
      return regionCentre(wish.region) ?? centreOf(wish.country)!
    case 'continent':
      return continentCentre(wish.continent)!
    case 'point':
      return Object.freeze({ lat: wish.lat, lon: wish.lon })
    default:
      return wish satisfies never
  }
}

/** To a whole number of parts; `+ 0` makes -0 into 0. Six decimals never print with an exponent. */
export function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts + 0
}
