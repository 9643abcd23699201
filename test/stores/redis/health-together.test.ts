import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { seed } from '../../properties/replay.ts'
import { linkTo, openHealth, type HealthHalf } from './health-rig.ts'

const HEALTH = {
  ladder: [{ health: 'unavailable', durationMs: 300_000 }],
  rateLimitedMs: 30_000,
  strikeDecayMs: 3_600_000,
  okStreakToForget: 3,
  jitter: 0,
} as const
const DOMAINS = ['d', 'e', 'f']
const AGENTS = ['a', 'b', 'c', 'g']
/** Few, so that a domain's leases are counted anew while some are on their way. */
const MAX_LEASES = 18

let server: RedisServer
let redis: Redis
let runs = 0

beforeAll(async () => {
  server = await startRedis()
  redis = linkTo(server.url).client as Redis
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const pick = fc.record({
  domain: fc.constantFrom(...DOMAINS),
  lease: fc.nat(80),
  agents: fc.uniqueArray(fc.constantFrom(...AGENTS), { minLength: 1, maxLength: 4 }),
  slots: fc.constantFrom(2, 8, 100),
})
type Pick = typeof pick extends fc.Arbitrary<infer T> ? T : never

/** What a pick comes to: the server's instants and versions aside. */
async function acquire({ store }: HealthHalf, wanted: Pick, deadlineMs: number): Promise<unknown> {
  const { domain, lease, agents, slots } = wanted
  const candidates = agents.map((agentId) => ({ agentId, exit: agentId, maxConcurrency: slots }))
  const leaseId = `${domain}${lease}`
  const rest = { deadlineMs, nowMs: 0, viewVersion: 0, health: HEALTH }
  try {
    const told = await store.acquire({ domain, candidates, leaseId, ...rest })
    if (told.kind === 'refused') return told.kind
    const { index, epoch, probe } = told
    return { index, epoch, probe }
  } catch (error) {
    return (error as { code: string }).code
  }
}

/** What is noted of a domain's leases, and how many it was ever given. */
async function noted(prefix: string, domain: string): Promise<unknown> {
  const leases = await redis.zrange(`${prefix}:{health}:i:${domain}`, '0', '-1')
  const given = await redis.hget(`${prefix}:{health}:m:${domain}`, 'n')
  const ttlMs = await redis.pttl(`${prefix}:{health}:i:${domain}`)
  return { leases: leases.sort(), given, goesByItself: leases.length === 0 || ttlMs > 0 }
}

it('gives picks that travel together what it gives them one by one', async () => {
  let full = 0
  const batches = fc.array(fc.array(pick, { minLength: 1, maxLength: 32, size: 'max' }), {
    minLength: 1,
    maxLength: 5,
  })
  await fc.assert(
    fc.asyncProperty(batches, async (turns) => {
      const [one, other] = [`one${runs}`, `other${runs++}`]
      const options = { time: 'server', maxLeases: MAX_LEASES } as const
      const together = openHealth(linkTo(server.url), { ...options, prefix: one })
      const alone = openHealth(linkTo(server.url), { ...options, prefix: other })
      const deadlineMs = Date.now() + 600_000
      for (const half of [together, alone]) {
        await half.store.exclude('b', 'e', deadlineMs, 0)
      }
      for (const picks of turns) {
        const told = await Promise.all(picks.map((each) => acquire(together, each, deadlineMs)))
        const expected: unknown[] = []
        for (const each of picks) expected.push(await acquire(alone, each, deadlineMs))
        expect(told).toEqual(expected)
        full += told.filter((one) => one === 'STORE_FULL').length
      }
      for (const domain of DOMAINS) {
        const notes = await noted(one, domain)
        expect(notes).toEqual(await noted(other, domain))
        expect(notes).toMatchObject({ goesByItself: true })
      }
      await together.close()
      await alone.close()
    }),
    { seed, numRuns: 40 },
  )
  expect(full).toBeGreaterThan(0)
}, 120_000)
