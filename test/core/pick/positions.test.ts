import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CountedBits, selectDifference } from '../../../packages/core/src/pick/positions.ts'

function bitsOf(members: Iterable<number>): CountedBits {
  const bits = new CountedBits()
  for (const member of members) bits.add(member)
  return bits
}

const sorted = (members: Iterable<number>): number[] => [...members].sort((a, b) => a - b)

/** Around the edges of words (32), blocks (128) and the first sizes of the tree. */
const EDGES = [0, 1, 31, 32, 33, 63, 64, 127, 128, 129, 255, 256, 511, 512, 1023, 1024, 4095, 4096]

const member = fc.oneof(fc.constantFrom(...EDGES), fc.nat(700), fc.nat(20_000))
const members = fc.uniqueArray(member, { maxLength: 300 })

function expectSame(bits: CountedBits, naive: readonly number[]): void {
  expect(bits.count).toBe(naive.length)
  naive.forEach((value, k) => {
    expect(bits.select(k)).toBe(value)
    expect(bits.rank(value)).toBe(k)
    expect(bits.rank(value + 1)).toBe(k + 1)
    expect(bits.has(value)).toBe(true)
  })
  for (const edge of EDGES) {
    expect(bits.rank(edge)).toBe(naive.filter((value) => value < edge).length)
    expect(bits.has(edge)).toBe(naive.includes(edge))
  }
}

describe('counted bits', () => {
  test('rank and select as a sorted array does, through any adds and deletes', () => {
    const change = fc.tuple(fc.boolean(), member)
    fc.assert(
      fc.property(fc.array(change, { maxLength: 400 }), (changes) => {
        const bits = new CountedBits()
        const naive = new Set<number>()
        for (const [adds, value] of changes) {
          const changed = adds ? !naive.has(value) : naive.has(value)
          expect(adds ? bits.add(value) : bits.delete(value)).toBe(changed)
          if (adds) naive.add(value)
          else naive.delete(value)
        }
        expectSame(bits, sorted(naive))
      }),
    )
  })

  test('have room for any integer that comes, and keep what they had', () => {
    const bits = bitsOf([3, 130])
    bits.add(1_000_000)
    bits.add(16_777_215)
    expectSame(bits, [3, 130, 1_000_000, 16_777_215])
    bits.delete(130)
    expect(bits.select(1)).toBe(1_000_000)
    expect(bits.rank(16_777_215)).toBe(2)
  })

  test('know nothing of integers that are beyond their end', () => {
    const bits = bitsOf([5])
    expect(bits.has(1e6)).toBe(false)
    expect(bits.delete(1e6)).toBe(false)
    expect(bits.rank(1e6)).toBe(1)
    expect(bits.rank(Infinity)).toBeLessThanOrEqual(1)
  })

  test('stay right where every bit of several blocks is set', () => {
    const all = Array.from({ length: 1000 }, (_, i) => i)
    expectSame(bitsOf(all), all)
  })

  test('give the integers between two bounds in order', () => {
    fc.assert(
      fc.property(members, fc.nat(20_500), fc.nat(20_500), (values, start, end) => {
        const between = [...bitsOf(values).between(start, end)]
        expect(between).toEqual(sorted(values).filter((value) => value >= start && value < end))
      }),
    )
    expect([...bitsOf([7, 40]).between(0, Infinity)]).toEqual([7, 40])
  })
})

describe('the k-th of a set that another has not', () => {
  test('is the k-th of the difference of two arrays, whichever of them reaches farther', () => {
    fc.assert(
      fc.property(members, fc.nat(100), (values, percent) => {
        const minus = values.filter((_, i) => (i * 37) % 100 < percent)
        const all = bitsOf(values)
        const rest = sorted(values.filter((value) => !minus.includes(value)))
        rest.forEach((value, k) => {
          expect(selectDifference(all, bitsOf(minus), k)).toBe(value)
        })
      }),
    )
  })

  test('is right past the end of a much shorter set', () => {
    const all = bitsOf(Array.from({ length: 5000 }, (_, i) => i))
    const few = bitsOf([0, 1, 2])
    expect(selectDifference(all, few, 0)).toBe(3)
    expect(selectDifference(all, few, 4996)).toBe(4999)
  })

  test('is right for a set whose room is larger, of members long gone', () => {
    const minus = bitsOf([2, 100_000])
    minus.delete(100_000)
    const all = bitsOf([1, 2, 3, 200])
    expect([0, 1, 2].map((k) => selectDifference(all, minus, k))).toEqual([1, 3, 200])
  })

  test('is the k-th itself where nothing is taken away', () => {
    expect(selectDifference(bitsOf([4, 9]), null, 1)).toBe(9)
    expect(selectDifference(bitsOf([4, 9]), new CountedBits(), 1)).toBe(9)
  })
})
