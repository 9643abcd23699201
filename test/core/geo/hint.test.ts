import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OstlerError } from '../../../packages/core/src/errors.ts'
import { parseGeo, type GeoWish } from '../../../packages/core/src/geo/hint.ts'
import {
  centreOf,
  continentCentre,
  continentRange,
  countryCodes,
  countryIndex,
  isContinent,
  regionCentre,
} from '../../../packages/core/src/geo/places.ts'

const country = (code: string): GeoWish => ({ kind: 'country', country: countryIndex(code) })
const region = (code: string): GeoWish => ({
  kind: 'region',
  country: countryIndex(code.slice(0, 2)),
  region: code,
})
const continent = (code: string): GeoWish => ({ kind: 'continent', continent: code })
const point = (lat: number, lon: number): GeoWish => ({ kind: 'point', lat, lon })

function refusal(text: unknown): OstlerError {
  try {
    parseGeo(text as string)
  } catch (error) {
    expect(error).toBeInstanceOf(OstlerError)
    return error as OstlerError
  }
  throw new Error(`parseGeo(${JSON.stringify(text)}) did not throw`)
}

describe('a geo hint', () => {
  it.each<[string, string, GeoWish[]]>([
    ['DE', 'DE', [country('DE')]],
    [' de ', 'DE', [country('DE')]],
    ['DE,AT', 'DE,AT', [country('DE'), country('AT')]],
    ['at , de', 'AT,DE', [country('AT'), country('DE')]],
    ['DE,AT,DE', 'DE,AT', [country('DE'), country('AT')]],
    ['US-CA', 'US-CA', [region('US-CA')]],
    ['us-ca,us', 'US-CA,US', [region('US-CA'), country('US')]],
    ['FR-75', 'FR-75', [region('FR-75')]],
    ['EU', 'EU', [continent('EU')]],
    ['DE,EU,US', 'DE,EU,US', [country('DE'), continent('EU'), country('US')]],
    ['NA', 'NA', [continent('NA')]],
    ['country:NA', 'country:NA', [country('NA')]],
    ['Country: sa', 'country:SA', [country('SA')]],
    ['country:DE', 'DE', [country('DE')]],
    ['NA,country:NA', 'NA,country:NA', [continent('NA'), country('NA')]],
    ['48.21,16.37', '48.21,16.37', [point(48.21, 16.37)]],
    ['-33.87, 151.21', '-33.87,151.21', [point(-33.87, 151.21)]],
    ['-0.0,-180', '0,-180', [point(0, -180)]],
    ['0.00000001,1.23456789', '0,1.234568', [point(0, 1.234568)]],
    ['90,180', '90,180', [point(90, 180)]],
  ])('%s is read as %s', (text, canonical, wishes) => {
    const hint = parseGeo(text)
    expect(hint.text).toBe(canonical)
    expect(hint.wishes).toEqual(wishes)
    expect(hint).toMatchObject({ never: [], strict: false, radiusKm: Infinity })
  })

  it.each([
    ['DE,AT;strict', 'DE,AT;strict', true, Infinity],
    ['DE ; STRICT', 'DE;strict', true, Infinity],
    ['48.21,16.37;radius=500', '48.21,16.37;radius=500', true, 500],
    ['48.21,16.37 ; Radius = 0.5;strict', '48.21,16.37;radius=0.5', true, 0.5],
    ['DE;strict;radius=300', 'DE;radius=300', true, 300],
    ['US-CA;radius=100', 'US-CA;radius=100', true, 100],
    ['DE;radius=20016', 'DE;radius=20016', true, 20016],
    ['EU;strict,', null, false, 0],
  ])('%s has its suffixes', (text, canonical, strict, radiusKm) => {
    if (canonical === null) return void refusal(text)
    expect(parseGeo(text)).toMatchObject({ text: canonical, strict, radiusKm })
  })

  it.each([
    ['-GB', '-GB', 0, ['GB']],
    ['EU,-GB', 'EU,-GB', 1, ['GB']],
    ['-gb,EU,- fr', 'EU,-GB,-FR', 1, ['FR', 'GB']],
    ['-country:NA', '-country:NA', 0, ['NA']],
    ['48.21,16.37,-AT,-AT', '48.21,16.37,-AT', 1, ['AT']],
    ['-DE,-33.87,151.21', '-33.87,151.21,-DE', 1, ['DE']],
  ])('%s vetoes countries', (text, canonical, wishes, never) => {
    const hint = parseGeo(text)
    expect(hint.text).toBe(canonical)
    expect(hint.wishes).toHaveLength(wishes)
    expect(hint.never.map((index) => countryCodes[index]).sort()).toEqual(never)
  })

  it('vetoes every country of a continent', () => {
    const [start, end] = continentRange('NA')!
    const { never } = parseGeo('DE,-NA,-US')
    expect(never).toEqual(Array.from({ length: end - start }, (_, i) => start + i))
  })

  it('goes outward from the point or the first wish', () => {
    expect(parseGeo('48.21,16.37').centre).toEqual({ lat: 48.21, lon: 16.37 })
    expect(parseGeo('AT,DE').centre).toEqual(centreOf('AT'))
    expect(parseGeo('EU,DE').centre).toEqual(continentCentre('EU'))
    expect(parseGeo('US-CA').centre).toEqual(regionCentre('US-CA'))
    expect(parseGeo('FR-75').centre).toEqual(centreOf('FR'))
    expect(parseGeo('-GB').centre).toBeNull()
  })

  it('is frozen through and through', () => {
    const hint = parseGeo('48.21,16.37,-GB')
    for (const part of [hint, hint.wishes, hint.wishes[0], hint.never, hint.centre]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })
})

describe('a bad geo hint', () => {
  it.each<[unknown, RegExp]>([
    [undefined, /undefined: must be a string/],
    [null, /null: must be a string/],
    [48, /48: must be a string/],
    [['DE'], /an array of 1: must be a string/],
    ['', /is empty/],
    ['  ', /is empty/],
    [';strict', /is empty/],
    ['DE,', /empty item/],
    [',DE', /empty item/],
    ['-', /empty item/],
    ['XX', /XX is no ISO 3166-1 country/],
    ['UK', /UK is no ISO 3166-1 country, use GB/],
    ['XX-CA', /XX is no ISO 3166-1 country/],
    ['country:EU', /EU is no ISO 3166-1 country/],
    ['-ZZ', /ZZ is no ISO 3166-1 country/],
    ['DEU', /"DEU" is no country, region/],
    ['Germany', /"Germany" is no country/],
    ['US-CALI', /"US-CALI" is no country/],
    ['ß', /"ß" is no country/],
    ['ſe', /"ſe" is no country/],
    ['48.21', /48.21 needs a longitude after it, got none/],
    ['48.21,DE', /48.21 needs a longitude after it, got "DE"/],
    ['90.1,0', /latitude must be from -90 to 90, got 90.1/],
    ['0,-180.5', /longitude must be from -180 to 180, got -180.5/],
    ['1e2,0', /"1e2" is no country/],
    ['NaN,0', /"NaN" is no country/],
    ['+48,16', /"\+48" is no country/],
    ['48.21,16.37,DE', /a point stands alone/],
    ['1,2,3,4', /a point stands alone/],
    ['48.21,16.37;strict', /a strict point needs a radius/],
    ['-GB;strict', /strict needs a wish/],
    ['-GB;radius=10', /radius needs one point, country or region/],
    ['DE,AT;radius=10', /radius needs one point, country or region/],
    ['EU;radius=10', /radius needs one point, country or region/],
    ['FR-75;radius=10', /that of FR-75 is not known/],
    ['DE;radius=0', /radius must be from 0.001 to 20016 km, got 0/],
    ['DE;radius=20017', /got 20017/],
    ['DE;radius=-5', /suffix "radius=-5" is unknown/],
    ['DE;radius=5km', /suffix "radius=5km" is unknown/],
    ['DE;radius=5;radius=6', /suffix "radius=6" is unknown, or there twice/],
    ['DE;strict;strict', /suffix "strict" is unknown, or there twice/],
    ['DE;', /suffix "" is unknown/],
    ['DE;soft', /suffix "soft" is unknown/],
    ['DE,-DE', /wishes DE and vetoes DE/],
    ['US-CA,-US', /wishes US-CA and vetoes US/],
    ['DE,-EU', /wishes DE and vetoes DE/],
    ['EU,-EU', /wishes EU and vetoes every country/],
    ['AN,-AQ,-BV,-GS,-HM,-TF', /wishes AN and vetoes every country/],
    ['-AF,-AN,-AS,-EU,-NA,-OC,-SA', /vetoes every country/],
    ['-US-CA', /-US-CA vetoes a region/],
    [Array(33).fill('DE').join(','), /at most 32 items, has 33/],
    [`DE${' '.repeat(255)}`, /at most 256 characters, has 257/],
    ['DE AT', /"DE AT" is no country/],
    ['DE\u0000', /is no country/],
  ])('%j is refused with its reason and the forms', (text, message) => {
    const error = refusal(text)
    expect(error.code).toBe('INVALID_GEO')
    expect(error.message).toMatch(message)
    expect(error.message).toContain('48.21,16.37 (latitude,longitude)')
    expect(error.message.length).toBeLessThan(500)
  })

  it('is refused with INVALID_GEO or read, whatever it is', () => {
    const piece = fc.constantFrom('DE', 'NA', '-', ',', ';', 'strict', 'radius=', '1.5', 'country:')
    const text = fc.oneof(
      fc.array(piece).map((pieces) => pieces.join('')),
      fc.string(),
    )
    fc.assert(
      fc.property(text, (junk) => {
        try {
          const hint = parseGeo(junk)
          expect(parseGeo(hint.text)).toEqual(hint)
        } catch (error) {
          expect((error as OstlerError).code).toBe('INVALID_GEO')
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the canonical text', () => {
  const spelt = fc
    .constantFrom(...countryCodes)
    .map((code) => (isContinent(code) ? `country:${code}` : code))
  const wish = fc.oneof(spelt, fc.constantFrom('EU', 'NA', 'AS', 'US-CA', 'AU-NT', 'FR-IDF'))
  const places = fc.oneof(
    fc.array(wish, { minLength: 1, maxLength: 12 }).map((wishes) => wishes.join(', ')),
    fc
      .tuple(fc.integer({ min: -9e7, max: 9e7 }), fc.integer({ min: -18e7, max: 18e7 }))
      .map(([lat, lon]) => `${(lat / 1e6).toFixed(6)},${(lon / 1e6).toFixed(6)}`),
  )
  const suffix = fc.oneof(
    fc.constantFrom('', ';strict'),
    fc.integer({ min: 1, max: 2e7 }).map((metres) => `;radius=${(metres / 1000).toFixed(3)}`),
  )

  it('gives the same hint again, and is never longer than what was written', () => {
    let read = 0
    fc.assert(
      fc.property(places, fc.array(spelt, { maxLength: 4 }), suffix, (wishes, vetoes, end) => {
        const text = [wishes, ...vetoes.map((veto) => `-${veto}`)].join(',') + end
        try {
          const hint = parseGeo(text)
          read++
          expect(parseGeo(hint.text)).toEqual(hint)
          expect(hint.text.length).toBeLessThanOrEqual(text.length)
        } catch (error) {
          if (!(error instanceof OstlerError)) throw error
        }
      }),
      { numRuns: 2000 },
    )
    expect(read).toBeGreaterThan(500)
  })
})
