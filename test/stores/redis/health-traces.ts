import type {
  BreakerPolicy,
  Candidate,
  Change,
  HealthPolicy,
  IncidentPolicy,
  Outcome,
  PairRecord,
  StoredAgent,
} from '@ostler/core'
import fc from 'fast-check'
import { outcomeArbitrary } from '@ostler/testkit'
import { T } from './records.ts'

export const DOMAINS = ['d', 'bücher.example'] as const
const EXITS = ['x', 'y', 'é,1', 'z'] as const
const AGENTS = ['a', 'b', 'c', 'ü'] as const

/** Spans that meet the edges of rungs, leases, late reports and forgetting. */
const SPANS: readonly number[] = [
  0, 0, 1, 250, 999, 1_000, 4_999, 5_000, 10_000, 29_999, 30_000, 36_000, 60_000, 61_000, 120_000,
  144_000, 300_000, 360_000, 1_440_000, 3_600_000, 4_320_000, 8_000_000,
]
/** So short that a trace of them forgets nothing. */
const SHORT: readonly number[] = [0, 0, 1, 250, 999, 1_000, 4_999, 5_000, 10_000, 29_999, 30_000]

const LADDERS: readonly HealthPolicy[] = [
  {
    ladder: [
      { health: 'limited', durationMs: 30_000 },
      { health: 'limited', durationMs: 120_000 },
      { health: 'unavailable', durationMs: 300_000 },
      { health: 'unavailable', durationMs: 1_200_000 },
    ],
    rateLimitedMs: 30_000,
    strikeDecayMs: 3_600_000,
    okStreakToForget: 3,
    jitter: 0.2,
  },
  {
    ladder: [
      { health: 'limited', durationMs: 1_000 },
      { health: 'unavailable', durationMs: 1_000 },
      { health: 'unavailable', durationMs: 4_999 },
      { health: 'unavailable', durationMs: 30_000 },
    ],
    rateLimitedMs: 1_000,
    strikeDecayMs: 60_000,
    okStreakToForget: 2,
    jitter: 0,
  },
]

/** What the calls of one trace have in common. */
export interface Policies {
  readonly health: HealthPolicy
  readonly incident: IncidentPolicy
  readonly breaker: BreakerPolicy
  readonly exits: number
}

export const policiesArbitrary: fc.Arbitrary<Policies> = fc.record({
  health: fc.constantFrom(...LADDERS),
  incident: fc.record({
    minExclusions: fc.constantFrom(1, 3, 50),
    exclusionShare: fc.constantFrom(0.05, 0.5),
    minFailures: fc.constantFrom(2, 4, 50),
    failureShare: fc.constantFrom(0.3, 1),
  }),
  breaker: fc.record({
    threshold: fc.integer({ min: 1, max: 3 }),
    restMs: fc.constantFrom(1_000, 10_000),
    maxRestMs: fc.constant(30_000),
  }),
  exits: fc.constantFrom(1, 4, 30),
})

/** One call; `follower` is who asks, with the versions that it has seen. */
export type Step =
  | { readonly kind: 'advance'; readonly spanMs: number }
  | { readonly kind: 'back'; readonly spanMs: number }
  | {
      readonly kind: 'acquire'
      readonly domain: string
      readonly candidates: readonly Candidate[]
      /** Asks again for the nth newest lease instead. */
      readonly again: number | null
      readonly holdMs: number
      readonly follower: number
    }
  | {
      readonly kind: 'settle'
      readonly nth: number
      readonly outcome: Outcome
      readonly epochOff: number
      readonly follower: number
    }
  | {
      readonly kind: 'exclude'
      readonly exit: string
      readonly domain: string
      readonly forMs: number
    }
  | { readonly kind: 'restore'; readonly exit: string; readonly domain: string }
  | { readonly kind: 'merge'; readonly domain: string; readonly changes: readonly Merged[] }
  | { readonly kind: 'exclusions'; readonly domain: string; readonly follower: number }
  | { readonly kind: 'put'; readonly agents: readonly StoredAgent[] }
  | { readonly kind: 'remove'; readonly ids: readonly string[] }
  | { readonly kind: 'agents'; readonly follower: number }

/** A record whose instants are off the present; null where nothing is known. */
export interface Merged {
  readonly exit: string
  readonly record: PairRecord | null
}

const exit = fc.constantFrom(...EXITS)
const domain = fc.constantFrom(...DOMAINS)
const target = fc.constantFrom(...DOMAINS, '*')
const follower = fc.nat(2)

const candidate: fc.Arbitrary<Candidate> = fc
  .tuple(fc.constantFrom(...AGENTS), exit, fc.constantFrom(1, 2, 2, 50))
  .map(([agentId, from, maxConcurrency]) => ({ agentId, exit: from, maxConcurrency }))

