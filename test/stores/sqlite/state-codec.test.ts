import fc from 'fast-check'
import type { Hit, HitLog, Tat } from '@ostler/core'
import { expect, test } from 'vitest'
import {
  MOST_HITS,
  packLog,
  packTat,
  unpackLog,
  unpackTat,
} from '../../../packages/store-sqlite/src/limits/state-codec.ts'

/** Any number that may be kept: the edges of a byte of seven bits, of 32 bits, and of what is exact. */
const number = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
  fc.maxSafeNat(),
)

/** Hits from the earliest on, no two at one time, as logs hold them. */
function logOf(windowMs: number, hits: readonly Hit[]): HitLog {
  const byTime = new Map(hits.map(({ atMs, cost }) => [atMs, cost]))
  const sorted = [...byTime].sort(([a], [b]) => a - b)
  return { windowMs, hits: sorted.map(([atMs, cost]) => ({ atMs, cost })) }
}

/** The bytes of the next call are in the same place. */
function kept(bytes: Buffer): Buffer {
  return Buffer.from(bytes)
}

test('a log is read as it was packed', () => {
  const hit = fc.record({ atMs: number, cost: number })
  fc.assert(
    fc.property(number, fc.array(hit), (windowMs, hits) => {
      const log = logOf(windowMs, hits)
      expect(unpackLog(kept(packLog(log)))).toEqual(log)
    }),
  )
})

test('an arrival time is read as it was packed', () => {
  const tat: fc.Arbitrary<Tat> = fc.record({
    wholeMs: number,
    rest: number,
    limit: number,
    windowMs: number,
    sinceMs: number,
  })
  fc.assert(
    fc.property(tat, (one) => {
      expect(unpackTat(kept(packTat(one)))).toEqual(one)
    }),
  )
})

test('a busy key’s hit takes about four bytes', () => {
  const hits = Array.from({ length: 256 }, (_, i) => ({
    atMs: 1_800_000_000_000 + i * 235,
    cost: 3,
  }))
  expect(packLog({ windowMs: 60_000, hits }).length).toBeLessThan(4 * 256)
})

test('of a log that is too long, the oldest hits count as long as the next one', () => {
  const hits = Array.from({ length: MOST_HITS + 3 }, (_, i) => ({ atMs: 1_000 + i, cost: 1 }))
  const read = unpackLog(kept(packLog({ windowMs: 10, hits })))
  expect(read.hits.length).toBe(MOST_HITS)
  expect(read.hits[0]).toEqual({ atMs: 1_003, cost: 4 })
  expect(read.hits.at(-1)).toEqual(hits.at(-1))
})

test('bytes that nobody packed are refused', () => {
  const bytes = kept(packLog({ windowMs: 60_000, hits: [{ atMs: 1_200_000_000, cost: 1 }] }))
  for (const broken of [bytes.subarray(0, -1), Buffer.alloc(40, 0xff), Buffer.alloc(0)]) {
    expect(() => unpackLog(broken)).toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }))
  }
  expect(() => unpackTat(Buffer.of(1, 2))).toThrow(/damaged/)
})
