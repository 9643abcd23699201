import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Deadlines } from '../../../packages/core/src/pick/deadlines.ts'

type Entry = readonly [atMs: number, handle: number]

function visited(deadlines: Deadlines, most = Infinity): Entry[] {
  const entries: Entry[] = []
  deadlines.inOrder((handle, atMs) => entries.push([atMs, handle]) < most)
  return entries
}

const sorted = (entries: Iterable<Entry>): Entry[] =>
  [...entries].sort(([aMs, a], [bMs, b]) => aMs - bMs || a - b)

// Mostly later than those before, few enough that many are equal, on handles of more than one chunk.
const step = fc.record({
  removes: fc.boolean(),
  handle: fc.nat(60).map((n) => n * 41),
  laterByMs: fc.integer({ min: -6, max: 10 }),
})

describe('deadlines', () => {
  test('come earliest first, whichever come late, as in a sorted array', () => {
    const run = (steps: readonly { removes: boolean; handle: number; laterByMs: number }[]) => {
      const deadlines = new Deadlines()
      const naive = new Map<number, number>()
      let nowMs = 100
      for (const { removes, handle, laterByMs } of steps) {
        nowMs = Math.max(nowMs + laterByMs, 0)
        if (naive.has(handle)) deadlines.remove(handle)
        if (removes) naive.delete(handle)
        else {
          deadlines.set(handle, nowMs)
          naive.set(handle, nowMs)
        }
        const atMs = Math.min(...naive.values())
        expect(deadlines.firstAtMs).toBe(atMs)
        expect(naive.get(deadlines.first) ?? Infinity).toBe(atMs)
      }
      return { deadlines, naive }
    }
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1, max: 9 }),
        (steps, k) => {
          const { deadlines, naive } = run(steps)
          const entries = sorted([...naive].map(([handle, atMs]): Entry => [atMs, handle]))
          const seen = visited(deadlines)
          expect(seen.map(([atMs]) => atMs)).toEqual(entries.map(([atMs]) => atMs))
          expect(sorted(seen)).toEqual(entries)
          expect(visited(deadlines, k)).toEqual(seen.slice(0, k))
          for (const [atMs, handle] of entries) expect(deadlines.at(handle)).toBe(atMs)
          for (let left = entries.length; left > 0; left--) deadlines.remove(deadlines.first)
          expect([deadlines.first, deadlines.firstAtMs]).toEqual([-1, Infinity])
        },
      ),
    )
  })

  test('of one handle after another are none once it is taken out', () => {
    const deadlines = new Deadlines()
    deadlines.set(3, 10)
    deadlines.set(4, 5)
    deadlines.remove(3)
    expect([deadlines.first, deadlines.firstAtMs]).toEqual([4, 5])
    deadlines.set(3, 1)
    expect(visited(deadlines)).toEqual([
      [1, 3],
      [5, 4],
    ])
  })
})
