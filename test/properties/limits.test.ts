import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ResolvedPolicy } from '../../packages/core/src/limit/policy.ts'
import { MemoryLimits } from '../../packages/core/src/store/memory-limits.ts'
import type { ConsumeRequest, Verdict } from '../../packages/core/src/store/store.ts'

const nightly = process.env['OSTLER_NIGHTLY'] !== undefined
const START_MS = 1_700_000_000_000

/** Runs a law's property: a set number of times, or through the night's share of time. */
function law<T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => void, numRuns: number): void {
  const bounds = nightly
    ? { numRuns: numRuns * 1000, interruptAfterTimeLimit: 120_000 }
    : { numRuns }
  fc.assert(fc.property(arbitrary, check), bounds)
}
const TIMEOUT_MS = 300_000

const exact = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    limit: fc.oneof(fc.integer({ min: 0, max: 8 }), fc.constantFrom(256, 257)),
    windowMs: fc.integer({ min: 1, max: 30 }),
    quantumMs: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 30 })),
  })
  .map((p): Exact => ({ kind: 'exact', ...p, quantumMs: Math.min(p.quantumMs, p.windowMs) }))
const smooth: fc.Arbitrary<ResolvedPolicy> = fc.record({
  kind: fc.constant('smooth' as const),
  name: fc.constantFrom('c', 'd'),
  limit: fc.integer({ min: 1, max: 7 }),
  windowMs: fc.integer({ min: 1, max: 30 }),
  burst: fc.integer({ min: 1, max: 6 }),
})
type Exact = Extract<ResolvedPolicy, { kind: 'exact' }>

const byName = { selector: (policy: ResolvedPolicy): string => policy.name }
const exactTier = fc.uniqueArray(exact, { ...byName, minLength: 1, maxLength: 3 })
const anyTier = fc.uniqueArray<ResolvedPolicy, string>(
  fc.oneof({ weight: 2, arbitrary: exact }, smooth),
  {
    ...byName,
    minLength: 1,
    maxLength: 3,
  },
)

const cost = fc.oneof(
  { weight: 5, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 9 }) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 258 }) },
)
/** Time passes or steps back, then `key` asks for `cost`; `also` peeks, or gives an earlier call back. */
const call = fc.record({
  passMs: fc.oneof(
    { weight: 8, arbitrary: fc.nat(4) },
    { weight: 2, arbitrary: fc.integer({ min: -12, max: 40 }) },
  ),
  key: fc.constantFrom('k0', 'k1', 'k2', 'k3', 'k4', 'k5'),
  cost,
  also: fc.constantFrom('', '', '', 'peek', 'refund'),
  which: fc.nat(9),
})
const calls = fc.array(call, { minLength: 1, maxLength: 80, size: 'max' })
/** How many keys have a record of their own: with few, most share lanes. */
const maxKeys = fc.constantFrom(1, 3, 1000)
interface PermitWish {
  readonly id: string
  readonly cap: number
  readonly ttlMs: number
}
const permit: fc.Arbitrary<PermitWish | null> = fc.option(
  fc.record({
    id: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
    cap: fc.integer({ min: 0, max: 3 }),
    ttlMs: fc.integer({ min: 1, max: 30 }),
  }),
  { freq: 2 },
)
const steps = fc.array(fc.tuple(call, permit), { minLength: 1, maxLength: 80, size: 'max' })

/** The request with the permit that it wishes for, if any. */
function wishing(request: ConsumeRequest, wish: PermitWish | null): ConsumeRequest {
  if (wish === null) return request
  const { id, cap, ttlMs } = wish
  return { ...request, permit: { id, cap, deadlineMs: request.nowMs + ttlMs } }
}

interface Hit {
  readonly key: string
  readonly atMs: number
  readonly cost: number
}

/** Plays calls and keeps the true times of what was admitted and not given back. */
function play(
  limits: MemoryLimits,
  policies: readonly ResolvedPolicy[],
  script: typeof calls extends fc.Arbitrary<infer T> ? T : never,
  each: (hits: readonly Hit[], request: ConsumeRequest, verdict: Verdict) => void,
): void {
  let hits: Hit[] = []
  let nowMs = START_MS
  for (const { passMs, key, cost, also, which } of script) {
    nowMs += passMs
    const request = { key, policies, cost, nowMs }
    if (also === 'peek') limits.peek(request)
    const verdict = limits.consume(request)
    each(hits, request, verdict)
    if (verdict.allowed) hits = [...hits, { key, cost, atMs: verdict.atMs }]
    const back = hits.at(-1 - which)
    if (also !== 'refund' || back === undefined) continue
    if (limits.refund({ ...back, policies, nowMs })) hits = hits.filter((hit) => hit !== back)
  }
}

