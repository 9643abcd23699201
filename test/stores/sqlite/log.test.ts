import {
  decideWindow,
  effectiveMs,
  EMPTY_LOG,
  liveHits,
  withHit,
  withoutHit,
  type ExactPolicy,
  type Hit,
} from '@ostler/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Log, MOST_HITS } from '../../../packages/store-sqlite/src/limits/log.ts'
import { packLog, unpackLog } from '../../../packages/store-sqlite/src/limits/state-codec.ts'

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
})

function hitsOf({ atMs, upTo, first, dropped }: Log): Hit[] {
  return atMs.slice(first).map((ms, i) => {
    const before = i === 0 ? dropped : upTo[first + i - 1]
    return { atMs: ms, cost: upTo[first + i] - before }
  })
}

function reread(log: Log): Log {
  const read = new Log()
  unpackLog(packLog(log), read)
  return read
}

test('a log is what the pure functions make of the same calls', () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(steps, (calls) => {
      let log = new Log()
      let naive = EMPTY_LOG
      let nowMs = T
      for (const { policy, stepMs, cost, backMs, reread: again } of calls) {
        nowMs += stepMs
        if (again) log = reread(log)
        log.look(policy.windowMs, nowMs)
        const live = liveHits(naive, policy.windowMs, nowMs)
        const used = live.reduce((sum, hit) => sum + hit.cost, 0)
        expect(log.used).toBe(used)
        if (used > 0) expect(log.newestMs).toBe(live.at(-1)!.atMs)
        if (backMs !== null) {
          const without = withoutHit(naive, policy, cost, nowMs - backMs, nowMs)
          const atMs = effectiveMs(nowMs - backMs, policy.quantumMs)
          expect(log.remove(cost, atMs)).toBe(without !== null)
          naive = without ?? naive
        } else {
          const { allowed, retryAfterMs } = decideWindow(naive, policy, cost, nowMs)
          if (allowed) {
            log.add(cost, policy, policy.windowMs, nowMs)
            naive = withHit(naive, policy, cost, nowMs)
          } else if (cost <= policy.limit) {
            const countsMs = Math.min(policy.windowMs, log.windowMs)
            expect(log.goneMs(used + cost - policy.limit) + countsMs - nowMs).toBe(retryAfterMs)
          }
        }
        expect({ hits: hitsOf(log), windowMs: log.windowMs }).toEqual(naive)
        const newest = naive.hits.at(-1)
        expect(log.idleMs).toBe(newest === undefined ? 0 : newest.atMs + naive.windowMs)
      }
    }),
    { numRuns: 500 },
  )
})

test('of a log that is too long, the oldest hits count as long as the next one', () => {
  const log = new Log()
  const lasting: ExactPolicy = {
    kind: 'exact',
    name: 'p',
    limit: 2 ** 31 - 1,
    windowMs: 60_000,
    quantumMs: 1,
  }
  for (let i = 0; i < MOST_HITS + 3; i++) {
    log.look(60_000, T + i)
    log.add(1, lasting, 60_000, T + i)
  }
  const hits = hitsOf(log)
  expect(hits.length).toBe(MOST_HITS)
  expect(hits[0]).toEqual({ atMs: T + 3, cost: 4 })
  expect(hitsOf(reread(log))).toEqual(hits)
})

test('the columns stay as long as what counts needs', () => {
  const log = new Log()
  const brief: ExactPolicy = {
    kind: 'exact',
    name: 'p',
    limit: 100,
    windowMs: 50,
    quantumMs: 1,
  }
  for (let i = 0; i < 20_000; i++) {
    log.look(50, T + i)
    log.add(1, brief, 50, T + i)
    expect(log.atMs.length).toBeLessThan(200)
    expect(log.upTo.at(-1)).toBeLessThan(300)
  }
})
