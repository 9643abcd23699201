import fc from 'fast-check'
import type { Hit, HitLog, Tat } from '@ostler/core'
import { expect, test } from 'vitest'
import { ExactCounters } from '../../../packages/store-sqlite/src/limits/exact.ts'
import {
  packTat,
  readLog,
  unpackTat,
} from '../../../packages/store-sqlite/src/limits/state-codec.ts'

/** Any number that may be kept: the edges of a byte of seven bits, of 32 bits, and of what is exact. */
const number = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
  fc.maxSafeNat(),
)

const LONGEST_MS = 31 * 86_400_000

/** A log with these hits, whose costs stay within what may count at once. */
function logOf(windowMs: number, hits: readonly Hit[]): ExactCounters {
  const counters = new ExactCounters()
  const policy = { kind: 'exact', name: 'p', limit: 2 ** 31 - 1, windowMs, quantumMs: 1 } as const
  const at = { place: counters.take(), lane: false }
  for (const { atMs, cost } of hits) {
    counters.nowMs = atMs
    counters.admit(at, cost, policy)
  }
  return counters
}

/** Of the only place. */
function packedLog(counters: ExactCounters): Buffer {
  return counters.pack(1)
}

function read(bytes: Buffer): HitLog {
  const hits: Hit[] = []
  const windowMs = readLog(bytes, (atMs, cost) => hits.push({ atMs, cost }))
  return { hits, windowMs }
}

/** The bytes of the next call are in the same place. */
function kept(bytes: Buffer): Buffer {
  return Buffer.from(bytes)
}

test('a log is read as it was packed, and packed as it was read', () => {
  // Steps from the same instant on, which may be any; none further than a window.
  const hit = fc.record({
    stepMs: fc.oneof(fc.constantFrom(1, 127, 128, 16_384), fc.integer({ min: 1, max: 5e8 })),
    cost: fc.oneof(fc.constantFrom(1, 1, 1, 2, 300), fc.integer({ min: 1, max: 2 ** 28 })),
  })
  const hits = fc.array(hit, { maxLength: 5 })
  fc.assert(
    fc.property(fc.nat(2 ** 46), hits, (startMs, steps) => {
      let atMs = startMs
      const sent = steps.map(({ stepMs, cost }) => ({ atMs: (atMs += stepMs), cost }))
      const bytes = kept(packedLog(logOf(LONGEST_MS, sent)))
      expect(read(bytes).hits).toEqual(sent)
      const again = new ExactCounters()
      again.load(again.take(), bytes)
      expect(packedLog(again)).toEqual(bytes)
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
  expect(packedLog(logOf(60_000, hits)).length).toBeLessThan(4 * 256)
})

test('bytes that nobody packed are refused', () => {
  const bytes = kept(packedLog(logOf(60_000, [{ atMs: 1_200_000_000, cost: 1 }])))
  for (const broken of [bytes.subarray(0, -1), Buffer.alloc(40, 0xff), Buffer.alloc(0)]) {
    expect(() => read(broken)).toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }))
  }
  expect(() => unpackTat(Buffer.of(1, 2))).toThrow(/damaged/)
})