function sum(hits: readonly Hit[]): number {
  return hits.reduce((total, hit) => total + hit.cost, 0)
}

test(
  'limit-safety: no window of windowMs admits more than limit, lanes and refunds included',
  () => {
    law(
      fc.tuple(fc.tuple(exact), calls, maxKeys),
      ([policies, script, keys]) => {
        const [{ limit, windowMs }] = policies
        play(
          new MemoryLimits({ maxKeys: keys }),
          policies,
          script,
          (hits, { key, cost }, verdict) => {
            if (!verdict.allowed) return
            // Every window that this call could overfill ends with it.
            const { atMs } = verdict
            const before = hits.filter((hit) => hit.key === key && hit.atMs > atMs - windowMs)
            expect(sum(before) + cost).toBeLessThanOrEqual(limit)
          },
        )
      },
      1500,
    )
  },
  TIMEOUT_MS,
)

test(
  'limit-safety: every policy of a tier holds, not only the binding one',
  () => {
    law(
      fc.tuple(exactTier, calls, maxKeys),
      ([policies, script, keys]) => {
        const plain = script.map((each) => ({ ...each, also: '' as const }))
        play(
          new MemoryLimits({ maxKeys: keys }),
          policies,
          plain,
          (hits, { key, cost }, verdict) => {
            if (!verdict.allowed) return
            for (const { limit, windowMs } of policies) {
              const before = hits.filter(
                (hit) => hit.key === key && hit.atMs > verdict.atMs - windowMs,
              )
              expect(sum(before) + cost).toBeLessThanOrEqual(limit)
            }
          },
        )
      },
      700,
    )
  },
  TIMEOUT_MS,
)

test(
  'limit-safety: a smooth policy admits at most burst + elapsed * limit / windowMs',
  () => {
    law(
      fc.tuple(fc.tuple(smooth), calls, maxKeys),
      ([policies, script, keys]) => {
        const [policy] = policies
        if (policy.kind !== 'smooth') return
        const { limit, windowMs, burst } = policy
        play(
          new MemoryLimits({ maxKeys: keys }),
          policies,
          script,
          (hits, { key, cost }, verdict) => {
            if (!verdict.allowed) return
            const own = [
              ...hits.filter((hit) => hit.key === key),
              { key, cost, atMs: verdict.atMs },
            ]
            for (const { atMs } of own) {
              const since = sum(own.filter((hit) => hit.atMs >= atMs))
              const most = burst * windowMs + (verdict.atMs - atMs) * limit
              expect(since * windowMs).toBeLessThanOrEqual(most)
            }
          },
        )
      },
      1500,
    )
  },
  TIMEOUT_MS,
)

test(
  'limit-liveness: a denial means more than limit - cost in the last windowMs + quantumMs - 1',
  () => {
    law(
      fc.tuple(fc.tuple(exact), calls),
      ([policies, script]) => {
        const [{ limit, windowMs, quantumMs }] = policies
        play(new MemoryLimits(), policies, script, (hits, { key, cost }, verdict) => {
          if (verdict.allowed) return
          const fromMs = verdict.atMs - (windowMs + quantumMs - 1)
          const recent = hits.filter((hit) => hit.key === key && hit.atMs > fromMs)
          expect(sum(recent)).toBeGreaterThan(limit - cost)
        })
      },
      1500,
    )
  },
  TIMEOUT_MS,
)

test(
  'retry-tight: a denied call is admitted after retryAfterMs and not 1 ms earlier',
  () => {
    law(
      fc.tuple(anyTier, steps, maxKeys),
      ([policies, script, keys]) => {
        const limits = new MemoryLimits({ maxKeys: keys, maxPermits: 5 })
        let nowMs = START_MS
        for (const [{ passMs, key, cost }, wish] of script) {
          nowMs += passMs
          const request = wishing({ key, policies, cost, nowMs }, wish)
          const { allowed, retryAfterMs, atMs } = limits.consume(request)
          if (allowed) expect(retryAfterMs).toBe(0)
          else if (retryAfterMs === -1) {
            expect(limits.peek({ ...request, nowMs: atMs + 10_000_000 }).allowed).toBe(false)
          } else {
            expect(retryAfterMs).toBeGreaterThan(0)
            expect(limits.peek({ ...request, nowMs: atMs + retryAfterMs }).allowed).toBe(true)
            expect(limits.peek({ ...request, nowMs: atMs + retryAfterMs - 1 }).allowed).toBe(false)
          }
        }
      },
      1200,
    )
  },
  TIMEOUT_MS,
)

