import { setImmediate as immediate } from 'node:timers/promises'
import type { ResolvedPolicy, Verdict } from '@ostler/core'
import { redisStore, type RedisStore, type RedisStoreOptions } from '@ostler/store-redis'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Changes } from '../../../packages/store-redis/src/changes.ts'
import { Denials } from '../../../packages/store-redis/src/denials.ts'
import { seed } from '../../properties/replay.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { until } from '../../servers/until.ts'
import { openLimits, sameNames, traceOf, type LimitsHalf } from './limits-rig.ts'

const nightly = process.env['OSTLER_NIGHTLY'] !== undefined
const RUNS = nightly ? 2_000 : 200
const NOW_MS = 1_700_000_000_000

let server: RedisServer
let prefixes = 0

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

async function calls(command: string): Promise<number> {
  const text = String(await server.ask('info', 'commandstats'))
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(text)?.[1] ?? 0)
}

/** As `until`, without its pauses: a message takes less than a millisecond. */
async function heardAll(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !condition(); turn++) {
    await immediate()
  }
  await until('the refund is told', condition)
}

describe('a store that remembers denials', () => {
  let plain: LimitsHalf
  let cached: LimitsHalf
  let elsewhere: LimitsHalf
  beforeAll(() => {
    plain = openLimits(server.url, 'unused')
    cached = openLimits(server.url, 'unused', { denialCache: 4 })
    elsewhere = openLimits(server.url, 'unused')
  })
  afterAll(async () => {
    for (const half of [plain, cached, elsewhere]) await half.engine.close()
  })

  it('answers every trace as one that does not', { timeout: 600_000 }, async () => {
    let repeated = 0
    let heard = 0
    const acts = ['consume', 'consume', 'consume', 'peek', 'refund'] as const
    const traces = sameNames.map((policies) => traceOf(policies, acts))
    await fc.assert(
      fc.asyncProperty(fc.oneof(...traces), fc.boolean(), async (drawn, one) => {
        const steps = one ? drawn.map((step) => ({ ...step, policies: drawn[0].policies })) : drawn
        const prefix = `denials${prefixes++}`
        const half = cached.fresh(prefix)
        half.engine.link.client.setMaxListeners(20)
        const denials = half.denials as Denials
        const find = denials.find.bind(denials)
        denials.find = (...args) => {
          const known = find(...args)
          if (known !== null) repeated++
          return known
        }
        // As `redisStore` does, and counted.
        const changes = new Changes(half.engine.link, `${prefix}:changes`)
        let told = 0
        changes.listen((message) => {
          if (message === null) return
          denials.forget(message.slice(2))
          told++
        })
        await until('refunds are heard', () => changes.up)
        const other = elsewhere.fresh(prefix)
        const reference = plain.fresh(`${prefix}-plain`)
        const admitted: { key: string; atMs: number; cost: number; step: (typeof steps)[0] }[] = []
        let nowMs = NOW_MS
        for (const [index, step] of steps.entries()) {
          nowMs = Math.max(nowMs, nowMs + step.passMs)
          const { key, policies, which } = step
          const act = step.act as (typeof acts)[number]
          // Mostly what is remembered, and now and then what passes it by.
          const cost = step.cost > 7 ? 1 : step.cost
          const call = { key, policies, cost, nowMs }
          if (act === 'refund') {
            const back = admitted[which % Math.max(1, admitted.length)]
            if (back === undefined) continue
            const request = { ...back, policies: back.step.policies, nowMs }
            const expected = await reference.limits.refund(request)
            const by = which % 2 === 0 ? half : other
            const wanted = told + (expected ? 1 : 0)
            expect(await by.limits.refund(request)).toBe(expected)
            if (by === half) continue
            await heardAll(() => told >= wanted)
            heard++
            continue
          }
          const expected = await reference.limits[act](call)
          // Processes that go by the same policies know of each other's denials alike.
          const by = one && which % 3 === 0 ? other : half
          expect(await by.limits[act](call), `step ${index}`).toEqual(expected)
          if (act === 'consume' && expected.allowed) {
            admitted.push({ key, atMs: expected.atMs, cost, step })
          }
        }
        changes.close()
      }),
      { seed, numRuns: RUNS },
    )
    // How often a denial is met again differs from seed to seed.
    expect(repeated).toBeGreaterThan(RUNS / 4)
    expect(heard).toBeGreaterThan(RUNS)
  })
})

