import { expect, test } from 'vitest'
import {
  EMPTY_TAT,
  gcraAdmit,
  gcraRefund,
  gcraRemaining,
  gcraRetryMs,
  restoredAtMs,
} from '../../../packages/core/src/limit/gcra.ts'
import type { SmoothPolicy } from '../../../packages/core/src/limit/policy.ts'

/** One cost drains in 1000 / 3 ms: never a whole number of them. */
const policy: SmoothPolicy = { kind: 'smooth', name: 's', limit: 3, windowMs: 1000, burst: 2 }

test('admits a burst at once, then one per windowMs / limit, without drift', () => {
  let tat = gcraAdmit(EMPTY_TAT, policy, 2, 1_000_000)
  const admittedMs: number[] = []
  for (let nowMs = 1_000_000; nowMs <= 1_003_000; nowMs++) {
    if (gcraRetryMs(tat, policy, 1, nowMs) !== 0) continue
    tat = gcraAdmit(tat, policy, 1, nowMs)
    admittedMs.push(nowMs - 1_000_000)
  }
  expect(admittedMs).toEqual([334, 667, 1000, 1334, 1667, 2000, 2334, 2667, 3000])
})

test('says to the millisecond when a call would be admitted', () => {
  const tat = gcraAdmit(EMPTY_TAT, policy, 2, 500)
  expect(gcraRetryMs(tat, policy, 1, 500)).toBe(334)
  expect(gcraRetryMs(tat, policy, 1, 833)).toBe(1)
  expect(gcraRetryMs(tat, policy, 1, 834)).toBe(0)
  expect(gcraRetryMs(tat, policy, 2, 500)).toBe(667)
  expect(gcraRetryMs(tat, policy, 3, 500)).toBe(-1)
  expect(restoredAtMs(tat)).toBe(1167)
})

test('what remains grows with time and stops at the burst', () => {
  const tat = gcraAdmit(EMPTY_TAT, policy, 2, 500)
  expect(gcraRemaining(tat, policy, 500)).toBe(0)
  expect(gcraRemaining(tat, policy, 833)).toBe(0)
  expect(gcraRemaining(tat, policy, 834)).toBe(1)
  expect(gcraRemaining(tat, policy, 1167)).toBe(2)
  expect(gcraRemaining(tat, policy, 9_999_999)).toBe(2)
})

test('gives back what has not drained since, and no more', () => {
  const full = gcraAdmit(gcraAdmit(EMPTY_TAT, policy, 1, 500), policy, 1, 500)
  const back = gcraRefund(full, policy, 1, 500, 500)
  expect(back).toEqual(gcraAdmit(EMPTY_TAT, policy, 1, 500))
  expect(gcraRefund(full, policy, 1, 500, 834)).toBeNull()
  // 300 of 333.3 ms have drained: the rest comes back.
  const late = gcraRefund(full, policy, 1, 500, 800)
  expect(late === null ? 0 : restoredAtMs(late)).toBe(1134)
})

test('gives nothing back to a call of another rate', () => {
  const slow = { ...policy, windowMs: 100_000 }
  const tat = gcraAdmit(gcraAdmit(EMPTY_TAT, policy, 1, 500), slow, 1, 600)
  expect(gcraRefund(tat, slow, 1, 500, 600)).toBeNull()
  expect(gcraRefund(tat, policy, 1, 500, 600)).toBeNull()
})

test('stays exact at the largest numbers', () => {
  const burst = 3_362_902
  const huge: SmoothPolicy = { kind: 'smooth', name: 's', limit: 7, windowMs: 2_678_400_000, burst }
  const tat = gcraAdmit(EMPTY_TAT, huge, burst, 1)
  const units = BigInt(burst) * 2_678_400_000n
  expect(BigInt(tat.wholeMs - 1) * 7n + BigInt(tat.rest)).toBe(units)
  expect(gcraRetryMs(tat, huge, 1, 1)).toBe(Math.ceil(2_678_400_000 / 7))
})