test(
  'denial-pure: who was never denied and never peeked is answered the same',
  () => {
    law(
      fc.tuple(anyTier, steps, maxKeys),
      ([policies, script, keys]) => {
        const asked = new MemoryLimits({ maxKeys: keys, maxPermits: 5 })
        const quiet = new MemoryLimits({ maxKeys: keys, maxPermits: 5 })
        let nowMs = START_MS
        for (const [{ passMs, key, cost, also, which }, wish] of script) {
          nowMs += passMs
          const request = wishing({ key, policies, cost, nowMs }, wish)
          asked.peek({ ...request, nowMs: nowMs + which * 7 })
          const verdict = asked.consume(request)
          if (verdict.allowed) expect(quiet.consume(request)).toEqual(verdict)
          if (also !== 'peek') continue
          expect(asked.usage(key, policies, nowMs)).toEqual(quiet.usage(key, policies, nowMs))
          expect(asked.permits(key, nowMs)).toBe(quiet.permits(key, nowMs))
        }
      },
      1000,
    )
  },
  TIMEOUT_MS,
)

test(
  'all-or-nothing: an admission counts in every policy and the permit, a denial in none',
  () => {
    law(
      fc.tuple(exactTier, steps),
      ([policies, script]) => {
        const limits = new MemoryLimits()
        let nowMs = START_MS
        for (const [index, [{ passMs, key, cost }, wish]] of script.entries()) {
          nowMs += Math.abs(passMs)
          const before = limits.usage(key, policies, nowMs)
          const heldBefore = limits.permits(key, nowMs)
          // Each asks for a permit of its own.
          const own = wish && { ...wish, id: `p${index}` }
          const request = wishing({ key, policies, cost, nowMs }, own)
          const { allowed } = limits.consume(request)
          const after = limits.usage(key, policies, nowMs).map(({ used }) => used)
          expect(after).toEqual(before.map(({ used }) => (allowed ? used + cost : used)))
          const held = limits.permits(key, nowMs)
          expect(held).toBe(allowed && wish !== null ? heldBefore + 1 : heldBefore)
        }
      },
      700,
    )
  },
  TIMEOUT_MS,
)

test(
  'idle-forgets: a window of silence restores the whole limit, to the millisecond',
  () => {
    law(
      fc.tuple(fc.tuple(exact), calls, maxKeys),
      ([policies, script, keys]) => {
        const [{ limit, windowMs, quantumMs }] = policies
        const limits = new MemoryLimits({ maxKeys: keys })
        let last: Hit | undefined
        play(
          limits,
          policies,
          script.map((each) => ({ ...each, also: '' as const })),
          (_, request, verdict) => {
            if (verdict.allowed) last = { ...request, atMs: verdict.atMs }
          },
        )
        if (last === undefined) return
        const { key, atMs } = last
        const newestMs = atMs - (atMs % quantumMs) + quantumMs - 1
        const [early] = limits.usage(key, policies, newestMs + windowMs - 1)
        const [late] = limits.usage(key, policies, newestMs + windowMs)
        expect(early.used).toBeGreaterThan(0)
        expect(early.resetAtMs).toBe(newestMs + windowMs)
        expect(late.used).toBe(0)
        const whole = { key, policies, cost: limit, nowMs: newestMs + windowMs }
        expect(limits.consume(whole).allowed).toBe(true)
      },
      1000,
    )
  },
  TIMEOUT_MS,
)

test(
  'clock-back: a call at an earlier time is decided at the latest instant that changed something',
  () => {
    law(
      fc.tuple(anyTier, calls, maxKeys),
      ([policies, script, keys]) => {
        const back = new MemoryLimits({ maxKeys: keys })
        const steady = new MemoryLimits({ maxKeys: keys })
        let nowMs = START_MS
        let lastMs = 0
        for (const { passMs, key, cost } of script) {
          nowMs += passMs
          const latestMs = Math.max(nowMs, lastMs)
          const verdict = back.consume({ key, policies, cost, nowMs })
          expect(verdict).toEqual(steady.consume({ key, policies, cost, nowMs: latestMs }))
          expect(verdict.atMs).toBe(latestMs)
          if (verdict.allowed) lastMs = latestMs
        }
      },
      1000,
    )
  },
  TIMEOUT_MS,
)

