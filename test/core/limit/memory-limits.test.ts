import { expect, test } from 'vitest'
import { OstlerError } from '../../../packages/core/src/errors.ts'
import type { ResolvedPolicy } from '../../../packages/core/src/limit/policy.ts'
import { hash32 } from '../../../packages/core/src/random.ts'
import { MemoryLimits } from '../../../packages/core/src/store/memory-limits.ts'

const NOW_MS = 1_700_000_000_000
const minute: ResolvedPolicy = {
  kind: 'exact',
  name: 'minute',
  limit: 3,
  windowMs: 60_000,
  quantumMs: 1,
}
const hour: ResolvedPolicy = { ...minute, name: 'hour', limit: 5, windowMs: 3_600_000 }
const call = { key: 'k', policies: [minute], cost: 1, nowMs: NOW_MS }

test('names the policy with least left when it admits, and the first of equals', () => {
  const limits = new MemoryLimits()
  const policies = [hour, minute]
  expect(limits.consume({ ...call, policies })).toEqual({
    allowed: true,
    policy: 'minute',
    limit: 3,
    remaining: 2,
    resetAtMs: NOW_MS + 60_000,
    retryAfterMs: 0,
    atMs: NOW_MS,
  })
  const equals = [{ ...minute, name: 'x' }, minute]
  expect(new MemoryLimits().consume({ ...call, policies: equals }).policy).toBe('x')
})

test('names the policy that holds out longest when it denies, and never is longest', () => {
  const limits = new MemoryLimits()
  const policies = [minute, hour]
  for (let i = 0; i < 3; i++) limits.consume({ ...call, policies })
  expect(limits.consume({ ...call, policies })).toMatchObject({ policy: 'minute' })
  expect(limits.consume({ ...call, policies, cost: 3 })).toMatchObject({
    policy: 'hour',
    remaining: 2,
    retryAfterMs: 3_600_000,
  })
  expect(limits.consume({ ...call, policies, cost: 4 })).toMatchObject({
    policy: 'minute',
    retryAfterMs: -1,
  })
})

test('a tier without policies admits all', () => {
  expect(new MemoryLimits().consume({ ...call, policies: [] })).toEqual({
    allowed: true,
    policy: 'none',
    limit: 2147483647,
    remaining: 2147483647,
    resetAtMs: NOW_MS,
    retryAfterMs: 0,
    atMs: NOW_MS,
  })
})

test('a permit binds like a policy, and a refusal by it counts nowhere', () => {
  const limits = new MemoryLimits()
  const permit = { id: 'p1', cap: 1, deadlineMs: NOW_MS + 500 }
  const taken = { policy: 'permits', limit: 1, remaining: 0, resetAtMs: NOW_MS + 500 }
  expect(limits.consume({ ...call, permit })).toMatchObject({ allowed: true, ...taken })
  const second = { ...call, permit: { ...permit, id: 'p2', deadlineMs: NOW_MS + 900 } }
  const denied = { allowed: false, ...taken, retryAfterMs: 500 }
  expect(limits.consume(second)).toMatchObject(denied)
  expect(limits.usage('k', [minute], NOW_MS)[0].used).toBe(1)
  expect(limits.consume({ ...second, nowMs: NOW_MS + 500 })).toMatchObject({ allowed: true })
})

test('a held permit is extended by its repeat, whatever the cap', () => {
  const limits = new MemoryLimits()
  const permit = { id: 'p1', cap: 2, deadlineMs: NOW_MS + 500 }
  limits.consume({ ...call, policies: [], permit })
  limits.consume({ ...call, policies: [], permit: { ...permit, id: 'p2' } })
  const again = { ...permit, cap: 1, deadlineMs: NOW_MS + 800 }
  expect(limits.consume({ ...call, policies: [], permit: again }).allowed).toBe(true)
  expect(limits.permits('k', NOW_MS + 499)).toBe(2)
  expect(limits.permits('k', NOW_MS + 500)).toBe(1)
  expect(limits.permits('k', NOW_MS + 800)).toBe(0)
})

test('all permits of the store held: a new one waits for the first to expire', () => {
  const limits = new MemoryLimits({ maxPermits: 2 })
  const take = (key: string, ttlMs: number, nowMs = NOW_MS): object =>
    limits.consume({
      ...call,
      key,
      nowMs,
      policies: [],
      permit: { id: 'p', cap: 9, deadlineMs: NOW_MS + ttlMs },
    })
  take('a', 300)
  take('b', 200)
  expect(take('c', 900)).toMatchObject({ allowed: false, policy: 'permits', retryAfterMs: 200 })
  expect(take('c', 900, NOW_MS + 200)).toMatchObject({ allowed: true })
})

