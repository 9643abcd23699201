import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LongInts, LongList } from '../../packages/core/src/list.ts'

const at = fc.constantFrom(0, 1, 1_023, 1_024, 3_000)

describe('a long list', () => {
  test('holds what was set last, and null wherever nothing was', () => {
    const steps = fc.array(fc.tuple(at, fc.option(fc.string())), { maxLength: 20 })
    fc.assert(
      fc.property(steps, (steps) => {
        const list = new LongList<string>()
        const naive = new Map<number, string | null>()
        for (const [place, value] of steps) {
          list.set(place, value)
          naive.set(place, value)
        }
        for (let i = 0; i < list.length; i++) expect(list.get(i)).toBe(naive.get(i) ?? null)
        expect(list.length).toBeGreaterThan(Math.max(-1, ...naive.keys()))
      }),
      { numRuns: 30 },
    )
  })

  test('of integers holds 0 wherever nothing was, and shares what is all 0 with no other list', () => {
    const [one, other] = [new LongInts(), new LongInts()]
    one.set(2_050, 7)
    other.set(5_000, 9)
    other.set(2_051, 4_294_967_295)
    expect([one.get(3), one.get(2_050), one.get(2_051)]).toEqual([0, 7, 0])
    expect([other.get(3), other.get(2_050), other.get(2_051)]).toEqual([0, 0, 4_294_967_295])
  })
})
