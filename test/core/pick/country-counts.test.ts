import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CountryCounts } from '../../../packages/core/src/pick/country-counts.ts'

test('countries are counted, summed and found as in a list of all', () => {
  const change = fc.record({
    country: fc.nat(255),
    by: fc.integer({ min: 1, max: 5 }),
    takes: fc.nat(5),
  })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const counts = new CountryCounts()
      const taken = new CountryCounts()
      const left = new Array<number>(256).fill(0)
      for (const { country, by, takes } of changes) {
        counts.add(country, by)
        taken.add(country, Math.min(by, takes))
        left[country] += by - Math.min(by, takes)
        if (by > 2) {
          counts.add(country, -1)
          taken.add(country, -Math.min(1, Math.min(by, takes)))
          left[country] -= 1 - Math.min(1, Math.min(by, takes))
        }
      }
      const all = left.flatMap((count, country) => new Array<number>(count).fill(country))
      const found = all.map((_, k) => counts.countryOf(k, taken))
      expect(found).toEqual(all)
      const rests = all.map((_, k) => (counts.countryOf(k, taken), counts.rest))
      expect(rests).toEqual(all.map((country, k) => k - all.indexOf(country)))
      for (const country of [0, 1, 100, 255]) {
        expect(counts.of(country) - taken.of(country)).toBe(left[country])
      }
    }),
  )
})

test('what nobody has taken is found by its count alone', () => {
  const counts = new CountryCounts()
  counts.add(0, 1)
  counts.add(255, 2)
  expect([0, 1, 2].map((k) => counts.countryOf(k, null))).toEqual([0, 255, 255])
})