test('an opId is remembered for its longest window, per key, and given back once', () => {
  const limits = new MemoryLimits()
  const op = { ...call, opId: 'o' }
  const verdict = limits.consume(op)
  expect(limits.consume({ ...op, nowMs: NOW_MS + 59_999, cost: 2 })).toBe(verdict)
  expect(limits.consume({ ...op, key: 'other' }).remaining).toBe(2)
  const back = { ...op, atMs: NOW_MS }
  expect(limits.refund({ ...back, cost: 2 })).toBe(false)
  expect(limits.refund({ ...back, atMs: NOW_MS + 1 })).toBe(false)
  expect(limits.refund(back)).toBe(true)
  expect(limits.refund(back)).toBe(false)
  expect(limits.usage('k', [minute], NOW_MS)[0].used).toBe(0)
  expect(limits.consume(op)).toMatchObject({ allowed: true, remaining: 2 })
})

test('an opId gives back its own call and no other', () => {
  const limits = new MemoryLimits()
  limits.consume({ ...call, opId: 'o' })
  limits.consume({ ...call, nowMs: NOW_MS + 1 })
  const other = { ...call, opId: 'o', atMs: NOW_MS + 1, nowMs: NOW_MS + 1 }
  expect(limits.refund(other)).toBe(false)
  expect(limits.usage('k', [minute], NOW_MS + 1)[0].used).toBe(2)
})

test('an op given back and done again counts again', () => {
  const limits = new MemoryLimits()
  const op = { ...call, opId: 'o', cost: 3 }
  limits.consume(op)
  limits.refund({ ...op, atMs: NOW_MS })
  limits.consume({ ...call, cost: 2 })
  expect(limits.consume(op)).toMatchObject({ allowed: false, remaining: 1 })
})

test('refuses an opId it could not remember, and counts nothing then', () => {
  const limits = new MemoryLimits({ maxOps: 1 })
  limits.consume({ ...call, opId: 'o1' })
  expect(() => limits.consume({ ...call, opId: 'o2' })).toThrow(OstlerError)
  expect(() => limits.consume({ ...call, opId: 'o2' })).toThrow('(maxOps)')
  expect(limits.usage('k', [minute], NOW_MS)[0].used).toBe(1)
  expect(limits.consume({ ...call, opId: 'o2', nowMs: NOW_MS + 60_000 }).allowed).toBe(true)
})

test('gives back in each policy where the hits still count', () => {
  const limits = new MemoryLimits()
  const request = { ...call, policies: [minute, hour], cost: 2 }
  limits.consume(request)
  const back = { ...request, atMs: NOW_MS }
  expect(limits.refund({ ...back, cost: 3 })).toBe(false)
  expect(limits.refund({ ...back, nowMs: NOW_MS + 60_000 })).toBe(true)
  const used = limits.usage('k', [minute, hour], NOW_MS + 60_000).map((each) => each.used)
  expect(used).toEqual([0, 0])
  expect(limits.refund(back)).toBe(false)
})

test('a key without a record of its own stays in its lane until the lane is idle', () => {
  const limits = new MemoryLimits({ maxKeys: 1, seed: 3 })
  const lane = (key: string): number => hash32(key, 3) & 1023
  let mate = 0
  while (lane(`m${mate}`) !== lane('late') || `m${mate}` === 'late') mate++
  const at = (key: string, passMs: number, cost = 1): { allowed: boolean; remaining: number } =>
    limits.consume({ ...call, key, cost, nowMs: NOW_MS + passMs })
  at('owner', 0)
  expect(at('late', 10, 2)).toMatchObject({ allowed: true, remaining: 1 })
  // The mate is counted together with `late`: too much for it, never too little for anyone.
  expect(at(`m${mate}`, 20)).toMatchObject({ allowed: true, remaining: 0 })
  expect(limits.size()).toMatchObject({ keys: 1, lanes: 1 })
  // The owner's record is idle now, but the history of `late` is in its lane.
  expect(at('late', 60_009)).toMatchObject({ allowed: false })
  expect(limits.refund({ ...call, key: 'late', atMs: NOW_MS + 10, nowMs: NOW_MS + 60_009 })).toBe(
    false,
  )
  expect(at('late', 60_010, 2)).toMatchObject({ allowed: true, remaining: 0 })
  expect(at('fresh', 200_000, 3)).toMatchObject({ allowed: true })
  expect(limits.size()).toMatchObject({ keys: 1, lanes: 1 })
})