const second: readonly ResolvedPolicy[] = [
  { kind: 'exact', name: 'second', limit: 2, windowMs: 1_000, quantumMs: 1 },
]

function admit(store: RedisStore, policies = second): Promise<Verdict> {
  return store.consume({ key: 'k', policies, cost: 1, nowMs: NOW_MS })
}

/** Uses up the limit; then waits until a denial is repeated without a question. */
async function denied(store: RedisStore, policies = second): Promise<Verdict> {
  let verdict = await admit(store, policies)
  await until('denials are repeated', async () => {
    const before = await calls('evalsha')
    verdict = await admit(store, policies)
    return !verdict.allowed && (await calls('evalsha')) === before
  })
  return verdict
}

describe("a store that goes by the server's clock", () => {
  const opened: RedisStore[] = []
  function open(options: Partial<RedisStoreOptions> = {}): RedisStore {
    const prefix = `denied${prefixes}`
    const store = redisStore({ url: server.url, prefix, budgetMs: 5_000, ...options })
    opened.push(store)
    return store
  }
  afterEach(async () => {
    prefixes++
    for (const store of opened.splice(0)) await store.close()
  })

  it('repeats a denial from memory until it ends, and the end stays where it is', async () => {
    const store = open()
    const first = await denied(store)
    const endMs = first.atMs + first.retryAfterMs
    const before = await calls('evalsha')
    const startMs = performance.now()
    let asked = 0
    let verdict = first
    while (!verdict.allowed) {
      verdict = await admit(store)
      asked++
      if (verdict.allowed) break
      expect(verdict.retryAfterMs).toBeGreaterThan(0)
      expect(Math.abs(verdict.atMs + verdict.retryAfterMs - endMs)).toBeLessThanOrEqual(1)
      expect(verdict).toMatchObject({ policy: 'second', limit: 2, remaining: 0 })
      if (asked % 100 === 0) await immediate()
    }
    expect(verdict.atMs).toBeGreaterThanOrEqual(endMs)
    expect(performance.now() - startMs).toBeLessThan(1_100)
    const questions = (await calls('evalsha')) - before
    expect(asked).toBeGreaterThan(10 * questions)
  })

  it('hears of a refund by another store', async () => {
    const minute: readonly ResolvedPolicy[] = [{ ...second[0], windowMs: 60_000 } as ResolvedPolicy]
    const store = open()
    const { atMs } = await admit(store, minute)
    await denied(store, minute)
    const refund = { key: 'k', policies: minute, cost: 1, atMs, nowMs: NOW_MS }
    expect(await open({ denialCache: 0 }).refund(refund)).toBe(true)
    await until('the call is admitted', async () => (await admit(store, minute)).allowed, 2_000)
  })

  it('hears that another store has shortened the window', async () => {
    const store = open()
    const long = [{ ...second[0], windowMs: 60_000 } as ResolvedPolicy]
    // The second of the two hits that fill it.
    const hitAtMs = (await denied(store, long)).resetAtMs - 60_000
    const short = [{ ...second[0], limit: 9, windowMs: 1_000 } as ResolvedPolicy]
    let last = await admit(open(), short)
    expect(last.allowed).toBe(true)
    const isAdmitted = async (): Promise<boolean> => (last = await admit(store, long)).allowed
    await until('the call is admitted', isAdmitted, 3_000)
    expect(last.atMs - hitAtMs).toBeGreaterThanOrEqual(1_000)
  })

  it('admits at once after a refund of its own', async () => {
    const minute: readonly ResolvedPolicy[] = [{ ...second[0], windowMs: 60_000 } as ResolvedPolicy]
    const store = open()
    const { atMs } = await admit(store, minute)
    await denied(store, minute)
    await store.refund({ key: 'k', policies: minute, cost: 1, atMs, nowMs: NOW_MS })
    expect((await admit(store, minute)).allowed).toBe(true)
  })

  it('forgets all when the connection that tells of changes is lost', async () => {
    const minute: readonly ResolvedPolicy[] = [{ ...second[0], windowMs: 60_000 } as ResolvedPolicy]
    const store = open()
    await denied(store, minute)
    const before = await calls('evalsha')
    const clients = String(await server.ask('client', 'list', 'type', 'pubsub'))
    const ids = [...clients.matchAll(/^id=(\d+)/gm)].map(([, id]) => id)
    expect(ids).toHaveLength(1)
    await server.ask('client', 'kill', 'id', ids[0])
    await until('it asks again', async () => {
      await admit(store, minute)
      return (await calls('evalsha')) > before
    })
    // And remembers anew once it is told again.
    await denied(store, minute)
  })

  it('remembers nothing for as long as it hears of no changes', async () => {
    const minute: readonly ResolvedPolicy[] = [{ ...second[0], windowMs: 60_000 } as ResolvedPolicy]
    const store = open()
    await denied(store, minute)
    await server.ask('acl', 'setuser', 'default', '-subscribe')
    try {
      await server.ask('client', 'kill', 'type', 'pubsub')
      let before = await calls('evalsha')
      await until('the loss is noticed', async () => {
        before = await calls('evalsha')
        await admit(store, minute)
        return (await calls('evalsha')) > before
      })
      before = await calls('evalsha')
      for (let i = 0; i < 10; i++) await admit(store, minute)
      expect((await calls('evalsha')) - before).toBe(10)
    } finally {
      await server.ask('acl', 'setuser', 'default', '+subscribe')
    }
    await denied(store, minute)
  })

  it('asks each time where it does not hear of changes', async () => {
    const store = open({ subscribe: false })
    for (let i = 0; i < 4; i++) await admit(store)
    const before = await calls('evalsha')
    for (let i = 0; i < 10; i++) await admit(store)
    expect((await calls('evalsha')) - before).toBe(10)
  })

  it('asks each time for a call with an opId, a permit or a cost', async () => {
    const store = open()
    const minute: readonly ResolvedPolicy[] = [{ ...second[0], windowMs: 60_000 } as ResolvedPolicy]
    await denied(store, minute)
    const call = { key: 'k', policies: minute, cost: 1, nowMs: NOW_MS }
    const before = await calls('evalsha')
    await store.consume({ ...call, opId: 'op' })
    await store.consume({ ...call, permit: { id: 'p', cap: 9, deadlineMs: Date.now() + 9_000 } })
    await store.consume({ ...call, cost: 2 })
    expect((await calls('evalsha')) - before).toBe(3)
  })
})

