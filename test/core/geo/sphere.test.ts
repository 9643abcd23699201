import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  boxDistanceKmFrom,
  chord2,
  distanceKm,
  EARTH_RADIUS_KM,
  MAX_DISTANCE_KM,
  unitDistanceKm,
} from '../../../packages/core/src/geo/sphere.ts'

const RADIANS = Math.PI / 180

/** The unit vector of a place, degrees. */
const unit = (lat: number, lon: number): readonly [x: number, y: number, z: number] => {
  const [phi, lambda] = [lat * RADIANS, lon * RADIANS]
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)]
}

/** The box's distance from a place whose sine and cosine are not known yet. */
const boxDistanceKm = (
  lat: number,
  lon: number,
  ...box: readonly [number, number, number, number]
) => boxDistanceKmFrom(lat, lon, Math.sin(lat * RADIANS), Math.cos(lat * RADIANS), ...box)

const edge = (value: number) => fc.constantFrom(-value, value, 0, value - 1e-9, 1e-9 - value)
const latitude = fc.oneof(fc.double({ min: -90, max: 90, noNaN: true }), edge(90))
const longitude = fc.oneof(fc.double({ min: -180, max: 180, noNaN: true }), edge(180))
const share = fc.double({ min: 0, max: 1, noNaN: true })

/** A box, and a place inside it. */
const boxed = fc
  .tuple(latitude, latitude, longitude, longitude, share, share)
  .map(([lat1, lat2, lon1, lon2, up, right]) => {
    const [south, north] = lat1 < lat2 ? [lat1, lat2] : [lat2, lat1]
    const [west, east] = lon1 < lon2 ? [lon1, lon2] : [lon2, lon1]
    const lat = Math.min(north, Math.max(south, south + up * (north - south)))
    const lon = Math.min(east, Math.max(west, west + right * (east - west)))
    return { south, west, north, east, lat, lon }
  })

describe('distances on the sphere', () => {
  it.each([
    ['Berlin to Vienna', 52.52, 13.405, 48.2082, 16.3738, 523.546],
    ['Sydney to Santiago, over the date line', -33.8688, 151.2093, -33.4489, -70.6693, 11_346.731],
    ['Suva to Apia, over the date line', -18.1416, 178.4419, -13.8333, -171.7667, 1150.704],
    ['Longyearbyen to Utqiagvik, over the pole', 78.2232, 15.6267, 71.2906, -156.7886, 3382.715],
  ])('%s is what the haversine formula gives', (_, lat1, lon1, lat2, lon2, km) => {
    expect(distanceKm(lat1, lon1, lat2, lon2)).toBeCloseTo(km, 2)
  })

  it('is exact at the poles, the date line and the antipodes', () => {
    expect(distanceKm(90, 0, 90, 123)).toBeCloseTo(0, 9)
    expect(distanceKm(90, 77, -90, -12)).toBeCloseTo(MAX_DISTANCE_KM, 6)
    expect(distanceKm(12, 180, 12, -180)).toBeCloseTo(0, 9)
    expect(distanceKm(35.5, 20, -35.5, -160)).toBeCloseTo(MAX_DISTANCE_KM, 6)
    expect(distanceKm(0, 0, 0, 90)).toBeCloseTo(MAX_DISTANCE_KM / 2, 9)
  })

  it('tells points a metre apart, near and next to the antipode', () => {
    const metre = 0.001 / ((Math.PI / 180) * EARTH_RADIUS_KM)
    expect(distanceKm(50, 8, 50 + metre, 8)).toBeCloseTo(0.001, 8)
    expect(MAX_DISTANCE_KM - distanceKm(50, 8, -50 + metre, -172)).toBeCloseTo(0.001, 8)
  })

  it('agrees with itself on unit vectors, is symmetric and obeys the triangle', () => {
    fc.assert(
      fc.property(latitude, longitude, latitude, longitude, latitude, longitude, (...p) => {
        const [a, b, c, d, e, f] = p
        const km = distanceKm(a, b, c, d)
        const [x, y] = [unit(a, b), unit(c, d)]
        expect(unitDistanceKm(...x, ...y)).toBeCloseTo(km, 6)
        const halfChord = Math.min(1, Math.sqrt(chord2(...x, ...y)) / 2)
        expect(2 * EARTH_RADIUS_KM * Math.asin(halfChord)).toBeCloseTo(km, 2)
        expect(distanceKm(c, d, a, b)).toBeCloseTo(km, 6)
        expect(km).toBeLessThanOrEqual(distanceKm(a, b, e, f) + distanceKm(e, f, c, d) + 1e-6)
      }),
    )
  })
})

describe('the distance to a box', () => {
  it('never exceeds the distance to a place inside', () => {
    fc.assert(
      fc.property(latitude, longitude, boxed, (lat, lon, box) => {
        const least = boxDistanceKm(lat, lon, box.south, box.west, box.north, box.east)
        expect(least).toBeGreaterThanOrEqual(0)
        expect(least).toBeLessThanOrEqual(distanceKm(lat, lon, box.lat, box.lon))
      }),
      { numRuns: 5000 },
    )
  })

  it('is the distance to the nearest place inside', () => {
    const degree = fc.integer({ min: -90, max: 90 })
    fc.assert(
      fc.property(degree, longitude, boxed, (lat, lon, box) => {
        let nearest = Infinity
        for (let up = 0; up <= 400; up++) {
          for (const at of [box.west, box.east, Math.min(box.east, Math.max(box.west, lon))]) {
            const inside = Math.min(box.north, box.south + (up / 400) * (box.north - box.south))
            nearest = Math.min(nearest, distanceKm(lat, lon, inside, at))
          }
        }
        const least = boxDistanceKm(lat, lon, box.south, box.west, box.north, box.east)
        expect(nearest - least).toBeLessThan(30)
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    ['inside', 10, 10, 5, 5, 15, 15, 0],
    ['south of it', 0, 10, 5, 5, 15, 15, distanceKm(0, 10, 5, 10)],
    ['across the date line', 0, 179, -5, -179, 5, -170, distanceKm(0, 179, 0, -179)],
    ['on the same meridian, named 180 and -180', 0, 180, -5, -180, 5, -170, 0],
    ['over the pole', 80, 0, 70, 175, 85, 180, distanceKm(80, 0, 85, 175)],
    ['from the pole', 90, 0, 10, 20, 60, 30, distanceKm(90, 0, 60, 25)],
    ['the nearest point of an edge lies north of both', 60, 0, 50, 80, 89, 90, null],
    ['a box that is one place', 50, 8, 48, 16, 48, 16, distanceKm(50, 8, 48, 16)],
    ['the antipode', 30, 10, -30, -170, -30, -170, MAX_DISTANCE_KM],
    ['the whole earth', 12, 34, -90, -180, 90, 180, 0],
  ])('%s', (_, lat, lon, south, west, north, east, km) => {
    const least = boxDistanceKm(lat, lon, south, west, north, east)
    if (km !== null) expect(least).toBeCloseTo(km, 6)
    else expect(least).toBeLessThan(distanceKm(lat, lon, 60, 80) - 100)
  })
})
