import {
  decideWindow,
  EMPTY_LOG,
  liveHits,
  withHit,
  withoutHit,
  type ExactPolicy,
  type Hit,
  type HitLog,
} from '@ostler/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ExactCounters } from '../../../packages/store-sqlite/src/limits/exact.ts'
import { readLog } from '../../../packages/store-sqlite/src/limits/state-codec.ts'

const T = 1_200_000_000

const policy: fc.Arbitrary<ExactPolicy> = fc.record({
  kind: fc.constant('exact' as const),
  name: fc.constant('p'),
  limit: fc.constantFrom(0, 1, 3, 20, 1_000),
  windowMs: fc.constantFrom(1, 5, 50, 1_000),
  quantumMs: fc.constantFrom(1, 1, 1, 7, 50),
})

const step = fc.record({
  policy,
  stepMs: fc.constantFrom(0, 0, 1, 2, 9, 60, 1_100),
  cost: fc.constantFrom(1, 1, 2, 5, 300),
  backMs: fc.option(fc.nat(60), { freq: 3 }),
  reread: fc.boolean(),
  second: fc.boolean(),
})

/** What stands in the file for a place. */
function logOf(counters: ExactCounters, place: number): HitLog {
  const hits: Hit[] = []
  const windowMs = readLog(counters.pack(place), (atMs, cost) => hits.push({ atMs, cost }))
  return { hits, windowMs }
}

function reread(counters: ExactCounters, place: number): void {
  counters.load(place, Buffer.from(counters.pack(place)))
}

test('what is known of two keys is what the pure functions make of the same calls', () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(steps, (calls) => {
      const counters = new ExactCounters()
      const places = [counters.take(), counters.take()]
      const naives = [EMPTY_LOG, EMPTY_LOG]
      let nowMs = T
      for (const { policy, stepMs, cost, backMs, reread: again, second } of calls) {
        nowMs += stepMs
        const n = second ? 1 : 0
        const naive = naives[n]
        const at = { place: places[n], lane: false }
        counters.nowMs = nowMs
        if (again) reread(counters, at.place)
        const live = liveHits(naive, policy.windowMs, nowMs)
        expect(counters.used(at, policy)).toBe(live.reduce((sum, hit) => sum + hit.cost, 0))
        if (backMs !== null) {
          const without = withoutHit(naive, policy, cost, nowMs - backMs, nowMs)
          expect(counters.refund(at, cost, policy, nowMs - backMs)).toBe(without !== null)
          naives[n] = without ?? naive
        } else {
          const { allowed, remaining, resetAtMs, retryAfterMs } = decideWindow(
            naive,
            policy,
            cost,
            nowMs,
          )
          expect(counters.check(at, cost, policy)).toBe(retryAfterMs)
          expect([counters.remaining, counters.resetAtMs]).toEqual([remaining, resetAtMs])
          if (allowed) {
            counters.admit(at, cost, policy)
            naives[n] = withHit(naive, policy, cost, nowMs)
          }
        }
        expect(logOf(counters, at.place)).toEqual(naives[n])
        const newest = naives[n].hits.at(-1)
        const idleMs = newest === undefined ? 0 : newest.atMs + naives[n].windowMs
        expect(counters.idleMs(at.place)).toBe(idleMs)
      }
    }),
    { numRuns: 500 },
  )
})

test('a lane in which nothing counts any more takes the window of who comes next', () => {
  const counters = new ExactCounters()
  const lane = { place: counters.take(), lane: true }
  const long: ExactPolicy = { kind: 'exact', name: 'p', limit: 5, windowMs: 9_000, quantumMs: 1 }
  const short = { ...long, windowMs: 1_000 }
  const admit = (policy: ExactPolicy, nowMs: number): number => {
    counters.nowMs = nowMs
    expect(counters.check(lane, 1, policy)).toBe(0)
    counters.admit(lane, 1, policy)
    expect(counters.idleMs(lane.place)).toBe(counters.resetAtMs)
    return counters.resetAtMs
  }
  expect(admit(long, T)).toBe(T + 9_000)
  expect(admit(short, T + 100)).toBe(T + 9_100)
  expect(admit(short, T + 9_100)).toBe(T + 10_100)
})

test('of a log that is too long, the oldest hits count as long as the next one', () => {
  const most = 4_096
  const counters = new ExactCounters()
  const at = { place: counters.take(), lane: false }
  const lasting: ExactPolicy = {
    kind: 'exact',
    name: 'p',
    limit: 2 ** 31 - 1,
    windowMs: 60_000,
    quantumMs: 1,
  }
  for (let i = 0; i < most + 3; i++) {
    counters.nowMs = T + i
    counters.admit(at, 1, lasting)
  }
  const { hits } = logOf(counters, at.place)
  expect(hits.length).toBe(most)
  expect(hits[0]).toEqual({ atMs: T + 3, cost: 4 })
  reread(counters, at.place)
  expect(logOf(counters, at.place).hits).toEqual(hits)
})

test('a place that was given back begins anew, and its memory is used again', () => {
  const counters = new ExactCounters()
  const busy: ExactPolicy = {
    kind: 'exact',
    name: 'p',
    limit: 300,
    windowMs: 60_000,
    quantumMs: 1,
  }
  let bytes = 0
  for (let round = 0; round < 50; round++) {
    const places = Array.from({ length: 40 }, () => counters.take())
    for (const place of places) {
      counters.nowMs = T + round
      expect(counters.used({ place, lane: false }, busy)).toBe(0)
      for (let i = 0; i < 100; i++) {
        counters.nowMs++
        counters.admit({ place, lane: false }, 1, busy)
      }
    }
    expect(counters.places).toBe(40)
    for (const place of places) counters.give(place)
    if (round === 0) bytes = counters.bytes
    expect(counters.bytes).toBe(bytes)
  }
})
