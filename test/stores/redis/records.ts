import type { HealthPolicy, OutcomeKind, PairRecord, PairEvent, Rung } from '@ostler/core'
import fc from 'fast-check'

/** The instant that cases lie around. */
export const T = 1_200_000_000

/** Any text that an exit, a domain or a lease may be named by, and some that they may not. */
export const nameArbitrary: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('a', 'p', 'q', 'shop.example', '198.51.100.1', 'l,1', '', '\uE000', '\u{1F434}'),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
)

/** Mostly the same two, so that leases meet the probes of records. */
const leaseArbitrary: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('p', 'q') },
  { weight: 1, arbitrary: nameArbitrary },
)

/** Few instants, so that they meet, and some that are far. */
export const instantArbitrary: fc.Arbitrary<number> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -40, max: 200 }).map((n) => T + n * 30_000) },
  { weight: 2, arbitrary: fc.integer({ min: T - 5_000_000, max: T + 20_000_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, T + 1, 253_402_300_799_999, Number.MAX_SAFE_INTEGER) },
)

export const recordArbitrary: fc.Arbitrary<PairRecord> = fc
  .record(
    {
      health: fc.constantFrom('available', 'limited', 'unavailable'),
      rung: fc.nat(5),
      untilMs: fc.oneof(fc.constant(0), instantArbitrary),
      epoch: fc.oneof(fc.nat(3), fc.constantFrom(4_294_967_294, 4_294_967_295)),
      strikes: fc.oneof(fc.nat(4), fc.constantFrom(254, 255)),
      strikeAtMs: instantArbitrary,
      okStreak: fc.nat(3),
      limitedStreak: fc.oneof(fc.nat(4), fc.constantFrom(254, 255)),
      reason: fc.constantFrom('rate_limited', 'challenged', 'blocked', 'manual'),
      forgetAtMs: instantArbitrary.map((atMs) => Math.ceil((atMs + 3_600_000) / 60_000) * 60_000),
      probe: fc.record({ leaseId: leaseArbitrary, deadlineMs: instantArbitrary }),
      manual: fc.record({ untilMs: instantArbitrary }),
    },
    {
      requiredKeys: [
        ...(['health', 'rung', 'untilMs', 'epoch', 'strikes', 'strikeAtMs'] as const),
        ...(['okStreak', 'limitedStreak', 'reason', 'forgetAtMs'] as const),
      ],
    },
  )
  .map((record) => record as PairRecord)

const durationArbitrary = fc.oneof(
  fc.constantFrom(1_000, 30_000, 120_000, 300_000),
  fc.integer({ min: 1_000, max: 604_800_000 }),
)

const ladderArbitrary: fc.Arbitrary<readonly Rung[]> = fc
  .tuple(fc.nat(3), fc.nat(3), fc.array(durationArbitrary, { minLength: 6, maxLength: 6 }))
  .map(([limited, unavailable, durations]) => {
    const sorted = durations.toSorted((a, b) => a - b)
    const count = Math.max(1, limited + unavailable)
    return sorted.slice(0, count).map((durationMs, i) => ({
      health: i < limited ? 'limited' : 'unavailable',
      durationMs,
    }))
  })

export const policyArbitrary: fc.Arbitrary<HealthPolicy> = fc.record({
  ladder: ladderArbitrary,
  rateLimitedMs: fc.integer({ min: 1_000, max: 3_600_000 }),
  strikeDecayMs: fc.oneof(fc.constant(3_600_000), fc.integer({ min: 1_000, max: 30 * 86_400_000 })),
  okStreakToForget: fc.integer({ min: 1, max: 4 }),
  jitter: fc.oneof(fc.constantFrom(0, 0.2, 1), fc.double({ min: 0, max: 1, noNaN: true })),
})

export const KINDS: readonly OutcomeKind[] = [
  ...(['ok', 'rate_limited', 'challenged', 'blocked'] as const),
  ...(['target_error', 'agent_error', 'neutral'] as const),
]

/** Any event; lease ids and epochs that meet those of records. */
export const eventArbitrary: fc.Arbitrary<PairEvent> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('outcome' as const),
      outcome: fc.record(
        {
          kind: fc.constantFrom(...KINDS),
          retryAfterMs: fc.oneof(
            fc.constantFrom(0, 0.25, 999, 1_000, 3_600_001, Infinity),
            fc.double({ min: 0, max: 4_000_000, noNaN: true }),
          ),
        },
        { requiredKeys: ['kind'] },
      ),
      epoch: fc.oneof(fc.nat(4), fc.constantFrom(4_294_967_294, 4_294_967_295)),
      leaseId: leaseArbitrary,
      capped: fc.boolean(),
      exit: nameArbitrary,
      domain: nameArbitrary,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('exclude' as const), untilMs: instantArbitrary }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restore' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('probe' as const),
      leaseId: leaseArbitrary,
      deadlineMs: instantArbitrary,
    }),
  },
)
