import type { ResolvedPolicy } from '@ostler/core'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MemoryLimits } from '../../../packages/core/src/store/memory-limits.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { openLimits, type LimitsHalf } from './limits-rig.ts'

const nightly = process.env['OSTLER_NIGHTLY'] !== undefined
const START_MS = 1_700_000_000_000

let server: RedisServer
let redis: LimitsHalf
let prefixes = 0

beforeAll(async () => {
  server = await startRedis()
  redis = openLimits(server.url, 'unused')
})
afterAll(async () => {
  await redis.engine.close()
  await server.stop()
})

function exact(limit: number, windowMs: number, quantumMs = 1): ResolvedPolicy {
  return { kind: 'exact', name: 'long', limit, windowMs, quantumMs }
}

/** Several calls, each some ms after the one before; then a look, or a refund of an earlier call. */
const burst = fc.record({
  calls: fc.integer({ min: 1, max: 120 }),
  everyMs: fc.integer({ min: 0, max: 3 }),
  cost: fc.constantFrom(1, 1, 1, 2, 9),
  pauseMs: fc.oneof(fc.nat(10), fc.constantFrom(100, 400, 700)),
  window: fc.constantFrom(700, 700, 700, 300, 1_500),
  quantum: fc.constantFrom(1, 1, 1, 4),
  limit: fc.constantFrom(150, 400, 400, 900),
  refund: fc.nat(400),
})

it('keeps long logs as the memory store does', { timeout: 600_000 }, async () => {
  let denied = 0
  let given = 0
  await fc.assert(
    fc.asyncProperty(fc.array(burst, { minLength: 1, maxLength: 14 }), async (bursts) => {
      const { limits } = redis.fresh(`long${prefixes++}`)
      const memory = new MemoryLimits()
      const admitted: { atMs: number; cost: number }[] = []
      let nowMs = START_MS
      for (const { calls, everyMs, cost, pauseMs, window, quantum, limit, refund } of bursts) {
        nowMs += pauseMs
        const policies = [exact(limit, window, quantum)]
        const requests = Array.from({ length: calls }, (_, i) => {
          return { key: 'k', policies, cost, nowMs: nowMs + i * everyMs }
        })
        nowMs += (calls - 1) * everyMs
        const verdicts = await Promise.all(requests.map((request) => limits.consume(request)))
        expect(verdicts).toEqual(requests.map((request) => memory.consume(request)))
        for (const { allowed, atMs } of verdicts) {
          if (allowed) admitted.push({ atMs, cost })
          else denied++
        }
        const back = admitted[admitted.length - 1 - refund]
        if (back !== undefined) {
          const request = { key: 'k', policies, ...back, nowMs }
          const expected = memory.refund(request)
          expect(await limits.refund(request)).toBe(expected)
          if (expected) given++
        }
        expect(await limits.usage('k', policies, nowMs)).toEqual(memory.usage('k', policies, nowMs))
      }
    }),
    { numRuns: nightly ? 2_000 : 60 },
  )
  expect(denied).toBeGreaterThan(1_000)
  expect(given).toBeGreaterThan(20)
})

it('keeps at most 4,096 hits, and then counts the oldest for longer', async () => {
  const { limits } = redis.fresh(`most${prefixes++}`)
  const memory = new MemoryLimits()
  // Such a policy can't be resolved; only quanta that change from call to call make such a log.
  const policies = [exact(1_000_000, 10_000)]
  for (let sent = 0; sent < 4_300; sent += 100) {
    const requests = Array.from({ length: 100 }, (_, i) => {
      return { key: 'k', policies, cost: 1, nowMs: START_MS + sent + i }
    })
    const verdicts = await Promise.all(requests.map((request) => limits.consume(request)))
    expect(verdicts).toEqual(requests.map((request) => memory.consume(request)))
  }
  const used: number[] = []
  for (const afterMs of [10_000, 10_202, 10_203, 10_204, 10_205, 12_000]) {
    const nowMs = START_MS + afterMs
    const [usage] = await limits.usage('k', policies, nowMs)
    expect(usage).toEqual(memory.usage('k', policies, nowMs)[0])
    used.push(usage.used)
  }
  expect(used.slice(0, 2)).toEqual([4_300, 4_300])
  const entries = await server.ask('strlen', await onlyKey(`*most*`))
  expect(entries).toBeLessThanOrEqual(40 + (4_096 * 1.25 + 17) * 12)
})

async function onlyKey(pattern: string): Promise<string> {
  const keys = (await server.ask('keys', pattern)) as string[]
  expect(keys).toHaveLength(1)
  return keys[0]
}

it('appends to a long log, and cuts off what has expired', async () => {
  const { limits } = redis.fresh(`cut${prefixes++}`)
  const policies = [exact(400, 300)]
  const lengths: number[] = []
  let key = ''
  for (let i = 0; i < 1_000; i++) {
    await limits.consume({ key: 'k', policies, cost: 1, nowMs: START_MS + i })
    if (key === '') key = await onlyKey('*cut*')
    if (i > 300 && i % 10 === 0) lengths.push((await server.ask('strlen', key)) as number)
  }
  // 300 entries count, at most a quarter more and 16 wait to be cut off.
  expect(Math.min(...lengths)).toBeGreaterThanOrEqual(40 + 298 * 12)
  expect(Math.max(...lengths)).toBeLessThanOrEqual(40 + (300 + 75 + 17) * 12)
  expect(new Set(lengths).size).toBeGreaterThan(5)
})
