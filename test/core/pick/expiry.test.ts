import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExpiryHeap } from '../../../packages/core/src/pick/expiry.ts'

type Entry = readonly [handle: number, atMs: number]

const inOrder = ([a, aMs]: Entry, [b, bMs]: Entry): number => aMs - bMs || a - b

function drained(heap: ExpiryHeap): Entry[] {
  const entries: Entry[] = []
  while (heap.size > 0) {
    entries.push([heap.first, heap.firstAtMs])
    heap.remove(heap.first)
  }
  return entries
}

function visited(heap: ExpiryHeap, most = Infinity): Entry[] {
  const entries: Entry[] = []
  heap.inOrder((handle, atMs) => entries.push([handle, atMs]) < most)
  return entries
}

// Few instants, so that many are equal.
const step = fc.tuple(fc.constantFrom('set', 'set', 'remove'), fc.nat(200), fc.nat(30))

/** A heap and the map that it should equal, after the same steps. */
function after(steps: readonly (readonly [string, number, number])[]) {
  const heap = new ExpiryHeap()
  const naive = new Map<number, number>()
  for (const [kind, handle, atMs] of steps) {
    if (kind === 'set') {
      heap.set(handle, atMs)
      naive.set(handle, atMs)
    } else {
      heap.remove(handle)
      naive.delete(handle)
    }
  }
  return { heap, sorted: [...naive].sort(inOrder) }
}

describe('a heap of instants', () => {
  test('gives the earliest first, and equal ones by handle, as a sorted array does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const { heap, sorted } = after(steps)
        expect(heap.size).toBe(sorted.length)
        expect(heap.firstAtMs).toBe(sorted[0]?.[1] ?? Infinity)
        expect(heap.first).toBe(sorted[0]?.[0] ?? -1)
        expect(visited(heap)).toEqual(sorted)
        expect(drained(heap)).toEqual(sorted)
      }),
    )
  })

  test('visits only as many as are asked for, and is not changed by it', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        (steps, k) => {
          const { heap, sorted } = after(steps)
          expect(visited(heap, k)).toEqual(sorted.slice(0, k))
          expect(drained(heap)).toEqual(sorted)
        },
      ),
    )
  })

  test('knows the instant of each handle', () => {
    const { heap, sorted } = after([
      ['set', 5, 10],
      ['set', 1_000, 20],
      ['set', 5, 30],
      ['remove', 7, 0],
    ])
    expect(sorted.map(([handle]) => heap.at(handle))).toEqual([20, 30])
    expect([heap.has(5), heap.has(6), heap.has(1e6)]).toEqual([true, false, false])
    expect([heap.at(6), heap.at(1e6)]).toEqual([Infinity, Infinity])
  })

  test('holds instants that never come after all others', () => {
    const heap = new ExpiryHeap()
    heap.set(1, Infinity)
    heap.set(2, 5)
    expect(visited(heap)).toEqual([
      [2, 5],
      [1, Infinity],
    ])
  })
})
