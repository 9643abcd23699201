import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CountryCounts } from '../../../packages/core/src/pick/country-counts.ts'
import { PositionSet } from '../../../packages/core/src/pick/excluded.ts'
import { CountedBits } from '../../../packages/core/src/pick/positions.ts'

const COUNTRY = 0x1000000
const LENGTH = 2000

/** A country at either end of the numbers, and two between: the sets of one must not meet another's. */
const country = fc.constantFrom(0, 1, 7, 250)
const change = fc.record({
  country,
  from: fc.nat(LENGTH - 1),
  // Runs, so that a country grows dense.
  run: fc.constantFrom(1, 1, 3, 300, 600),
  adds: fc.boolean(),
})

function countryOf(position: number): number {
  return Math.floor(position / COUNTRY)
}

function expectSame(set: PositionSet, naive: ReadonlySet<number>): void {
  const sorted = [...naive].sort((a, b) => a - b)
  expect(set.size).toBe(sorted.length)
  expect([...set.positions()].sort((a, b) => a - b)).toEqual(sorted)
  for (const country of [0, 1, 7, 250]) {
    const locals = sorted.filter((p) => countryOf(p) === country).map((p) => p % COUNTRY)
    expect(set.countIn(country)).toBe(locals.length)
    for (const [start, end] of [
      [0, COUNTRY],
      [0, 900],
      [900, 901],
      [1000, LENGTH],
    ]) {
      const naively = locals.filter((local) => local >= start && local < end).length
      expect(set.countBetween(country, start, end)).toBe(naively)
    }
    for (let k = 0; k < locals.length; k += 1 + (locals.length >> 4)) {
      expect(set.select(country, k)).toBe(locals[k])
      expect(set.has(country * COUNTRY + locals[k])).toBe(true)
    }
    expectSameOutside(set, country, locals)
  }
  expectSameCountries(set, sorted)
}

/** Two more are up in each of the countries than the set has there. */
function expectSameCountries(set: PositionSet, sorted: readonly number[]): void {
  const all = new CountryCounts()
  for (const position of sorted) all.add(countryOf(position), 1)
  const outside = [0, 1, 7, 8, 250].flatMap((country) => [country, country])
  for (const country of outside) all.add(country, 1)
  expect(outside.map((_, k) => set.countryOutside(all, k))).toEqual(outside)
  const rests = outside.map((_, k) => (set.countryOutside(all, k), all.rest))
  expect(rests).toEqual(outside.map((_, k) => k % 2))
}

/** Every third position is up, and all in the set are. */
function expectSameOutside(set: PositionSet, country: number, locals: readonly number[]): void {
  const up = new CountedBits()
  const inside = new Set(locals)
  const outside: number[] = []
  for (let local = 0; local < LENGTH; local++) {
    if (inside.has(local)) up.add(local)
    else if (local % 3 === 0) {
      up.add(local)
      outside.push(local)
    }
  }
  for (let k = 0; k < outside.length; k += 1 + (outside.length >> 4)) {
    expect(set.selectOutside(up, country, k)).toBe(outside[k])
  }
}

test('counts and selects as plain sets do, sparse and dense, on either side of the change between them', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const set = new PositionSet()
      const naive = new Set<number>()
      for (const { country, from, run, adds } of changes) {
        for (let local = from; local < Math.min(from + run, LENGTH); local++) {
          const position = country * COUNTRY + local
          if (adds) set.put(position, 1, LENGTH, 0)
          else set.delete(position)
          if (adds) naive.add(position)
          else naive.delete(position)
        }
      }
      expectSame(set, naive)
    }),
    { numRuns: 150 },
  )
})

test('adds and deletes are once each, sparse and dense', () => {
  const set = new PositionSet()
  for (let local = 0; local < 400; local++) {
    set.put(7 * COUNTRY + local, 1, LENGTH, 0)
    set.put(7 * COUNTRY + local, 1, LENGTH, 0)
  }
  expect(set.size).toBe(400)
  set.delete(7 * COUNTRY)
  set.delete(7 * COUNTRY)
  set.delete(8 * COUNTRY)
  expect(set.size).toBe(399)
})

test('an emptied or cleared set is as good as a new one', () => {
  const set = new PositionSet()
  for (let local = 0; local < 400; local++) set.put(COUNTRY + local, 1, LENGTH, 0)
  for (let local = 0; local < 400; local++) set.delete(COUNTRY + local)
  expectSame(set, new Set())
  set.put(COUNTRY + 5, 1, LENGTH, 0)
  expectSame(set, new Set([COUNTRY + 5]))
  for (let local = 0; local < 400; local++) set.put(local, 1, LENGTH, 0)
  set.clear()
  expectSame(set, new Set())
})

test('few positions of a very long country stay a list, and select as many would', () => {
  const set = new PositionSet()
  const naive = new Set<number>()
  for (let i = 0; i < 300; i++) {
    const position = 250 * COUNTRY + ((i * 7919) % LENGTH)
    set.put(position, 1, 1_000_000, 0)
    naive.add(position)
  }
  expectSame(set, naive)
})
