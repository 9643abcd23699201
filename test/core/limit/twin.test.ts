import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ResolvedPolicy } from '../../../packages/core/src/limit/policy.ts'
import { hash32 } from '../../../packages/core/src/random.ts'
import { MemoryLimits } from '../../../packages/core/src/store/memory-limits.ts'
import { NaiveLimits } from './naive-limits.ts'

const nightly = process.env['OSTLER_NIGHTLY'] !== undefined

/** Pairs of keys that share a lane, so that a lane holds more than one history. */
const KEYS = lanemates(3).flat()

function lanemates(pairs: number): string[][] {
  const byLane = new Map<number, string>()
  const found: string[][] = []
  for (let i = 0; found.length < pairs; i++) {
    const key = `key-${i}`
    const lane = hash32(key, 7) & 1023
    const mate = byLane.get(lane)
    if (mate === undefined) byLane.set(lane, key)
    else found.push([mate, key])
  }
  return found
}

const key = fc.constantFrom(...KEYS)
const exact = fc
  .record({
    name: fc.constantFrom('a', 'b'),
    limit: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constantFrom(9, 255, 256, 257, 300)),
    // Often the same one, so that policies which differ by their quantum alone meet in one log.
    windowMs: fc.oneof(fc.constant(30), fc.integer({ min: 1, max: 40 })),
    quantumMs: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9 })),
  })
  .map((p) => ({ kind: 'exact', ...p, quantumMs: Math.min(p.quantumMs, p.windowMs) }) as const)
const smooth = fc.record({
  kind: fc.constant('smooth' as const),
  name: fc.constantFrom('b', 's'),
  limit: fc.integer({ min: 1, max: 7 }),
  windowMs: fc.integer({ min: 1, max: 40 }),
  burst: fc.integer({ min: 1, max: 6 }),
})
const cost = fc.oneof(
  { weight: 6, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 301 }) },
)
const permitId = fc.constantFrom('p1', 'p2', 'p3')
const plain = { key, tier: fc.nat(), cost, permit: fc.constant(null), opId: fc.constant(null) }
const call = {
  ...plain,
  permit: fc.option(
    fc.record({ id: permitId, cap: fc.integer({ min: 0, max: 3 }), ttl: fc.nat(20) }),
    { freq: 4 },
  ),
  opId: fc.option(fc.constantFrom('o1', 'o2'), { freq: 4 }),
}
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('consume' as const), ...plain }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('consume' as const), ...call }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('peek' as const), ...call }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('refund' as const), ago: fc.nat(6), more: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('usage' as const), key, tier: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('renew' as const), key, id: permitId, ttl: fc.nat(20) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), key, id: permitId }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('advance' as const), by: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      by: fc.integer({ min: -20, max: 90 }),
    }),
  },
)
const setup = fc.record({
  /** Milliseconds per step of time: the longest windows and quanta come with the largest. */
  scale: fc.constantFrom(1, 1, 1000, 60_000_000),
  tiers: fc.array(
    fc.uniqueArray(fc.oneof({ weight: 3, arbitrary: exact }, smooth), {
      maxLength: 3,
      selector: (p) => p.name,
    }),
    { minLength: 1, maxLength: 4 },
  ),
  maxKeys: fc.constantFrom(1, 2, 4, 100),
  maxPermits: fc.constantFrom(3, 100),
  startMs: fc.constantFrom(1, 1_700_000_000_000),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
type Setup = typeof setup extends fc.Arbitrary<infer T> ? T : never

const commands = nightly
  ? { interruptAfterTimeLimit: 120_000, numRuns: 1_000_000 }
  : { numRuns: 1500 }

test('answers every call like the naive limiter, whatever came before', () => {
  fc.assert(fc.property(setup, fc.array(step, { maxLength: 120, size: 'max' }), run), commands)
}, 200_000)

function run(options: Setup, steps: readonly Step[]): void {
  const { scale, maxKeys, maxPermits } = options
  const tiers = options.tiers.map((tier) => tier.map((policy) => scaled(policy, scale)))
  const ours = new MemoryLimits({ maxKeys, maxPermits, seed: 7 })
  const naive = new NaiveLimits(maxKeys, maxPermits, 7)
  const admitted: {
    key: string
    policies: ResolvedPolicy[]
    cost: number
    atMs: number
    opId?: string
  }[] = []
  let nowMs: number = options.startMs
  for (const each of steps) {
    if (each.do === 'advance') nowMs = Math.max(1, nowMs + each.by * scale)
    else if (each.do === 'usage') {
      const policies = tiers[each.tier % tiers.length]
      expect(ours.usage(each.key, policies, nowMs)).toEqual(naive.usage(each.key, policies, nowMs))
      expect(ours.permits(each.key, nowMs)).toBe(naive.permits(each.key, nowMs))
    } else if (each.do === 'renew') {
      const deadlineMs = nowMs + each.ttl * scale
      const renewed = naive.renew(each.key, each.id, deadlineMs, nowMs)
      expect(ours.renew(each.key, each.id, deadlineMs, nowMs)).toBe(renewed)
    } else if (each.do === 'release') {
      expect(ours.release(each.key, each.id, nowMs)).toBe(naive.release(each.key, each.id, nowMs))
    } else if (each.do === 'refund') {
      const given = admitted.at(-1 - each.ago)
      if (given === undefined) continue
      const request = { ...given, cost: given.cost + each.more, nowMs }
      expect(ours.refund(request)).toBe(naive.refund(request))
    } else {
      const policies = tiers[each.tier % tiers.length]
      const request = {
        key: each.key,
        policies,
        cost: each.cost,
        nowMs,
        ...(each.opId === null ? {} : { opId: each.opId }),
        ...(each.permit === null
          ? {}
          : { permit: { ...each.permit, deadlineMs: nowMs + each.permit.ttl * scale } }),
      }
      const expected = naive.consume(request, each.do === 'consume')
      const verdict = each.do === 'consume' ? ours.consume(request) : ours.peek(request)
      expect(verdict).toEqual(expected)
      if (each.do === 'peek' || !verdict.allowed) continue
      admitted.push({ ...request, atMs: verdict.atMs })
    }
  }
  for (const each of KEYS) {
    for (const policies of tiers) {
      expect(ours.usage(each, policies, nowMs)).toEqual(naive.usage(each, policies, nowMs))
    }
    expect(ours.permits(each, nowMs)).toBe(naive.permits(each, nowMs))
  }
}

function scaled(policy: ResolvedPolicy, scale: number): ResolvedPolicy {
  const windowMs = policy.windowMs * scale
  if (policy.kind === 'smooth') return { ...policy, windowMs }
  return { ...policy, windowMs, quantumMs: policy.quantumMs === 1 ? 1 : policy.quantumMs * scale }
}
