import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CountedBits } from '../../../packages/core/src/pick/positions.ts'
import { Runs } from '../../../packages/core/src/pick/runs.ts'

const DAY_MS = 86_400_000

type Step = readonly [kind: 'set' | 'delete', from: number, run: number, stride: number, at: number]

// Stretches of positions, so that runs split, join and empty; few instants, so that many are equal.
const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('set', 'set', 'delete'),
  fc.nat(2_000),
  fc.constantFrom(1, 1, 5, 90, 300, 700),
  fc.constantFrom(1, 2, -1, 7),
  fc.nat(40),
)

function after(steps: readonly Step[]): { runs: Runs; naive: Map<number, number> } {
  const runs = new Runs()
  const naive = new Map<number, number>()
  let wrong = 0
  for (const [kind, from, length, stride, at] of steps) {
    for (let i = 0; i < length; i++) {
      const position = 10_000 + from + i * stride
      if (kind === 'set') {
        const atMs = 1_000_000 + ((at * (i + 1)) % 50)
        if (runs.set(position, atMs) === naive.has(position)) wrong++
        naive.set(position, atMs)
      } else if (runs.delete(position) !== naive.delete(position)) wrong++
    }
  }
  expect(wrong).toBe(0)
  return { runs, naive }
}

function visited(runs: Runs, most = Infinity): [number, number][] {
  const seen: [number, number][] = []
  runs.inOrder((position, atMs) => seen.push([position, atMs]) < most)
  return seen
}

const byPosition = (a: readonly number[], b: readonly number[]): number => a[0] - b[0]

describe('runs of positions', () => {
  test('hold, count and select what a plain map does, and give the earliest instants first', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.nat(12_000), (steps, probe) => {
        const { runs, naive } = after(steps)
        const sorted = [...naive.keys()].sort((a, b) => a - b)
        expect(runs.size).toBe(naive.size)
        expect([...runs.between(0, Infinity)]).toEqual(sorted)
        expect([...runs.between(probe, probe + 500)]).toEqual(
          sorted.filter((position) => position >= probe && position < probe + 500),
        )
        for (const start of [0, probe, 10_500]) {
          const rest = sorted.filter((position) => position >= start)
          const below = rest.filter((position) => position < start + 900)
          expect(runs.count(start, start + 900)).toBe(below.length)
          for (let k = 0; k < rest.length; k += 37) expect(runs.nth(start, k)).toBe(rest[k])
          expect(runs.has(start)).toBe(naive.has(start))
        }
        expect(runs.firstAtMs).toBe(Math.min(...naive.values(), Infinity))
        const seen = visited(runs)
        expect([...seen].sort(byPosition)).toEqual([...naive].sort(byPosition))
        const instants = seen.map(([, atMs]) => atMs)
        expect(instants).toEqual([...instants].sort((a, b) => a - b))
        expect(visited(runs, 3)).toEqual(seen.slice(0, 3))
        const drained: [number, number][] = []
        while (runs.size > 0) {
          drained.push([runs.first, runs.firstAtMs])
          runs.delete(runs.first)
        }
        expect(drained.map(([, atMs]) => atMs)).toEqual(instants)
        expect([...drained].sort(byPosition)).toEqual([...naive].sort(byPosition))
        expect(runs.firstAtMs).toBe(Infinity)
      }),
      { numRuns: 60 },
    )
  })

  test('stand before as many others as counting them one by one says', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.nat(10_500), (steps, start) => {
        const { runs, naive } = after(steps)
        const all = new CountedBits()
        for (let local = start; local < 20_000; local++) {
          if (naive.has(local) || local % 3 === 0) all.add(local)
        }
        const inside = [...naive.keys()].filter((position) => position >= start)
        inside.sort((a, b) => a - b)
        const outside: number[] = []
        for (let local = start; local < 20_000; local++) {
          if (all.has(local) && !naive.has(local)) outside.push(local)
        }
        for (let k = 0; k < outside.length; k += 97) {
          const before = inside.filter((position) => position < outside[k]).length
          expect(runs.countBefore(all, start, inside.length, k)).toBe(before)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('keep an instant that is too far ahead as an earlier one, and every other exactly', () => {
    const runs = new Runs()
    const nowMs = 1_800_000_000_000
    runs.set(1, nowMs + 1_000)
    runs.set(2, Number.MAX_SAFE_INTEGER)
    runs.set(3, nowMs + 30 * DAY_MS)
    expect(visited(runs).slice(0, 2)).toEqual([
      [1, nowMs + 1_000],
      [3, nowMs + 30 * DAY_MS],
    ])
    const [, farMs] = visited(runs)[2]
    expect(farMs).toBeGreaterThan(nowMs + 30 * DAY_MS)
    expect(farMs).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER)
    // The clock goes back, and then on for months: nothing is ever kept as a later instant.
    runs.set(4, nowMs - 20 * DAY_MS)
    expect([runs.first, runs.firstAtMs]).toEqual([4, nowMs - 20 * DAY_MS])
    runs.delete(4)
    expect(runs.firstAtMs).toBe(nowMs + 1_000)
    for (let day = 0; day < 400; day += 20) {
      const atMs = nowMs + day * DAY_MS + 5
      // Whoever looks at what has fallen due finds that it has not, and sets it again.
      if (runs.first === 2) runs.set(2, Number.MAX_SAFE_INTEGER)
      runs.set(5, atMs)
      if (day > 0) runs.set(1, atMs + 7)
      for (const [position, instant] of visited(runs)) {
        if (position === 5) expect(instant).toBe(atMs)
        if (position === 3) expect(instant).toBeLessThanOrEqual(nowMs + 30 * DAY_MS)
      }
      if (day === 40) runs.delete(3)
    }
  })

  test('keep what is still to come as such, however long ago something else has fallen due', () => {
    const runs = new Runs()
    const thenMs = 1_800_000_000_000
    const nowMs = thenMs + 60 * DAY_MS
    runs.set(1, thenMs)
    runs.set(2, nowMs + 10, nowMs)
    runs.set(3, nowMs + 400 * DAY_MS, nowMs)
    const [[first, firstMs], second, [third, thirdMs]] = visited(runs)
    expect([first, second, third]).toEqual([1, [2, nowMs + 10], 3])
    expect([firstMs <= nowMs, runs.firstDue(0, 2, nowMs), runs.firstDue(2, 9, nowMs)]).toEqual([
      true,
      1,
      -1,
    ])
    expect(thirdMs).toBeGreaterThan(nowMs + 10)
  })
})
