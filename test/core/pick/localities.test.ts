import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { distanceKm } from '../../../packages/core/src/geo/sphere.ts'
import type { Fleet } from '../../../packages/core/src/pick/fleet.ts'
import {
  bitOf,
  EVERYWHERE,
  Outward,
  type Cell,
  type DeadKids,
  type Place,
} from '../../../packages/core/src/pick/localities.ts'
import { applyTo, churn, fleetOf, numbersOf, put } from './rig.ts'

const lat = fc.oneof(fc.integer({ min: -900, max: 900 }), fc.constantFrom(-900, -899, 899, 900))
const lon = fc.oneof(
  fc.integer({ min: -1800, max: 1800 }),
  // The date line and the first meridian, from both sides.
  fc.constantFrom(-1800, -1799, 1799, 1800, 0, -1, 1),
)
const point = fc.tuple(lat, lon).map(([lat, lon]) => ({ lat: lat / 10, lon: lon / 10 }))
const country = fc.constantFrom(undefined, 'DE', 'FJ', 'US')

function placesOf(fleet: Fleet): Place[] {
  return [...new Set(numbersOf(fleet).map((agent) => fleet.placeOf(agent)))]
}

function walked(fleet: Fleet, at: { lat: number; lon: number }, dead: DeadKids | null) {
  const outward = new Outward()
  outward.start(fleet.gazetteer.pyramid.root, at.lat, at.lon)
  const seen: { place: Place; km: number }[] = []
  for (let place = outward.next(dead); place !== null; place = outward.next(dead)) {
    seen.push({ place, km: outward.distanceKm })
  }
  return seen
}

/** By distance, then country, latitude, longitude and region: nothing but arithmetic. */
function sortedFrom(places: readonly Place[], at: { lat: number; lon: number }) {
  return places
    .map((place) => ({ place, km: distanceKm(at.lat, at.lon, place.lat, place.lon) }))
    .sort(
      (a, b) =>
        a.km - b.km ||
        a.place.country - b.place.country ||
        a.place.lat - b.place.lat ||
        a.place.lon - b.place.lon ||
        ((a.place.region ?? '') < (b.place.region ?? '') ? -1 : 1),
    )
}

const spots = fc.array(fc.tuple(point, country), { minLength: 1, maxLength: 60 })

function fleetAt(
  spots: readonly (readonly [{ lat: number; lon: number }, string | undefined])[],
): Fleet {
  return fleetOf(
    spots.map(([at, country], i) => ({
      id: `a${i}`,
      ...at,
      ...(country !== undefined && { country }),
    })),
  )
}

describe('the walk outward', () => {
  test('gives all places by true distance, over the date line and the poles, ties in one order', () => {
    fc.assert(
      fc.property(spots, point, (spots, at) => {
        const fleet = fleetAt(spots)
        expect(walked(fleet, at, null)).toEqual(sortedFrom(placesOf(fleet), at))
      }),
      { numRuns: 500 },
    )
  })

  test('is right from between the tenths of a degree as well', () => {
    const anywhere = fc.record({
      lat: fc.double({ min: -90, max: 90, noNaN: true }),
      lon: fc.double({ min: -180, max: 180, noNaN: true }),
    })
    fc.assert(
      fc.property(spots, anywhere, (spots, at) => {
        const fleet = fleetAt(spots)
        const km = walked(fleet, at, null).map((step) => step.km)
        expect(km).toEqual(sortedFrom(placesOf(fleet), at).map((step) => step.km))
      }),
      { numRuns: 300 },
    )
  })

  test('takes both spellings of the date line for one', () => {
    const fleet = fleetOf([
      { id: 'east', lat: -17, lon: 180 },
      { id: 'west', lat: -17, lon: -180 },
      { id: 'near', lat: -17, lon: -179.9 },
    ])
    expect(fleet.placeOf(fleet.find('east'))).toBe(fleet.placeOf(fleet.find('west')))
    const [first, second] = walked(fleet, { lat: -17, lon: 179.5 }, null)
    expect(first.km).toBeCloseTo(53.2, 0)
    expect(second.km).toBeGreaterThan(first.km)
  })

  test('passes over squares where nobody is up, but not where it is told to look everywhere', () => {
    const fleet = fleetOf([
      { id: 'near', lat: 50, lon: 8 },
      { id: 'far', lat: 40, lon: 8 },
    ])
    put(fleet, { id: 'near', lat: 50, lon: 8, drained: true })
    expect(walked(fleet, { lat: 51, lon: 8 }, null).map(({ place }) => place.lat)).toEqual([40])
    expect(walked(fleet, { lat: 51, lon: 8 }, EVERYWHERE).map(({ place }) => place.lat)).toEqual([
      50, 40,
    ])
  })

  test('passes over the squares that are called dead, and all that is in them', () => {
    fc.assert(
      fc.property(spots, point, fc.nat(6), fc.nat(59), (spots, at, level, which) => {
        const fleet = fleetAt(spots)
        let cell = fleet.placeOf(which % spots.length).cell as Cell
        for (let i = 0; i < level && cell.parent !== null && cell.parent.parent !== null; i++)
          cell = cell.parent
        const alive = placesOf(fleet).filter((place) => !isIn(place.cell, cell))
        expect(walked(fleet, at, new Map([[cell.parent as Cell, bitOf(cell)]]))).toEqual(
          sortedFrom(alive, at),
        )
      }),
    )
  })

  test('gives only the places that it is started among', () => {
    const fleet = fleetOf([0, 1, 2, 3].map((i) => ({ id: `a${i}`, lat: i * 10, lon: 0 })))
    const some = [fleet.placeOf(3), fleet.placeOf(1)]
    const outward = new Outward()
    outward.startAmong(some, 0, 0)
    expect([outward.next(null), outward.next(null), outward.next(null)]).toEqual([
      some[1],
      some[0],
      null,
    ])
  })

  test('starts anew wherever it was left', () => {
    const fleet = fleetOf([0, 1, 2].map((i) => ({ id: `a${i}`, lat: i * 10, lon: 0 })))
    const outward = new Outward()
    outward.start(fleet.gazetteer.pyramid.root, 0, 0)
    outward.next(null)
    outward.start(fleet.gazetteer.pyramid.root, 90, 0)
    expect(outward.next(null)?.lat).toBe(20)
  })
})

function isIn(cell: Cell | null, square: Cell): boolean {
  for (let at = cell; at !== null; at = at.parent) if (at === square) return true
  return false
}

describe('the pyramid', () => {
  test('holds the squares above places with agents and no others, through any churn', () => {
    fc.assert(
      fc.property(fc.array(churn, { maxLength: 20 }), (changes) => {
        const fleet = fleetOf([])
        for (const change of changes) applyTo(fleet, change)
        const cells = new Set<Cell>()
        for (const { cell } of placesOf(fleet)) {
          for (let at = cell; at !== null; at = at.parent) cells.add(at)
        }
        expect(fleet.gazetteer.pyramid.size).toBe(cells.size)
        for (const cell of cells) {
          expect(cell.kids.every((kid) => kid.parent === cell && cells.has(kid))).toBe(true)
          expect(cell.places.every((place) => place.agents > 0 && place.cell === cell)).toBe(true)
        }
      }),
    )
  })
})
