import type { Usage, Verdict } from '@ostler/core'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MemoryLimits } from '../../../packages/core/src/store/memory-limits.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import {
  anyPolicies,
  openLimits,
  permitTraceOf,
  sameNames,
  traceOf,
  type Step,
} from './limits-rig.ts'
import type { LimitsHalf } from './limits-rig.ts'

const nightly = process.env['OSTLER_NIGHTLY'] !== undefined
const START_MS = 1_700_000_000_123
const RUNS = nightly ? 3_000 : 320

type Half = Omit<LimitsHalf, 'fresh'>

let server: RedisServer
let redis: LimitsHalf
let other: LimitsHalf
let prefixes = 0

beforeAll(async () => {
  server = await startRedis()
  redis = openLimits(server.url, 'unused')
  other = openLimits(server.url, 'unused')
})
afterAll(async () => {
  await redis.engine.close()
  await other.engine.close()
  await server.stop()
})

/** An admitted call, to be given back. */
interface Admitted {
  readonly step: Step
  readonly verdict: Verdict
}

type Answer = Verdict | readonly Usage[] | number | boolean

/** What the memory store answers to a step at an instant. */
function onMemory(memory: MemoryLimits, step: Step, nowMs: number, known: Admitted[]): Answer {
  const { act, key, policies, permit } = step
  switch (act) {
    case 'consume':
      return memory.consume(requestOf(step, nowMs))
    case 'peek':
      return memory.peek(requestOf(step, nowMs))
    case 'refund':
      return memory.refund(refundOf(step, nowMs, known))
    case 'usage':
      return memory.usage(key, policies, nowMs)
    case 'permits':
      return memory.permits(key, nowMs)
    case 'renew':
      return memory.renew(key, permit?.id ?? 'p1', nowMs + (permit?.ttlMs ?? 0), nowMs)
    case 'release':
      return memory.release(key, permit?.id ?? 'p1', nowMs)
  }
}

/** What the Redis store answers to the same, told what a clock shows that may have stepped back. */
function onRedis(
  half: Half,
  step: Step,
  nowMs: number,
  readMs: number,
  known: Admitted[],
): Promise<Answer> {
  const { act, key, policies, permit } = step
  switch (act) {
    case 'consume':
      return half.limits.consume({ ...requestOf(step, nowMs), nowMs: readMs })
    case 'peek':
      return half.limits.peek({ ...requestOf(step, nowMs), nowMs: readMs })
    case 'refund':
      return half.limits.refund({ ...refundOf(step, nowMs, known), nowMs: readMs })
    case 'usage':
      return half.limits.usage(key, policies, readMs)
    case 'permits':
      return half.permits.permits(key, readMs)
    case 'renew':
      return half.permits.renew(key, permit?.id ?? 'p1', nowMs + (permit?.ttlMs ?? 0), readMs)
    case 'release':
      return half.permits.release(key, permit?.id ?? 'p1', readMs)
  }
}

function requestOf({ key, policies, cost, permit, opId }: Step, nowMs: number) {
  return {
    key,
    policies,
    cost,
    nowMs,
    ...(opId !== undefined && { opId }),
    ...(permit !== null && {
      permit: { id: permit.id, cap: permit.cap, deadlineMs: nowMs + permit.ttlMs },
    }),
  }
}

/** An earlier call with its own cost or the step's, under its own policies or the step's. */
function refundOf(step: Step, nowMs: number, known: Admitted[]) {
  const { key, policies, cost, which } = step
  const call = known.length === 0 ? undefined : known[which % known.length]
  if (call === undefined) return { key, policies, cost, atMs: nowMs, nowMs }
  const { opId } = call.step
  return {
    key: call.step.key,
    policies: which % 3 === 0 ? policies : call.step.policies,
    cost: which % 5 === 0 ? cost : call.step.cost,
    atMs: which % 7 === 0 ? call.verdict.atMs + 1 : call.verdict.atMs,
    nowMs,
    ...(opId !== undefined && which % 2 === 0 && { opId }),
  }
}

function remember(step: Step, answer: Answer, known: Admitted[]): void {
  if (step.act !== 'consume') return
  const verdict = answer as Verdict
  if (verdict.allowed) known.push({ step, verdict })
}

const everything: readonly Step['act'][] = [
  ...(['consume', 'consume', 'consume', 'consume', 'peek', 'refund', 'refund', 'usage'] as const),
  ...(['permits', 'renew', 'release'] as const),
]

it('answers every trace as the memory store does', { timeout: 600_000 }, async () => {
  const trace = traceOf(anyPolicies, everything)
  let taken = 0
  let refunds = 0
  let denials = 0
  await fc.assert(
    fc.asyncProperty(trace, async (steps) => {
      const half = redis.fresh(`trace${prefixes++}`)
      const memory = new MemoryLimits()
      const known: Admitted[] = []
      let readMs = START_MS
      let nowMs = 0
      taken += steps.length
      for (const [index, step] of steps.entries()) {
        readMs += step.passMs
        // One store object never lets its time go back.
        nowMs = Math.max(nowMs, readMs)
        const expected = onMemory(memory, step, nowMs, known)
        const answer = await onRedis(half, step, nowMs, readMs, known)
        expect(answer, `step ${index}`).toEqual(expected)
        if (step.act === 'refund' && expected === true) refunds++
        if (step.act === 'consume' && !(expected as Verdict).allowed) denials++
        remember(step, expected, known)
      }
    }),
    { numRuns: RUNS },
  )
  expect(taken).toBeGreaterThan(RUNS * 80)
  expect(refunds).toBeGreaterThan(RUNS)
  expect(denials).toBeGreaterThan(RUNS)
})

it('keeps to the newest instant of a key, whichever store asks', { timeout: 600_000 }, async () => {
  const acts = ['consume', 'consume', 'consume', 'peek', 'refund', 'usage'] as const
  const permitActs = ['consume', 'consume', 'peek', 'permits', 'renew', 'release'] as const
  const traces = [
    ...sameNames.map((policies) => traceOf(policies, acts)),
    permitTraceOf(permitActs),
  ]
  let heldBack = 0
  await fc.assert(
    fc.asyncProperty(fc.oneof(...traces), async (steps) => {
      const prefix = `clocks${prefixes++}`
      // Two clocks that run apart; each key of the memory stores has a time of its own.
      const halves = [redis.fresh(prefix), other.fresh(prefix)]
      const readMs = [START_MS, START_MS - 30]
      const nowMs = [0, 0]
      const memories = new Map<string, MemoryLimits>()
      const known = new Map<string, Admitted[]>()
      for (const [index, step] of steps.entries()) {
        const who = step.which % 2
        readMs[who] += step.passMs
        nowMs[who] = Math.max(nowMs[who], readMs[who])
        const memory = memories.get(step.key) ?? new MemoryLimits()
        memories.set(step.key, memory)
        const own = known.get(step.key) ?? []
        known.set(step.key, own)
        // A refund under policies of another kind or name would read only part of the key.
        const whole = step.act === 'refund' ? { ...step, which: step.which * 6 + 3 } : step
        const expected = onMemory(memory, whole, nowMs[who], own)
        const answer = await onRedis(halves[who], whole, nowMs[who], readMs[who], own)
        expect(answer, `step ${index}`).toEqual(expected)
        if (step.act === 'consume' && (expected as Verdict).atMs > nowMs[who]) heldBack++
        remember(step, expected, own)
      }
    }),
    { numRuns: RUNS },
  )
  expect(heldBack).toBeGreaterThan(RUNS)
})