test(
  'flood-bound: a flood of new keys stays in its memory and never frees a key over its limit',
  () => {
    const flood = fc.record({
      limit: fc.integer({ min: 1, max: 5 }),
      maxKeys: fc.integer({ min: 1, max: 20 }),
      windowMs: fc.integer({ min: 20, max: 200 }),
      bursts: fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.nat(30)), { maxLength: 40 }),
    })
    law(
      flood,
      ({ limit, maxKeys: most, windowMs, bursts }) => {
        const policies: ResolvedPolicy[] = [
          { kind: 'exact', name: 'a', limit, windowMs, quantumMs: 1 },
        ]
        const limits = new MemoryLimits({ maxKeys: most })
        const admittedMs: number[] = []
        let nowMs = START_MS
        let fresh = 0
        for (const [keys, passMs] of bursts) {
          for (let i = 0; i < keys; i++) {
            limits.consume({ key: `flood-${fresh++}`, policies, cost: 1, nowMs })
          }
          nowMs += passMs
          // The victim tries twice its limit each time.
          for (let i = 0; i < limit * 2; i++) {
            const { allowed } = limits.consume({ key: 'victim', policies, cost: 1, nowMs })
            if (allowed) admittedMs.push(nowMs)
          }
          const afterMs = nowMs - windowMs
          const recent = admittedMs.filter((ms) => ms > afterMs)
          expect(recent.length).toBeLessThanOrEqual(limit)
          const { keys: kept, lanes, bytes } = limits.size()
          expect(kept).toBeLessThanOrEqual(most)
          expect(lanes).toBeLessThanOrEqual(1024)
          expect(bytes).toBeLessThanOrEqual(256 * 1024)
        }
      },
      60,
    )
  },
  TIMEOUT_MS,
)

test(
  'idempotent-op: an opId that was admitted gives the same verdict and is counted once',
  () => {
    const op = fc.tuple(call, fc.constantFrom('o1', 'o2', 'o3'))
    law(
      fc.tuple(anyTier, fc.array(op, { maxLength: 60, size: 'max' })),
      ([policies, script]) => {
        const limits = new MemoryLimits()
        const windowMs = Math.max(...policies.map((policy) => policy.windowMs))
        const known = new Map<string, Verdict>()
        let nowMs = START_MS
        for (const [{ passMs, key, cost }, opId] of script) {
          nowMs += Math.abs(passMs)
          const before = limits.usage(key, policies, nowMs)
          const request = { key, policies, cost, nowMs, opId }
          expect(limits.peek(request)).toEqual(limits.peek(request))
          const verdict = limits.consume(request)
          const earlier = known.get(`${key} ${opId}`)
          if (earlier !== undefined && nowMs < earlier.atMs + windowMs) {
            expect(verdict).toEqual(earlier)
            expect(limits.usage(key, policies, nowMs)).toEqual(before)
          } else {
            expect(verdict.atMs).toBe(nowMs)
            if (verdict.allowed) known.set(`${key} ${opId}`, verdict)
          }
        }
      },
      800,
    )
  },
  TIMEOUT_MS,
)

test(
  'permit-bound: a key never holds more permits than its cap, and the dead hold none',
  () => {
    const move = fc.record({
      do: fc.constantFrom('take', 'take', 'take', 'renew', 'release', 'crash'),
      key: fc.constantFrom('k0', 'k1'),
      id: fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5'),
      ttlMs: fc.integer({ min: 1, max: 20 }),
      passMs: fc.nat(8),
    })
    const moves = fc.array(move, { maxLength: 100, size: 'max' })
    law(
      fc.tuple(fc.integer({ min: 1, max: 4 }), moves),
      ([cap, script]) => {
        const limits = new MemoryLimits()
        const deadlines = new Map<string, number>()
        let nowMs = START_MS
        for (const { do: what, key, id, ttlMs, passMs } of script) {
          nowMs += passMs
          const name = `${key} ${id}`
          const deadlineMs = nowMs + ttlMs
          const held = (deadlines.get(name) ?? 0) > nowMs
          if (what === 'take') {
            const request = { key, policies: [], cost: 1, nowMs, permit: { id, cap, deadlineMs } }
            const { allowed } = limits.consume(request)
            const oldMs = held ? (deadlines.get(name) ?? 0) : 0
            if (allowed) deadlines.set(name, Math.max(oldMs, deadlineMs))
          } else if (what === 'renew') {
            expect(limits.renew(key, id, deadlineMs, nowMs)).toBe(held)
            if (held) deadlines.set(name, deadlineMs)
          } else if (what === 'release') {
            expect(limits.release(key, id, nowMs)).toBe(held)
            deadlines.delete(name)
          }
          const atMs = nowMs
          const live = [...deadlines].filter(([each, ms]) => each.startsWith(key) && ms > atMs)
          expect(limits.permits(key, nowMs)).toBe(live.length)
          expect(live.length).toBeLessThanOrEqual(cap)
        }
      },
      1000,
    )
  },
  TIMEOUT_MS,
)