test('a key with a longer window does not bar the eviction of idle ones', () => {
  const limits = new MemoryLimits({ maxKeys: 2 })
  const long = { ...minute, windowMs: 86_400_000 }
  limits.consume({ ...call, key: 'long', policies: [long] })
  limits.consume({ ...call, key: 'short' })
  for (let i = 1; i <= 5; i++) {
    limits.consume({ ...call, key: `new${i}`, nowMs: NOW_MS + i * 60_000 })
  }
  expect(limits.size()).toMatchObject({ keys: 2, lanes: 0 })
  expect(limits.usage('long', [long], NOW_MS + 300_000)[0].used).toBe(1)
})

test('keeps exact and smooth policies of one name apart', () => {
  const limits = new MemoryLimits()
  limits.consume({ ...call, cost: 3 })
  const smooth: ResolvedPolicy = {
    kind: 'smooth',
    name: 'minute',
    limit: 3,
    windowMs: 60_000,
    burst: 2,
  }
  expect(limits.consume({ ...call, policies: [smooth] })).toMatchObject({ limit: 2, remaining: 1 })
  expect(limits.consume(call).allowed).toBe(false)
})

test('a full log of 4,096 counted hits is exact over many windows and months', () => {
  const limits = new MemoryLimits()
  const policy: ResolvedPolicy = {
    kind: 'exact',
    name: 'month',
    limit: 10_000,
    windowMs: 2_678_400_000,
    quantumMs: 654_070,
  }
  let nowMs = NOW_MS
  let hits: { at: number; cost: number }[] = []
  for (let i = 0; i < 30_000; i++) {
    nowMs += 327_035
    const afterMs = nowMs - policy.windowMs
    hits = hits.filter((hit) => hit.at > afterMs)
    const used = hits.reduce((sum, hit) => sum + hit.cost, 0)
    const cost = 1 + (i % 3)
    const { allowed, remaining } = limits.consume({ ...call, policies: [policy], cost, nowMs })
    expect(allowed).toBe(used + cost <= policy.limit)
    expect(remaining).toBe(policy.limit - used - (allowed ? cost : 0))
    if (allowed) hits.push({ at: nowMs - (nowMs % 654_070) + 654_069, cost })
  }
  expect(limits.size().bytes).toBeLessThan(300_000)
})

test('quanta that change from call to call over-count at most, and stay within their block', () => {
  const limits = new MemoryLimits()
  let nowMs = NOW_MS
  for (let i = 0; i < 9000; i++) {
    nowMs += 2
    const quantumMs = i % 2 === 0 ? 60 : 61
    const policy: ResolvedPolicy = { ...minute, limit: 100_000, windowMs: 120_000, quantumMs }
    limits.consume({ ...call, policies: [policy], nowMs })
    const fine: ResolvedPolicy = { ...policy, quantumMs: 30 + (i % 30) }
    limits.consume({ ...call, policies: [fine], nowMs })
  }
  const policy: ResolvedPolicy = { ...minute, limit: 100_000, windowMs: 120_000, quantumMs: 60 }
  expect(limits.usage('k', [policy], nowMs)[0].used).toBe(18_000)
  expect(limits.usage('k', [policy], nowMs + 120_061)[0].used).toBe(0)
})

test('five million keys in a flood leave memory as it was', () => {
  const maxKeys = 10_000
  const limits = new MemoryLimits({ maxKeys })
  const victim = { ...call, key: 'victim', cost: 3 }
  expect(limits.consume(victim).allowed).toBe(true)
  let bytes = 0
  for (let i = 0; i < 5_000_000; i++) {
    limits.consume({ ...call, key: `flood${i}`, nowMs: NOW_MS + Math.floor(i / 100) })
    if (i === 100_000) bytes = limits.size().bytes
  }
  expect(limits.size()).toMatchObject({ keys: maxKeys, lanes: 1024 })
  expect(limits.size().bytes - bytes).toBeLessThan(70_000)
  expect(limits.consume({ ...victim, cost: 1, nowMs: NOW_MS + 59_999 }).allowed).toBe(false)
})
