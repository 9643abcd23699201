import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ExactPolicy } from '../../../packages/core/src/limit/policy.ts'
import {
  decideWindow,
  effectiveMs,
  EMPTY_LOG,
  withHit,
  withoutHit,
  type HitLog,
} from '../../../packages/core/src/limit/window.ts'
import { MemoryLimits } from '../../../packages/core/src/store/memory-limits.ts'

const policy: ExactPolicy = { kind: 'exact', name: 'a', limit: 2, windowMs: 10, quantumMs: 1 }

function after(log: HitLog, times: readonly number[], of: ExactPolicy = policy): HitLog {
  return times.reduce((each, nowMs) => withHit(each, of, 1, nowMs), log)
}

test('a hit counts to the last millisecond of its window and not one longer', () => {
  const log = after(EMPTY_LOG, [100, 103])
  expect(decideWindow(log, policy, 1, 109)).toEqual({
    allowed: false,
    remaining: 0,
    resetAtMs: 113,
    retryAfterMs: 1,
  })
  expect(decideWindow(log, policy, 1, 110)).toMatchObject({ allowed: true, remaining: 0 })
  expect(decideWindow(log, policy, 2, 110)).toMatchObject({ allowed: false, retryAfterMs: 3 })
})

test('a cost above the limit is never admitted, whatever is used', () => {
  expect(decideWindow(EMPTY_LOG, policy, 3, 5)).toEqual({
    allowed: false,
    remaining: 2,
    resetAtMs: 5,
    retryAfterMs: -1,
  })
})

test('a quantised hit counts from its instant to the end of its quantum and a window on', () => {
  const coarse = { ...policy, limit: 1, quantumMs: 4 }
  expect(effectiveMs(100, 4)).toBe(103)
  expect(effectiveMs(103, 4)).toBe(103)
  const log = after(EMPTY_LOG, [100], coarse)
  expect(decideWindow(log, coarse, 1, 112)).toMatchObject({ allowed: false, retryAfterMs: 1 })
  expect(decideWindow(log, coarse, 1, 113)).toMatchObject({ allowed: true })
})

test('effective times are exact up to 2^52', () => {
  const nowMs = fc.integer({ min: 0, max: 2 ** 52 })
  fc.assert(
    fc.property(nowMs, fc.integer({ min: 1, max: 16 * 86_400_000 }), (ms, q) => {
      expect(effectiveMs(ms, q)).toBe(ms - (ms % q) + q - 1)
    }),
  )
})

test('a raised limit admits at once, a lowered one denies until enough has expired', () => {
  const log = after(EMPTY_LOG, [100, 101])
  expect(decideWindow(log, { ...policy, limit: 3 }, 1, 102)).toMatchObject({ allowed: true })
  const lowered = decideWindow(log, { ...policy, limit: 1 }, 1, 102)
  expect(lowered).toEqual({ allowed: false, remaining: 0, resetAtMs: 111, retryAfterMs: 9 })
})

test('a shorter window counts less at once, a longer one what the old one still remembered', () => {
  const log = after(EMPTY_LOG, [100, 105])
  const short = { ...policy, windowMs: 4 }
  const long = { ...policy, windowMs: 50 }
  expect(decideWindow(log, short, 1, 106)).toMatchObject({ allowed: true })
  expect(decideWindow(log, short, 2, 106)).toMatchObject({ allowed: false, retryAfterMs: 3 })
  expect(decideWindow(log, long, 2, 111)).toMatchObject({ allowed: false, retryAfterMs: 4 })
  expect(decideWindow(log, long, 2, 115)).toMatchObject({ allowed: true })
  const longer = withHit(log, long, 1, 111)
  expect(decideWindow(longer, long, 1, 112)).toMatchObject({ allowed: false, retryAfterMs: 43 })
})

test('gives back only as many hits as still count there', () => {
  const log = after(EMPTY_LOG, [100, 100])
  expect(withoutHit(log, policy, 3, 100, 101)).toBeNull()
  expect(withoutHit(log, policy, 1, 101, 101)).toBeNull()
  expect(withoutHit(log, policy, 1, 100, 110)).toBeNull()
  expect(withoutHit(log, policy, 2, 100, 109)?.hits).toEqual([])
  expect(withoutHit(log, policy, 1, 100, 109)?.hits).toEqual([{ atMs: 100, cost: 1 }])
})

test('the packed logs of the memory store decide as these functions do', () => {
  const policies = fc.record({
    kind: fc.constant('exact' as const),
    name: fc.constant('a'),
    limit: fc.constantFrom(3, 200, 300, 100_000),
    windowMs: fc.constantFrom(20, 500, 2_000_000_000),
    quantumMs: fc.constantFrom(1, 7, 20),
  })
  const call = fc.record({
    passMs: fc.constantFrom(0, 0, 1, 3, 20, 400_000_000),
    which: fc.nat(3),
    cost: fc.constantFrom(1, 1, 2, 50, 200),
    refund: fc.boolean(),
  })
  const pool = fc.array(policies, { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(pool, fc.array(call, { maxLength: 200, size: 'max' }), (choices, calls) => {
      const limits = new MemoryLimits()
      let log = EMPTY_LOG
      let nowMs = 1_700_000_000_000
      for (const { passMs, which, cost, refund } of calls) {
        nowMs += passMs
        const chosen = choices[which % choices.length]
        const decision = decideWindow(log, chosen, cost, nowMs)
        const request = { key: 'k', policies: [chosen], cost, nowMs }
        expect(limits.consume(request)).toMatchObject(decision)
        if (!decision.allowed) continue
        log = withHit(log, chosen, cost, nowMs)
        if (!refund) continue
        const without = withoutHit(log, chosen, cost, nowMs, nowMs)
        expect(limits.refund({ ...request, atMs: nowMs })).toBe(without !== null)
        log = without ?? log
      }
    }),
    { numRuns: 300 },
  )
})
