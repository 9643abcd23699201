import type { ResolvedPolicy, Verdict } from '@ostler/core'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MemoryLimits } from '../../../packages/core/src/store/memory-limits.ts'
import { Batch } from '../../../packages/store-redis/src/call.ts'
import { Link } from '../../../packages/store-redis/src/client.ts'
import {
  ADMIT,
  CONSUME,
  ConsumeCall,
  ConsumeRoute,
} from '../../../packages/store-redis/src/consume.ts'
import { compile } from '../../../packages/store-redis/src/policies.ts'
import { seed } from '../../properties/replay.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'

const nightly = process.env['OSTLER_NIGHTLY'] !== undefined
const START_MS = 1_700_000_000_000

let server: RedisServer
let client: Redis
let link: Link
let runs = 0

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.port)
  link = new Link(client, false, 1_000)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

/** Plain calls go by the server's clock: here by what is taken from the end of a script's arguments. */
const AT_AN_INSTANT = 'local server_ms = tonumber(table.remove(ARGV))'

/** Has all keys admitted by one EVAL, at an instant. */
async function admitAll(
  run: number,
  keys: readonly string[],
  policies: readonly ResolvedPolicy[],
  nowMs: number,
): Promise<Verdict[]> {
  const compiled = compile(policies)
  const script = compiled.isOneExact ? ADMIT : CONSUME
  const route = new ConsumeRoute(script, true, compiled, '1000', 'changes', null)
  const batch = new Batch(route, link, false, 1_000)
  const verdicts: Verdict[] = []
  for (const key of keys) {
    const names = compiled.suffixes.map((suffix) => `${run}:{${key}}:${suffix}`)
    const request = { key, policies, cost: 1, nowMs }
    const answer = (verdict: Verdict): number => verdicts.push(verdict)
    const fail = (error: Error): never => {
      throw error
    }
    batch.calls.push(new ConsumeCall(request, key, names, [], null, answer, fail))
  }
  const text = script.text.replace('local server_ms = 0', AT_AN_INSTANT)
  const reply = await client.callBuffer('eval', [...batch.command(text), nowMs])
  expect(route.answer(reply, batch)).toBe(nowMs)
  return verdicts
}

const policy = (name: string): fc.Arbitrary<ResolvedPolicy> =>
  fc
    .record({
      limit: fc.oneof(fc.integer({ min: 0, max: 8 }), fc.constantFrom(40, 400)),
      windowMs: fc.constantFrom(1, 10, 100, 997),
      quantumMs: fc.constantFrom(1, 1, 5, 100),
    })
    .map(({ limit, windowMs, quantumMs }) => {
      return { kind: 'exact', name, limit, windowMs, quantumMs: Math.min(windowMs, quantumMs) }
    })

const lists = fc.oneof(fc.tuple(policy('a')), fc.tuple(policy('a'), policy('b')))

/** Some ms later, so many calls at once by one of the lists of policies, on few keys. */
const step = fc.record({
  passMs: fc.oneof(fc.nat(12), fc.constantFrom(90, 500, 1_000)),
  keys: fc.array(fc.constantFrom('x', 'y', 'z'), { minLength: 1, maxLength: 32, size: 'max' }),
  list: fc.nat(2),
})

it('admits plain calls as the memory store does, several of one key in one script too', async () => {
  let denied = 0
  const trace = fc.tuple(
    fc.array(lists, { minLength: 3, maxLength: 3 }),
    fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
  )
  await fc.assert(
    fc.asyncProperty(trace, async ([policies, steps]) => {
      const memory = new MemoryLimits()
      const run = runs++
      let nowMs = START_MS
      for (const { passMs, keys, list } of steps) {
        nowMs += passMs
        const verdicts = await admitAll(run, keys, policies[list], nowMs)
        const expected = keys.map((key) =>
          memory.consume({ key, policies: policies[list], cost: 1, nowMs }),
        )
        expect(verdicts).toEqual(expected)
        denied += verdicts.filter(({ allowed }) => !allowed).length
      }
    }),
    { seed, numRuns: nightly ? 2_000 : 150 },
  )
  expect(denied).toBeGreaterThan(1_000)
}, 600_000)

it('decides a plain call no earlier than the key was decided at, where the clock goes back', async () => {
  const run = runs++
  const policies: ResolvedPolicy[] = [
    { kind: 'exact', name: 'a', limit: 2, windowMs: 100, quantumMs: 1 },
  ]
  const [first] = await admitAll(run, ['x'], policies, START_MS)
  const [second, third, other] = await admitAll(run, ['x', 'x', 'y'], policies, START_MS - 50)
  expect([first.remaining, second.remaining, other.remaining]).toEqual([1, 0, 1])
  expect([second.atMs, other.atMs]).toEqual([START_MS, START_MS - 50])
  expect(third).toMatchObject({ allowed: false, atMs: START_MS, retryAfterMs: 100 })
})

it('leaves alone what somebody else keeps under a name of ours, as every other call does', async () => {
  const exact = { kind: 'exact', limit: 2, windowMs: 100, quantumMs: 1 } as const
  const one: ResolvedPolicy[] = [{ ...exact, name: 'a' }]
  const both: ResolvedPolicy[] = [{ ...exact, name: 'b' }, ...one]
  for (const policies of [one, both]) {
    const run = runs++
    const foreign = `${run}:{x}:${compile(one).suffixes[0]}`
    await client.sadd(foreign, 'not a log')
    const refused = expect.objectContaining({ message: expect.stringMatching('WRONGTYPE') })
    await expect(admitAll(run, ['x'], policies, START_MS)).rejects.toEqual(refused)
    expect(await client.keys(`${run}:*`)).toEqual([foreign])
    expect(await client.smembers(foreign)).toEqual(['not a log'])
    expect(await admitAll(run, ['y'], policies, START_MS)).toMatchObject([{ allowed: true }])
  }
})
