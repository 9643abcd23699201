import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OutcomeKind, PairRecord } from '../../packages/core/src/health/record.ts'
import { join } from '../../packages/core/src/health/record.ts'
import { transition } from '../../packages/core/src/health/transition.ts'
import { QUICK, START_MS } from './health-world.ts'
import { check, TIMEOUT_MS } from './replay.ts'

const SEVERITY = { available: 0, limited: 1, unavailable: 2 }

const instantArbitrary = fc.integer({ min: 0, max: 200 }).map((n) => START_MS + n * 30_000)

const recordArbitrary: fc.Arbitrary<PairRecord> = fc
  .record(
    {
      health: fc.constantFrom('available', 'limited', 'unavailable'),
      rung: fc.nat(4),
      untilMs: fc.oneof(fc.constant(0), instantArbitrary),
      epoch: fc.nat(3),
      strikes: fc.nat(3),
      strikeAtMs: instantArbitrary,
      okStreak: fc.nat(3),
      limitedStreak: fc.nat(4),
      reason: fc.constantFrom('rate_limited', 'challenged', 'blocked', 'manual'),
      forgetAtMs: instantArbitrary.map((atMs) => Math.ceil((atMs + 3_600_000) / 60_000) * 60_000),
      // Two deadlines and two ids, so that copies differ in one, the other, both or neither.
      probe: fc.record({
        leaseId: fc.constantFrom('p', 'q'),
        deadlineMs: fc.constantFrom(START_MS + 60_000, START_MS + 600_000),
      }),
      manual: fc.record({ untilMs: instantArbitrary }),
    },
    {
      requiredKeys: [
        'health',
        'rung',
        'untilMs',
        'epoch',
        'strikes',
        'strikeAtMs',
        'okStreak',
        'limitedStreak',
        'reason',
        'forgetAtMs',
      ],
    },
  )
  .map((record) => record as PairRecord)

describe('records', { timeout: TIMEOUT_MS }, () => {
  it('join: is commutative, associative, idempotent, and never forgets an exclusion', () => {
    const arbitrary = fc.option(recordArbitrary, { freq: 6 })
    check(
      fc.property(arbitrary, arbitrary, arbitrary, (a, b, c) => {
        expect(join(a, b)).toEqual(join(b, a))
        expect(join(join(a, b), c)).toEqual(join(a, join(b, c)))
        expect(join(a, a)).toEqual(a)
        expect(join(join(a, b), b)).toEqual(join(a, b))
        const joined = join(a, b)
        for (const one of [a, b]) {
          if (one === null || joined === null || one.epoch !== joined.epoch) continue
          expect(joined.untilMs).toBeGreaterThanOrEqual(one.untilMs)
          expect(joined.strikes).toBeGreaterThanOrEqual(one.strikes)
          expect(SEVERITY[joined.health]).toBeGreaterThanOrEqual(SEVERITY[one.health])
        }
      }),
      2_000,
    )
  })

  it('transition: never throws, never changes its input, and answers the same object where nothing changed', () => {
    const event = fc.oneof(
      fc.record({
        kind: fc.constant('outcome' as const),
        outcome: fc.record({
          kind: fc.constantFrom<OutcomeKind>(
            'ok',
            'rate_limited',
            'challenged',
            'blocked',
            'neutral',
          ),
        }),
        epoch: fc.nat(4),
        leaseId: fc.constantFrom('p', 'q'),
        capped: fc.boolean(),
        exit: fc.constant('x'),
        domain: fc.constant('d'),
      }),
      fc.record({
        kind: fc.constant('probe' as const),
        leaseId: fc.constant('p'),
        deadlineMs: instantArbitrary,
      }),
      fc.record({ kind: fc.constant('exclude' as const), untilMs: instantArbitrary }),
      fc.constant({ kind: 'restore' as const }),
    )
    check(
      fc.property(fc.option(recordArbitrary), event, instantArbitrary, (record, what, nowMs) => {
        const copy = structuredClone(record)
        const after = transition(record, what, nowMs, QUICK)
        expect(record).toEqual(copy)
        if (after === null || after === record) return
        expect(after.epoch).toBeGreaterThanOrEqual(
          record !== null && nowMs < record.forgetAtMs ? record.epoch : 0,
        )
        expect(after.forgetAtMs % 60_000).toBe(0)
        // Only a restore, or a probe that is won, ends an exclusion early.
        const cleared = after.health === 'available'
        const lasts = record !== null && nowMs < record.forgetAtMs ? record.untilMs : 0
        if (!cleared) expect(after.untilMs).toBeGreaterThanOrEqual(lasts)
        expect(after.strikes === 0 && after.rung > 0 && after.strikes !== record?.strikes).toBe(
          false,
        )
      }),
      2_000,
    )
  })
})
