import { CONTINENT_ROWS, COUNTRY_ROWS, REGION_ROWS } from './places.data.ts'

/** Degrees: latitude -90 to 90, longitude -180 to 180. */
export interface Place {
  readonly lat: number
  readonly lon: number
}

/** The index of agents that have no country; fits a byte, as every country's index does. */
export const NO_COUNTRY = 255

const rows = COUNTRY_ROWS.map((row) => row.split(' '))

/** ISO 3166-1 alpha-2 codes (and XK) by index: sorted by continent, then code. */
export const countryCodes: readonly string[] = Object.freeze(rows.map((row) => row[1]))

const LETTERS = 26
const A = 65
/** By the two letters of a code: its index. Agents are asked for theirs by the million. */
const indexes = new Uint8Array(LETTERS * LETTERS).fill(NO_COUNTRY)
countryCodes.forEach((code, index) => {
  indexes[(code.charCodeAt(0) - A) * LETTERS + code.charCodeAt(1) - A] = index
})
const countryCentres = rows.map((row) => place(row[2], row[3]))
const continentCentres = new Map(pairs(CONTINENT_ROWS))
const regionCentres = new Map(pairs(REGION_ROWS))
const continentRanges = new Map(
  [...continentCentres.keys()].map((continent) => {
    const start = rows.findIndex((row) => row[0] === continent)
    const end = rows.findLastIndex((row) => row[0] === continent) + 1
    return [continent, Object.freeze([start, end] as const)]
  }),
)

/** `AF AN AS EU NA OC SA`. */
export const continentCodes: readonly string[] = Object.freeze([...continentCentres.keys()])

/**
 * The index of an upper-case country code, 0 to countryCodes.length - 1; {@link NO_COUNTRY} if
 * there is no such country.
 */
export function countryIndex(code: string): number {
  const first = code.charCodeAt(0) - A
  const second = code.charCodeAt(1) - A
  if (code.length !== 2 || first < 0 || second < 0 || second >= LETTERS) return NO_COUNTRY
  return first < LETTERS ? indexes[first * LETTERS + second] : NO_COUNTRY
}

/**
 * Whether an upper-case code is a country's. `AF`, `AS`, `NA` and `SA` are countries and
 * continents.
 */
export function isCountry(code: string): boolean {
  return countryIndex(code) !== NO_COUNTRY
}

/** Whether an upper-case code is a continent's. */
export function isContinent(code: string): boolean {
  return continentRanges.has(code)
}

/**
 * The population-weighted centre of a country, by code or index; undefined if there is no such
 * country.
 */
export function centreOf(country: string | number): Place | undefined {
  return countryCentres[typeof country === 'number' ? country : countryIndex(country)]
}

/**
 * Indexes `[start, end)` of the countries of a continent; undefined if there is no such continent.
 */
export function continentRange(
  continent: string,
): readonly [start: number, end: number] | undefined {
  return continentRanges.get(continent)
}

/** The population-weighted centre of a continent; undefined if there is no such continent. */
export function continentCentre(continent: string): Place | undefined {
  return continentCentres.get(continent)
}

/**
 * The population-weighted centre of an ISO 3166-2 region such as `US-CA`, where it is known: in
 * AU, CA, DE and US.
 */
export function regionCentre(region: string): Place | undefined {
  return regionCentres.get(region)
}

function place(lat: string, lon: string): Place {
  return Object.freeze({ lat: Number(lat), lon: Number(lon) })
}

function pairs(lines: readonly string[]): [string, Place][] {
  return lines.map((line) => {
    const [code, lat, lon] = line.split(' ')
    return [code, place(lat, lon)]
  })
}
