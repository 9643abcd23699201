import type { ResolvedPolicy } from '@ostler/core'
import fc from 'fast-check'
import { Denials } from '../../../packages/store-redis/src/denials.ts'
import { Link, openClient } from '../../../packages/store-redis/src/client.ts'
import { Engine } from '../../../packages/store-redis/src/engine.ts'
import { Keys } from '../../../packages/store-redis/src/keys.ts'
import { RedisLimits } from '../../../packages/store-redis/src/limits.ts'
import { RedisPermits } from '../../../packages/store-redis/src/permits.ts'

/** The limits half of a store, on one connection. */
export interface LimitsHalf {
  readonly engine: Engine
  readonly denials: Denials | null
  readonly limits: RedisLimits
  readonly permits: RedisPermits
  /** The same on another prefix: no data, and a time of its own. */
  fresh(prefix: string): Omit<LimitsHalf, 'fresh'>
}

/** Opens the limits half without the rest, to give it times, budgets and caches of its own. */
export function openLimits(
  url: string,
  prefix: string,
  options: {
    readonly time?: 'server' | 'caller'
    readonly budgetMs?: number
    readonly denialCache?: number
  } = {},
): LimitsHalf {
  const { time = 'caller', budgetMs = 2_000, denialCache = 0 } = options
  const link = new Link(openClient(url, budgetMs), true, budgetMs)
  const half = (on: string): Omit<LimitsHalf, 'fresh'> => {
    const engine = new Engine(link, { budgetMs, time, replicas: 1 })
    const keys = new Keys(on)
    const denials = denialCache === 0 ? null : new Denials(denialCache, true)
    const limits = new RedisLimits(engine, keys, denials)
    return { engine, denials, limits, permits: new RedisPermits(engine, keys) }
  }
  return { ...half(prefix), fresh: half }
}

// ---- traces --------------------------------------------------------------------------------------

const WINDOWS = [1, 2, 7, 10, 30, 100, 997, 1_000]

const exactSpec = fc.record({
  limit: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constantFrom(40, 300, 2_147_483_647)),
  windowMs: fc.constantFrom(...WINDOWS),
  quantumMs: fc.oneof(fc.constant(1), fc.constantFrom(2, 5, 10, 30, 100)),
})
const smoothSpec = fc.record({
  limit: fc.integer({ min: 1, max: 7 }),
  windowMs: fc.constantFrom(...WINDOWS),
  burst: fc.integer({ min: 1, max: 6 }),
})

/** A policy of this name; its limit, window and quantum change from call to call. */
function exactOf(name: string): fc.Arbitrary<ResolvedPolicy> {
  return exactSpec.map(({ limit, windowMs, quantumMs }) => ({
    kind: 'exact',
    name,
    limit,
    windowMs,
    quantumMs: Math.min(windowMs, quantumMs),
  }))
}

function smoothOf(name: string): fc.Arbitrary<ResolvedPolicy> {
  return smoothSpec.map((spec) => ({ kind: 'smooth', name, ...spec }))
}

/** Up to three policies: the name `b` may be of either kind. */
export const anyPolicies: fc.Arbitrary<ResolvedPolicy[]> = fc
  .tuple(
    fc.option(exactOf('a')),
    fc.option(fc.oneof(exactOf('b'), smoothOf('b'))),
    fc.option(smoothOf('c')),
  )
  .map((all) => all.filter((one) => one !== null))

/** Lists of the same names each time, so that a call reads all that its key has. */
export const sameNames: readonly fc.Arbitrary<ResolvedPolicy[]>[] = [
  fc.tuple(exactOf('a'), exactOf('b')),
  fc.tuple(smoothOf('a')),
  fc.tuple(exactOf('a'), smoothOf('b')),
]

export interface Step {
  readonly act: 'consume' | 'peek' | 'refund' | 'usage' | 'permits' | 'renew' | 'release'
  readonly passMs: number
  readonly key: string
  readonly policies: readonly ResolvedPolicy[]
  readonly cost: number
  readonly opId: string | undefined
  readonly permit: { readonly id: string; readonly cap: number; readonly ttlMs: number } | null
  /** Which earlier call is given back; which store is asked. */
  readonly which: number
}

function stepOf(
  policies: fc.Arbitrary<readonly ResolvedPolicy[]>,
  acts: readonly Step['act'][],
): fc.Arbitrary<Step> {
  return fc.record({
    act: fc.constantFrom(...acts),
    passMs: fc.oneof(
      { weight: 6, arbitrary: fc.nat(3) },
      { weight: 3, arbitrary: fc.integer({ min: -40, max: 60 }) },
      { weight: 1, arbitrary: fc.constantFrom(996, 1_000, -900, 5_000) },
    ),
    key: fc.constantFrom('k1', 'k2', 'ключ'),
    policies,
    cost: fc.oneof(
      { weight: 5, arbitrary: fc.constant(1) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 7 }) },
      { weight: 1, arbitrary: fc.constantFrom(39, 299, 2_147_483_646) },
    ),
    opId: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom('op1', 'op2', 'op3') },
    ),
    permit: fc.option(
      fc.record({
        id: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
        cap: fc.integer({ min: 0, max: 3 }),
        ttlMs: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constantFrom(1_000)),
      }),
      { freq: 2 },
    ),
    which: fc.nat(20),
  })
}

/** Traces in which policies change with each call, and ones that keep to two lists. */
export function traceOf(
  policies: fc.Arbitrary<ResolvedPolicy[]>,
  acts: readonly Step['act'][],
): fc.Arbitrary<Step[]> {
  const bounds = { minLength: 1, maxLength: 200, size: 'max' } as const
  const kept = fc.tuple(policies, policies)
  return fc.oneof(
    fc.array(stepOf(policies, acts), bounds),
    kept.chain((lists) => fc.array(stepOf(fc.constantFrom(...lists), acts), bounds)),
  )
}

/** Traces that are of permits alone, each call asking for one. */
export function permitTraceOf(acts: readonly Step['act'][]): fc.Arbitrary<Step[]> {
  const one = { id: 'p1', cap: 2, ttlMs: 40 }
  return traceOf(fc.constant([]), acts).map((steps) => {
    return steps.map((step) => ({ ...step, permit: step.permit ?? one }))
  })
}
