import { describe, expect, it } from 'vitest'
import { CONTINENT_ROWS, COUNTRY_ROWS } from '../../../packages/core/src/geo/places.data.ts'
import {
  centreOf,
  continentCentre,
  continentCodes,
  continentRange,
  countryCodes,
  countryIndex,
  isContinent,
  isCountry,
  NO_COUNTRY,
  regionCentre,
} from '../../../packages/core/src/geo/places.ts'
import { distanceKm } from '../../../packages/core/src/geo/sphere.ts'

const continentOf = (code: string) =>
  continentCodes.find((continent) => {
    const [start, end] = continentRange(continent)!
    return countryIndex(code) >= start && countryIndex(code) < end
  })

describe('the table of countries', () => {
  it('has the 249 of ISO 3166-1 and Kosovo, each once', () => {
    expect(countryCodes).toHaveLength(250)
    expect(new Set(countryCodes).size).toBe(250)
    for (const code of countryCodes) expect(code).toMatch(/^[A-Z]{2}$/)
  })

  it('fits a byte and leaves 255 free', () => {
    expect(countryCodes.length).toBeLessThanOrEqual(NO_COUNTRY)
    expect(countryIndex('ZZ')).toBe(NO_COUNTRY)
    expect(countryIndex('de')).toBe(NO_COUNTRY)
    expect(centreOf(NO_COUNTRY)).toBeUndefined()
    expect(centreOf('UK')).toBeUndefined()
  })

  it('gives each code its own index', () => {
    countryCodes.forEach((code, index) => expect(countryIndex(code)).toBe(index))
  })

  it('keeps every continent in one range, and the ranges cover all', () => {
    let next = 0
    for (const continent of continentCodes) {
      const [start, end] = continentRange(continent)!
      expect(start).toBe(next)
      for (let i = start; i < end; i++) expect(COUNTRY_ROWS[i].slice(0, 2)).toBe(continent)
      expect(countryCodes.slice(start, end).sort()).toEqual(countryCodes.slice(start, end))
      next = end
    }
    expect(next).toBe(countryCodes.length)
    expect(continentRange('XX')).toBeUndefined()
  })

  it('counts the countries of each continent as GeoNames does', () => {
    const counts = continentCodes.map((code) => continentRange(code)![1] - continentRange(code)![0])
    expect(continentCodes).toEqual(['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA'])
    expect(counts).toEqual([58, 5, 52, 53, 41, 27, 14])
  })

  it.each([
    ['DE', 'EU', 51, 10],
    ['AT', 'EU', 47.8, 15],
    ['GB', 'EU', 52.7, -1.6],
    ['RU', 'EU', 56.5, 52],
    ['CY', 'EU', 35, 33.2],
    ['XK', 'EU', 42.6, 21],
    ['TR', 'AS', 39.5, 32],
    ['KZ', 'AS', 47, 70],
    ['GE', 'AS', 42, 44],
    ['AM', 'AS', 40.3, 44.5],
    ['AZ', 'AS', 40.4, 49],
    ['JP', 'AS', 35.7, 137],
    ['US', 'NA', 38.5, -92],
    ['BR', 'SA', -18, -46],
    ['NA', 'AF', -21, 17],
    ['AS', 'OC', -14.3, -170.7],
    ['FJ', 'OC', -17.9, 178.1],
    ['NZ', 'OC', -40, 174.5],
    ['TL', 'OC', -8.7, 125.8],
    ['BV', 'AN', -54.4, 3.4],
    ['IO', 'AS', -7.3, 72.4],
  ])('%s lies in %s, about %f, %f', (code, continent, lat, lon) => {
    expect(continentOf(code)).toBe(continent)
    const centre = centreOf(code)!
    expect(distanceKm(lat, lon, centre.lat, centre.lon)).toBeLessThan(150)
    expect(centreOf(countryIndex(code))).toBe(centre)
  })

  it('puts every country and continent on the earth, to two decimals', () => {
    for (const row of [...COUNTRY_ROWS.map((line) => line.slice(3)), ...CONTINENT_ROWS]) {
      expect(row).toMatch(/^[A-Z]{2} -?\d{1,2}(\.\d{1,2})? -?\d{1,3}(\.\d{1,2})?$/)
      const [, lat, lon] = row.split(' ').map(Number)
      expect(Math.abs(lat)).toBeLessThanOrEqual(90)
      expect(Math.abs(lon)).toBeLessThanOrEqual(180)
    }
  })

  it('knows the regions of four countries', () => {
    expect(
      distanceKm(35.4, -119.3, regionCentre('US-CA')!.lat, regionCentre('US-CA')!.lon),
    ).toBeLessThan(50)
    expect(
      distanceKm(48.5, 11.6, regionCentre('DE-BY')!.lat, regionCentre('DE-BY')!.lon),
    ).toBeLessThan(50)
    expect(
      distanceKm(43.8, -79.8, regionCentre('CA-ON')!.lat, regionCentre('CA-ON')!.lon),
    ).toBeLessThan(100)
    expect(
      distanceKm(-33.6, 151, regionCentre('AU-NSW')!.lat, regionCentre('AU-NSW')!.lon),
    ).toBeLessThan(50)
    expect(regionCentre('FR-75')).toBeUndefined()
  })

  it('tells continents from countries; four codes are both', () => {
    const both = continentCodes.filter(isCountry)
    expect(both).toEqual(['AF', 'AS', 'NA', 'SA'])
    expect(isContinent('DE')).toBe(false)
    expect(isCountry('EU')).toBe(false)
    expect(continentCentre('EU')!.lat).toBeCloseTo(51, 0)
    expect(continentCentre('DE')).toBeUndefined()
  })

  it('cannot be changed by its users', () => {
    expect(Object.isFrozen(countryCodes)).toBe(true)
    expect(Object.isFrozen(centreOf('DE'))).toBe(true)
    expect(Object.isFrozen(continentRange('EU'))).toBe(true)
  })
})