const offMs = fc.constantFrom(-8_000_000, -61_000, -1, 0, 1, 30_000, 300_000, 4_000_000)

const recordOff: fc.Arbitrary<PairRecord> = fc
  .record(
    {
      health: fc.constantFrom('available', 'limited', 'unavailable'),
      rung: fc.nat(4),
      untilMs: offMs,
      epoch: fc.nat(6),
      strikes: fc.nat(3),
      strikeAtMs: offMs,
      okStreak: fc.nat(2),
      limitedStreak: fc.nat(3),
      reason: fc.constantFrom('rate_limited', 'challenged', 'blocked', 'manual'),
      forgetAtMs: fc.constantFrom(-60_000, 3_600_000, 3_660_000, 7_200_000),
      probe: fc.record({
        leaseId: fc.constantFrom('l1', 'l9', '\uE000', '\u{1F434}'),
        deadlineMs: offMs,
      }),
      manual: fc.record({ untilMs: offMs }),
    },
    {
      requiredKeys: [
        ...(['health', 'rung', 'untilMs', 'epoch', 'strikes', 'strikeAtMs'] as const),
        ...(['okStreak', 'limitedStreak', 'reason', 'forgetAtMs'] as const),
      ],
    },
  )
  .map((record) => record as PairRecord)

/** The record with its instants as of now. */
export function asOf({ exit, record }: Merged, nowMs: number): Change {
  if (record === null) return { exit, record }
  const at = (offsetMs: number): number => Math.max(0, nowMs + offsetMs)
  const { probe, manual } = record
  return {
    exit,
    record: {
      ...record,
      untilMs: at(record.untilMs),
      strikeAtMs: at(record.strikeAtMs),
      forgetAtMs: Math.ceil(at(record.forgetAtMs) / 60_000) * 60_000,
      ...(probe !== undefined && { probe: { ...probe, deadlineMs: at(probe.deadlineMs) } }),
      ...(manual !== undefined && { manual: { untilMs: at(manual.untilMs) } }),
    },
  }
}

const agent: fc.Arbitrary<StoredAgent> = fc
  .tuple(fc.constantFrom(...AGENTS), fc.option(exit), fc.constantFrom(1, 2, 0.25), fc.boolean())
  .map(([id, exitIp, weight, drained]) => ({
    id,
    ...(exitIp !== null && { exitIp }),
    weight,
    ...(drained && { drained: true }),
  }))

/** A trace; a `short` one forgets nothing. */
export function traceArbitrary(length: number, short: boolean): fc.Arbitrary<readonly Step[]> {
  const span = fc.constantFrom(...(short ? SHORT : SPANS))
  const of = (
    kind: Step['kind'],
    fields: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  ): fc.Arbitrary<Step> =>
    fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<Step>
  const nth = fc.oneof({ weight: 4, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(20) })
  const step = fc.oneof(
    { weight: 8, arbitrary: of('advance', { spanMs: span }) },
    { weight: 1, arbitrary: of('back', { spanMs: span }) },
    {
      weight: 26,
      arbitrary: of('acquire', {
        domain,
        candidates: fc.array(candidate, { minLength: 1, maxLength: 4 }),
        again: fc.option(nth, { freq: 12 }),
        holdMs: fc.constantFrom(1, 5_000, 60_000, 61_000, 4_000_000),
        follower,
      }),
    },
    {
      weight: 24,
      arbitrary: of('settle', {
        nth,
        outcome: outcomeArbitrary,
        epochOff: fc.constantFrom(0, 0, 0, 0, 0, 0, -1, 1),
        follower,
      }),
    },
    {
      weight: 2,
      arbitrary: of('exclude', { exit, domain: target, forMs: fc.constantFrom(...SPANS, -1) }),
    },
    { weight: 2, arbitrary: of('restore', { exit, domain: target }) },
    {
      weight: 2,
      arbitrary: of('merge', {
        domain,
        changes: fc.array(fc.record({ exit, record: fc.option(recordOff, { freq: 8 }) }), {
          maxLength: 3,
        }),
      }),
    },
    { weight: 4, arbitrary: of('exclusions', { domain, follower }) },
    { weight: 2, arbitrary: of('put', { agents: fc.array(agent, { maxLength: 3 }) }) },
    {
      weight: 2,
      arbitrary: of('remove', { ids: fc.array(fc.constantFrom(...AGENTS), { maxLength: 2 }) }),
    },
    { weight: 3, arbitrary: of('agents', { follower }) },
  )
  return fc.array(step, { minLength: length, maxLength: length, size: 'max' })
}

/** The instant that traces begin at. */
export const START_MS: number = T
