import { expect, test } from 'vitest'
import type { ResolvedPolicy } from '../../../packages/core/src/limit/policy.ts'
import { MemoryLimits } from '../../../packages/core/src/store/memory-limits.ts'

const START_MS = 1_700_000_000_000

function exact(limit: number, windowMs: number, quantumMs = 1): readonly ResolvedPolicy[] {
  return [{ kind: 'exact', name: 'p', limit, windowMs, quantumMs }]
}

function usedOf(
  limits: MemoryLimits,
  key: string,
  policies: readonly ResolvedPolicy[],
  nowMs: number,
): number {
  return limits.usage(key, policies, nowMs)[0].used
}

test('a log that begins anew with more than its small block holds writes into no other', () => {
  const limits = new MemoryLimits()
  const policies = exact(40, 100)
  const keys = ['a', 'b', 'c', 'd']
  for (let i = 0; i < 3; i++) {
    for (const key of keys) limits.consume({ key, policies, cost: 1, nowMs: START_MS + i })
  }
  // The others keep theirs alive; each of these has room for four hits, beside the next one's.
  for (const key of ['b', 'd']) limits.consume({ key, policies, cost: 1, nowMs: START_MS + 99 })
  const nowMs = START_MS + 150
  for (const key of ['a', 'c']) limits.consume({ key, policies, cost: 30, nowMs })
  expect(keys.map((key) => usedOf(limits, key, policies, nowMs))).toEqual([30, 1, 30, 1])
  const afterMs = START_MS + 199
  expect(keys.map((key) => usedOf(limits, key, policies, afterMs))).toEqual([30, 0, 30, 0])
  expect(usedOf(limits, 'a', policies, START_MS + 250)).toBe(0)
})

test('hundreds of keys count what each of them used, while room for them grows', () => {
  const limits = new MemoryLimits()
  const policies = exact(10, 1_000)
  for (let i = 0; i < 300; i++) {
    for (const n of [i, i >>> 1, i >>> 2]) {
      limits.consume({ key: `k${n}`, policies, cost: 1, nowMs: START_MS + i })
    }
  }
  const told = new Map<number, number>()
  for (let i = 0; i < 300; i++) {
    for (const n of [i, i >>> 1, i >>> 2]) told.set(n, Math.min(10, (told.get(n) ?? 0) + 1))
  }
  for (const [n, count] of told)
    expect(usedOf(limits, `k${n}`, policies, START_MS + 300)).toBe(count)
})

test('a log that is full because its quantum changes counts its oldest hit longer, and never less', () => {
  const limits = new MemoryLimits()
  const windowMs = 40_000
  const byQuantum = [exact(6_000, windowMs, 10), exact(6_000, windowMs, 11)]
  const hits: number[] = []
  for (let i = 0; i < 4_400; i++) {
    const nowMs = START_MS + i * 9
    expect(limits.consume({ key: 'k', policies: byQuantum[i & 1], cost: 1, nowMs }).allowed).toBe(
      true,
    )
    hits.push(nowMs)
  }
  for (let nowMs = START_MS + windowMs; hits.length > 3_900; nowMs += 137) {
    while (hits[0] <= nowMs - windowMs) hits.shift()
    expect(usedOf(limits, 'k', byQuantum[0], nowMs)).toBeGreaterThanOrEqual(hits.length)
  }
  expect(usedOf(limits, 'k', byQuantum[0], START_MS + 2 * windowMs + 11)).toBe(0)
})

test('a log that begins anew under a policy of another kind is kept as that one is', () => {
  const counted = exact(300, 100)
  const single = exact(10, 100)
  for (const [first, then] of [
    [counted, single],
    [single, counted],
  ]) {
    const limits = new MemoryLimits()
    const key = 'k'
    for (const nowMs of [START_MS, START_MS + 1]) {
      limits.consume({ key, policies: first, cost: 1, nowMs })
    }
    for (const [cost, nowMs] of [
      [3, START_MS + 200],
      [1, START_MS + 210],
      [2, START_MS + 220],
    ]) {
      expect(limits.consume({ key, policies: then, cost, nowMs }).allowed).toBe(true)
    }
    const used = [299, 300, 310, 320].map((ms) => usedOf(limits, key, then, START_MS + ms))
    expect(used).toEqual([6, 3, 2, 0])
  }
})
