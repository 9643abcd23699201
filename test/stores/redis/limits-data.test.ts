import type { ResolvedPolicy } from '@ostler/core'
import { redisStore, type RedisStore } from '@ostler/store-redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../servers/redis.ts'

/** What a TTL may be longer than what it is for. */
const SLACK_MS = 1_000
const DAY_MS = 86_400_000

const policies: readonly ResolvedPolicy[] = [
  { kind: 'exact', name: 'minute', limit: 5, windowMs: 60_000, quantumMs: 1 },
  { kind: 'exact', name: 'hour', limit: 3_000, windowMs: 3_600_000, quantumMs: 15_000 },
  { kind: 'smooth', name: 'flow', limit: 10, windowMs: 10_000, burst: 5 },
]

let server: RedisServer
let client: Redis

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})
beforeEach(async () => {
  await client.flushall()
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

/** One of everything that the limits half keeps. */
async function useAll(store: RedisStore, nowMs: number): Promise<void> {
  const permit = { id: 'permit-tulip', cap: 3, deadlineMs: nowMs + 20_000 }
  const call = { key: 'key-crocus', policies, cost: 1, nowMs }
  await store.consume({ ...call, permit, opId: 'op-dahlia' })
  const { atMs } = await store.consume(call)
  await store.refund({ key: 'key-crocus', policies, cost: 1, atMs, nowMs })
  await store.renew('key-crocus', 'permit-tulip', nowMs + 30_000, nowMs)
  const operation = { id: 'id-lupin', fingerprint: 'print-poppy', nowMs }
  await store.begin({ ...operation, runUntilMs: nowMs + 1_000, expiresAtMs: nowMs + 50_000 })
  await store.complete({ ...operation, value: 'answer' })
  await store.begin({
    ...operation,
    id: 'id-aster',
    runUntilMs: nowMs + 9_000,
    expiresAtMs: nowMs + 50_000,
  })
}

describe('what the limits keep in Redis', () => {
  it('names nobody: neither keys nor values show a key, a permit or an operation', async () => {
    const store = redisStore({ url: server.url, budgetMs: 5_000 })
    await useAll(store, Date.now())
    const names = await client.keys('*')
    expect(names.length).toBeGreaterThanOrEqual(7)
    const kept = [...names]
    for (const name of names) kept.push((await client.dumpBuffer(name))!.toString('latin1'))
    const all = kept.join('\n')
    expect(all).toContain('ostler:{')
    expect(all).toContain('answer')
    for (const secret of ['crocus', 'tulip', 'dahlia', 'lupin', 'poppy', 'aster']) {
      expect(all).not.toContain(secret)
    }
    await store.close()
  })

  it('goes by itself: each name lives for as long as it counts, and at most a quarter and a second more', async () => {
    const store = redisStore({ url: server.url, budgetMs: 5_000 })
    const nowMs = Date.now()
    await useAll(store, nowMs)
    const ttls = await ttlsByKind()
    const inUse: Record<string, readonly [least: number, most: number]> = {
      'w:minute': [60_000, 75_000],
      'w:hour': [3_600_000, 4_515_000],
      't:flow': [0, 2_000],
      p: [30_000, 30_000],
      o: [3_600_000, 3_600_000],
      i: [9_000, 50_000],
    }
    expect([...ttls.keys()].sort()).toEqual(Object.keys(inUse).sort())
    for (const [kind, [leastMs, mostMs]] of Object.entries(inUse)) {
      for (const ttlMs of ttls.get(kind)!) {
        expect(ttlMs, kind).toBeGreaterThan(leastMs)
        expect(ttlMs, kind).toBeLessThanOrEqual(mostMs + SLACK_MS)
      }
    }
    await store.close()
  })

  it("lives a day longer where time is the caller's, for that may stand still", async () => {
    const store = redisStore({ url: server.url, budgetMs: 5_000, time: 'caller' })
    await useAll(store, 1_000_000)
    const ttls = [...(await ttlsByKind()).values()].flat()
    expect(ttls.length).toBeGreaterThanOrEqual(7)
    expect(Math.min(...ttls)).toBeGreaterThan(DAY_MS - 60_000)
    expect(Math.max(...ttls)).toBeLessThanOrEqual(DAY_MS + 4_515_000)
    await store.close()
  })

  it('is gone from Redis once nothing counts any more', async () => {
    const store = redisStore({ url: server.url, budgetMs: 5_000 })
    const short: ResolvedPolicy = { ...policies[0], windowMs: 50 } as ResolvedPolicy
    await store.consume({ key: 'k', policies: [short], cost: 1, nowMs: Date.now() })
    expect(await client.dbsize()).toBe(1)
    const [name] = await client.keys('*')
    expect(await client.pttl(name)).toBeLessThanOrEqual(62 + SLACK_MS)
    await store.close()
  })

  it('writes nothing for a denied call, a peek or a question', async () => {
    const store = redisStore({ url: server.url, budgetMs: 5_000, denialCache: 0 })
    const call = { key: 'k', policies, cost: 5, nowMs: Date.now() }
    await store.consume(call)
    const before = await written()
    for (let i = 0; i < 5; i++) {
      expect((await store.consume(call)).allowed).toBe(false)
      await store.peek(call)
      await store.usage('k', policies, Date.now())
      await store.permits('k', Date.now())
      await store.renew('k', 'never', Date.now() + 1_000, Date.now())
      await store.refund({ ...call, atMs: 1 })
    }
    expect(await written()).toBe(before)
    await store.close()
  })

  it('forgets permits that have expired when the next one is taken', async () => {
    const store = redisStore({ url: server.url, budgetMs: 5_000, time: 'caller' })
    for (let i = 0; i < 20; i++) {
      const permit = { id: `p${i}`, cap: 1, deadlineMs: 1_000 + 10 * i + 10 }
      const call = { key: 'k', policies: [], cost: 1, nowMs: 1_000 + 10 * i, permit }
      expect((await store.consume(call)).allowed).toBe(true)
    }
    const [name] = await client.keys('*')
    // The one that is held, and the newest instant.
    expect(await client.zcard(name)).toBe(2)
    await store.close()
  })

  it('is one key of a few bytes for a key that is not busy', async () => {
    const store = redisStore({ url: server.url, budgetMs: 5_000 })
    const one = policies.slice(0, 1)
    for (let i = 0; i < 3; i++) await store.consume({ key: 'k', policies: one, cost: 1, nowMs: 0 })
    const [name, ...others] = await client.keys('*')
    expect(others).toEqual([])
    expect(await client.strlen(name)).toBeLessThanOrEqual(40 + 2 * 12)
    await store.close()
  })
})

/** The TTLs of all names, by what follows their tag. */
async function ttlsByKind(): Promise<Map<string, number[]>> {
  const ttls = new Map<string, number[]>()
  for (const name of await client.keys('*')) {
    const kind = name.slice(name.indexOf('}:') + 2).replace(/^o:.*/, 'o')
    ttls.set(kind, [...(ttls.get(kind) ?? []), await client.pttl(name)])
  }
  return ttls
}

/** Changes of the data set since the server began. */
async function written(): Promise<number> {
  return Number(/rdb_changes_since_last_save:(\d+)/.exec(await client.info('persistence'))?.[1])
}
