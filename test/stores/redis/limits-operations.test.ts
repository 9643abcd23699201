import type { ResolvedPolicy } from '@ostler/core'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MemoryOps } from '../../../packages/core/src/store/memory-ops.ts'
import { Keys } from '../../../packages/store-redis/src/keys.ts'
import { RedisOps } from '../../../packages/store-redis/src/ops.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { openLimits, type LimitsHalf } from './limits-rig.ts'

const nightly = process.env['OSTLER_NIGHTLY'] !== undefined
const RUNS = nightly ? 3_000 : 200
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

const step = fc.record({
  act: fc.constantFrom('begin', 'begin', 'complete'),
  id: fc.constantFrom('a', 'b'),
  fingerprint: fc.constantFrom('one', 'one', 'one', 'two'),
  value: fc.constantFrom('', 'null', '\u0000\n ü', null),
  passMs: fc.oneof(fc.nat(4), fc.integer({ min: 0, max: 30 })),
  runMs: fc.integer({ min: -2, max: 20 }),
  keepMs: fc.integer({ min: -2, max: 40 }),
})

it(
  'starts and ends idempotent operations as the memory store does',
  { timeout: 300_000 },
  async () => {
    const kinds = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
        async (steps) => {
          const prefix = `ops${prefixes++}`
          const ops = new RedisOps(redis.fresh(prefix).engine, new Keys(prefix))
          const memory = new MemoryOps()
          let nowMs = START_MS
          for (const [
            index,
            { act, id, fingerprint, value, passMs, runMs, keepMs },
          ] of steps.entries()) {
            nowMs += passMs
            if (act === 'complete') {
              const request = { id, fingerprint, value, nowMs }
              const expected = memory.complete(request)
              expect(await ops.complete(request), `step ${index}`).toBe(expected)
              continue
            }
            const times = { nowMs, runUntilMs: nowMs + runMs, expiresAtMs: nowMs + keepMs }
            const expected = memory.begin({ id, fingerprint, ...times })
            expect(await ops.begin({ id, fingerprint, ...times }), `step ${index}`).toEqual(
              expected,
            )
            kinds.set(expected.kind, (kinds.get(expected.kind) ?? 0) + 1)
          }
        },
      ),
      { numRuns: RUNS },
    )
    for (const kind of ['started', 'running', 'done', 'mismatch']) {
      expect(kinds.get(kind), kind).toBeGreaterThan(50)
    }
  },
)

it('gives nothing back for an operation that is forgotten, though its hit still counts', async () => {
  const { limits } = redis.fresh(`ops${prefixes++}`)
  const policies: readonly ResolvedPolicy[] = [
    { kind: 'exact', name: 'p', limit: 5, windowMs: 100, quantumMs: 50 },
  ]
  const call = { key: 'k', policies, cost: 1, nowMs: START_MS, opId: 'op' }
  const { atMs } = await limits.consume(call)
  const refund = { key: 'k', policies, cost: 1, atMs, nowMs: START_MS + 120 }
  expect((await limits.usage('k', policies, START_MS + 120))[0].used).toBe(1)
  expect(await limits.refund({ ...refund, opId: 'op' })).toBe(false)
  expect(await limits.refund(refund)).toBe(true)
})
