import fc from 'fast-check'
import type { Hit, Tat } from '@ostler/core'
import { expect, test } from 'vitest'
import { Log } from '../../../packages/store-sqlite/src/limits/log.ts'
import {
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
function logOf(windowMs: number, hits: readonly Hit[]): Log {
  const byTime = new Map(hits.map(({ atMs, cost }) => [atMs, cost]))
  const log = new Log()
  log.windowMs = windowMs
  for (const [atMs, cost] of [...byTime].sort(([a], [b]) => a - b)) log.push(atMs, cost)
  return log
}

function read(bytes: Buffer): Log {
  const log = new Log()
  unpackLog(bytes, log)
  return log
}

/** The bytes of the next call are in the same place. */
function kept(bytes: Buffer): Buffer {
  return Buffer.from(bytes)
}

test('a log is read as it was packed', () => {
  // Sums of costs are exact as well.
  const hit = fc.record({ atMs: number, cost: fc.integer({ min: 1, max: 2 ** 31 - 1 }) })
  fc.assert(
    fc.property(number, fc.array(hit, { maxLength: 6 }), (windowMs, hits) => {
      const log = logOf(windowMs, hits)
      expect(read(kept(packLog(log)))).toEqual(log)
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
  expect(packLog(logOf(60_000, hits)).length).toBeLessThan(4 * 256)
})

test('bytes that nobody packed are refused', () => {
  const bytes = kept(packLog(logOf(60_000, [{ atMs: 1_200_000_000, cost: 1 }])))
  for (const broken of [bytes.subarray(0, -1), Buffer.alloc(40, 0xff), Buffer.alloc(0)]) {
    expect(() => read(broken)).toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }))
  }
  expect(() => unpackTat(Buffer.of(1, 2))).toThrow(/damaged/)
})