describe('remembered denials', () => {
  const verdict: Verdict = {
    allowed: false,
    policy: 'p',
    limit: 1,
    remaining: 0,
    resetAtMs: 9_000,
    retryAfterMs: 4_000,
    atMs: 1_000,
  }

  it('are of at most so many keys, the least recently used going first', () => {
    const denials = new Denials(2, true)
    for (const key of ['a', 'b']) denials.keep(key, key, 'p', verdict, denials.mark(key), 0, 4_000)
    denials.find('a', 'p', 10)
    denials.keep('c', 'c', 'p', verdict, denials.mark('c'), 0, 4_000)
    const known = ['a', 'b', 'c'].map((key) => denials.find(key, 'p', 10) !== null)
    expect(known).toEqual([true, false, true])
  })

  it('are not of before a change that came while Redis was asked', () => {
    const denials = new Denials(2, true)
    const mark = denials.mark('a')
    denials.forget('a')
    denials.keep('a', 'a', 'p', verdict, mark, 0, 4_000)
    expect(denials.find('a', 'p', 10)).toBeNull()
  })

  it('end when they can, and after five seconds at the latest', () => {
    const denials = new Denials(2, true)
    denials.keep('a', 'a', 'p', verdict, denials.mark('a'), 100, 3_990)
    denials.keep(
      'b',
      'b',
      'p',
      { ...verdict, retryAfterMs: 60_000 },
      denials.mark('b'),
      100,
      60_000,
    )
    expect(denials.find('a', 'p', 3_989)).toMatchObject({ atMs: 4_889, retryAfterMs: 111 })
    expect(denials.find('a', 'p', 3_990)).toBeNull()
    expect(denials.find('b', 'p', 5_099)).toMatchObject({ atMs: 5_999, retryAfterMs: 55_001 })
    expect(denials.find('b', 'p', 5_100)).toBeNull()
    expect(denials.find('a', 'another', 200)).toBeNull()
  })

  it('are none while changes go unheard', () => {
    const denials = new Denials(2, true)
    denials.keep('a', 'a', 'p', verdict, denials.mark('a'), 0, 4_000)
    denials.active = false
    expect(denials.find('a', 'p', 10)).toBeNull()
    denials.keep('a', 'a', 'p', verdict, denials.mark('a'), 0, 4_000)
    expect(denials.find('a', 'p', 10)).toBeNull()
  })
})
