import { setImmediate as immediate } from 'node:timers/promises'
import { OstlerError, type ResolvedPolicy, type Verdict } from '@ostler/core'
import { redisStore, type RedisStore, type RedisStoreOptions } from '@ostler/store-redis'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../servers/ports.ts'
import { ask, startRedis, type RedisServer } from '../../servers/redis.ts'
import { startReplicated } from '../../servers/replicated.ts'
import { until } from '../../servers/until.ts'

const NOW_MS = 1_700_000_000_000
const BUDGET_MS = 50
/** How much later than its budget a call may end, beside what this process itself is late. */
const GRACE_MS = 50

const minute: readonly ResolvedPolicy[] = [
  { kind: 'exact', name: 'minute', limit: 5, windowMs: 60_000, quantumMs: 1 },
]

let server: RedisServer
let prefixes = 0
const opened: RedisStore[] = []

beforeAll(async () => {
  server = await startRedis()
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})
afterAll(() => server.stop())

function open(options: RedisStoreOptions = {}): RedisStore {
  const where = options.client === undefined ? { url: server.url } : {}
  const prefix = `engine${prefixes++}`
  const store = redisStore({ ...where, prefix, budgetMs: 5_000, subscribe: false, ...options })
  opened.push(store)
  return store
}

function admit(store: RedisStore, key = 'k', policies = minute): Promise<Verdict> {
  return store.consume({ key, policies, cost: 1, nowMs: NOW_MS })
}

/** How often the server ran a command. */
async function calls(command: string, on: RedisServer = server): Promise<number> {
  const text = String(await on.ask('info', 'commandstats'))
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(text)?.[1] ?? 0)
}

/** The code that a promise is rejected with, its message and how long that took. */
async function refusal(promise: Promise<unknown>) {
  const startMs = performance.now()
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  const tookMs = performance.now() - startMs
  const { code, message } =
    error instanceof OstlerError ? error : { code: null, message: String(error) }
  return { code, message, tookMs, error }
}

/** Runs, and tells how late this process was at worst meanwhile: a busy machine is not the store's fault. */
async function withLag<T>(run: () => Promise<T>): Promise<{ result: T; lagMs: number }> {
  let lastMs = performance.now()
  let lagMs = 0
  const timer = setInterval(() => {
    const nowMs = performance.now()
    lagMs = Math.max(lagMs, nowMs - lastMs - 2)
    lastMs = nowMs
  }, 2)
  try {
    const result = await run()
    lagMs = Math.max(lagMs, performance.now() - lastMs)
    return { result, lagMs }
  } finally {
    clearInterval(timer)
  }
}

describe('decisions asked for in one tick', () => {
  it('travel together, at most 32 in one EVALSHA', async () => {
    const store = open()
    await admit(store, 'first')
    const before = await calls('evalsha')
    const keys = Array.from({ length: 64 }, (_, i) => `k${i}`)
    const verdicts = await Promise.all(keys.map((key) => admit(store, key)))
    expect(verdicts.every(({ allowed, remaining }) => allowed && remaining === 4)).toBe(true)
    expect((await calls('evalsha')) - before).toBe(2)
  })

  it('travel together also when each caller asks as soon as it was answered', async () => {
    const store = open()
    await admit(store, 'first')
    const before = await calls('evalsha')
    const lane = async (key: string) => {
      for (let i = 0; i < 5; i++) await admit(store, key)
    }
    await Promise.all(Array.from({ length: 32 }, (_, i) => lane(`lane${i}`)))
    expect((await calls('evalsha')) - before).toBeLessThanOrEqual(10)
  })

  it('each have their own answer: one that fails fails alone', async () => {
    const store = open({ prefix: 'alone' })
    await admit(store, 'spoiled')
    const [key] = (await server.ask('keys', 'alone:*')) as string[]
    await server.ask('set', key, 'not a log')
    const asked = ['a', 'spoiled', 'b'].map((each) => admit(store, each))
    const [a, spoiled, b] = await Promise.allSettled(asked)
    expect(a).toMatchObject({ status: 'fulfilled', value: { allowed: true, remaining: 4 } })
    expect(b).toMatchObject({ status: 'fulfilled', value: { allowed: true, remaining: 4 } })
    expect(spoiled).toMatchObject({ status: 'rejected', reason: { code: 'STORE_UNAVAILABLE' } })
  })

  it('are counted once each, though Redis has forgotten the script', async () => {
    const store = open()
    await admit(store)
    await server.ask('script', 'flush')
    const evals = await calls('eval')
    const verdicts = await Promise.all([admit(store), admit(store), admit(store)])
    expect(verdicts.map(({ remaining }) => remaining)).toEqual([3, 2, 1])
    expect(await calls('eval')).toBe(evals + 1)
    expect((await store.usage('k', minute, NOW_MS))[0].used).toBe(4)
  })
})

describe('a server that does not answer', () => {
  it('has so many calls wait, and refuses the others at once', async () => {
    const own = await startRedis()
    try {
      const store = open({ url: own.url, budgetMs: BUDGET_MS })
      await admit(store)
      await own.pause()
      // More than may wait, all of one turn.
      const asked = Array.from({ length: 17_000 }, (_, i) => refusal(admit(store, `k${i % 100}`)))
      const refusals = await Promise.all(asked)
      own.resume()
      const full = refusals.filter(({ message }) => message.includes('at most 16384 calls'))
      expect(full.length).toBe(17_000 - 16_384)
      expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['STORE_UNAVAILABLE']))
    } finally {
      await own.stop()
    }
  })

  it('costs a call its budget and no more', async () => {
    const own = await startRedis()
    try {
      const store = open({ url: own.url, budgetMs: BUDGET_MS })
      await admit(store)
      await own.pause()
      const { result: refusals, lagMs } = await withLag(() => {
        return Promise.all(Array.from({ length: 200 }, (_, i) => refusal(admit(store, `k${i}`))))
      })
      own.resume()
      expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['STORE_UNAVAILABLE']))
      expect(refusals[0].message).toContain(`within the budget of ${BUDGET_MS} ms`)
      const tookMs = refusals.map((each) => each.tookMs)
      expect(Math.min(...tookMs)).toBeGreaterThan(BUDGET_MS - 5)
      expect(Math.max(...tookMs)).toBeLessThan(BUDGET_MS + GRACE_MS + lagMs)
      // What it was told meanwhile, it has done: an unknown outcome counts as used.
      await until('it answers', async () => (await refusal(store.ping!())).error === null)
      expect((await admit(store, 'k7')).remaining).toBe(3)
    } finally {
      await own.stop()
    }
  })

  it('is asked anew over another connection once it has been silent for a second', async () => {
    const own = await startRedis()
    try {
      const store = open({ url: own.url, budgetMs: BUDGET_MS })
      await admit(store)
      await own.pause()
      const takenMs: number[] = []
      let message = ''
      const { lagMs } = await withLag(() => {
        return until('the silent connection is given up', async () => {
          const refused = await refusal(admit(store))
          takenMs.push(refused.tookMs)
          message = refused.message
          return message.includes('no connection')
        })
      })
      expect(takenMs.length).toBeGreaterThan(5)
      expect(Math.max(...takenMs)).toBeLessThan(BUDGET_MS + GRACE_MS + lagMs)
      own.resume()
      await until('it answers', async () => (await refusal(store.ping!())).error === null, 2_000)
    } finally {
      await own.stop()
    }
  })

  it('answers late to a busy process without being called unavailable', async () => {
    const store = open({ budgetMs: BUDGET_MS })
    await admit(store)
    const asked = admit(store)
    // The request leaves, and this process then looks away for longer than the budget.
    await immediate()
    const endMs = performance.now() + 2 * BUDGET_MS
    while (performance.now() < endMs);
    expect((await asked).remaining).toBe(3)
  })
})

describe('the connection', () => {
  it('is waited for by the first calls', async () => {
    const port = await freePort()
    const store = open({ url: `redis://127.0.0.1:${port}`, budgetMs: BUDGET_MS })
    const asked = admit(store)
    const own = await startRedis({ port })
    try {
      expect((await asked).allowed).toBe(true)
    } finally {
      await own.stop()
    }
  })

  it('fails the first calls after a second without it, and later ones at once', async () => {
    const store = open({ url: `redis://127.0.0.1:${await freePort()}`, budgetMs: BUDGET_MS })
    const { result: first, lagMs } = await withLag(() => refusal(admit(store)))
    expect(first.code).toBe('STORE_UNAVAILABLE')
    expect(first.tookMs).toBeGreaterThan(900)
    expect(first.tookMs).toBeLessThan(1_000 + GRACE_MS + lagMs)
    const second = await withLag(() => refusal(admit(store)))
    expect(second.result.code).toBe('STORE_UNAVAILABLE')
    expect(second.result.message).toContain('ECONNREFUSED')
    expect(second.result.tookMs).toBeLessThan(10 + second.lagMs)
  })

  it('comes back by itself after a restart, and calls meanwhile fail at once', async () => {
    const own = await startRedis()
    try {
      const store = open({ url: own.url, budgetMs: BUDGET_MS })
      await admit(store)
      await own.kill()
      await until('the loss is noticed', async () => {
        return (await refusal(admit(store))).message.includes('no connection')
      })
      const { result, lagMs } = await withLag(() => refusal(admit(store)))
      expect(result.tookMs).toBeLessThan(10 + lagMs)
      await own.restart({ empty: true })
      await until('it is back', async () => (await refusal(admit(store))).error === null, 2_000)
    } finally {
      await own.stop()
    }
  })

  it('may be a client of yours, which close leaves open', async () => {
    const client = new Redis(server.url, { lazyConnect: true, enableOfflineQueue: false })
    try {
      const store = open({ client })
      expect((await admit(store)).remaining).toBe(4)
      await store.close()
      expect(await client.ping()).toBe('PONG')
    } finally {
      client.disconnect()
    }
  })

  it('may be one client of many stores', async () => {
    const warnings: string[] = []
    const note = ({ name }: Error) => warnings.push(name)
    process.on('warning', note)
    const client = new Redis(server.url, { lazyConnect: true, enableOfflineQueue: false })
    try {
      const stores = Array.from({ length: 12 }, () => open({ client }))
      const verdicts = await Promise.all(stores.map((store) => admit(store)))
      expect(verdicts.every(({ remaining }) => remaining === 4)).toBe(true)
      await immediate()
      expect(warnings).toEqual([])
      expect(client.listenerCount('end')).toBe(0)
    } finally {
      process.off('warning', note)
      client.disconnect()
    }
  })

  it('may be a client that prefixes keys', async () => {
    const client = new Redis(server.url, { keyPrefix: 'yours:' })
    try {
      const store = open({ client, prefix: 'prefixed' })
      expect((await admit(store)).remaining).toBe(4)
      expect((await admit(store)).remaining).toBe(3)
      expect(await server.ask('keys', 'yours:prefixed:*')).toHaveLength(1)
    } finally {
      client.disconnect()
    }
  })

  it('shows no credentials when they are refused', async () => {
    const url = server.url.replace('//', '//someone:open-sesame@')
    const store = open({ url, budgetMs: BUDGET_MS })
    const { code, error } = await refusal(admit(store))
    expect(code).toBe('STORE_UNAVAILABLE')
    const told = `${(error as Error).message} ${JSON.stringify(error)} ${shownWhole(error)}`
    expect(told).toContain('WRONGPASS')
    expect(told).not.toContain('sesame')
  })
})

/** An error with all that hangs on it, causes and fields included. */
function shownWhole(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const fields = Object.getOwnPropertyNames(error).map((name) => {
    const value = (error as unknown as Record<string, unknown>)[name]
    return `${name}: ${value instanceof Error ? shownWhole(value) : JSON.stringify(value)}`
  })
  return fields.join('; ')
}

describe('close', () => {
  it('lets calls under way end, and refuses later ones', async () => {
    const store = open()
    await store.ping!()
    const asked = [admit(store), admit(store)]
    const closed = store.close()
    expect((await refusal(admit(store))).code).toBe('CLOSED')
    await closed
    expect((await Promise.all(asked)).map(({ remaining }) => remaining)).toEqual([4, 3])
  })
})

describe('a server that may not write', () => {
  it('is unavailable while it is a replica', async () => {
    const pair = await startReplicated()
    try {
      const store = open({ url: pair.replica.url })
      const { code, message } = await refusal(admit(store))
      expect(code).toBe('STORE_UNAVAILABLE')
      expect(message).toContain('READONLY')
      expect((await refusal(store.ping!())).code).toBe('STORE_UNAVAILABLE')
    } finally {
      await pair.stop()
    }
  })

  it('is unavailable without memory, and counts nothing then', async () => {
    const own = await startRedis()
    try {
      const store = open({ url: own.url })
      await admit(store)
      await own.ask('config', 'set', 'maxmemory', '1')
      const opId = 'op'
      const refused = await refusal(
        store.consume({ key: 'k', policies: minute, cost: 1, nowMs: NOW_MS, opId }),
      )
      expect(refused.code).toBe('STORE_UNAVAILABLE')
      expect(refused.message).toContain('OOM')
      expect((await refusal(store.ping!())).code).toBe('STORE_UNAVAILABLE')
      await own.ask('config', 'set', 'maxmemory', '0')
      expect((await store.usage('k', minute, NOW_MS))[0].used).toBe(1)
      expect((await refusal(store.ping!())).code).toBe(null)
    } finally {
      await own.stop()
    }
  })
})

describe('ping', () => {
  it('answers where the store can decide, and changes nothing', async () => {
    const own = await startRedis()
    try {
      const store = open({ url: own.url })
      await store.ping!()
      expect(await own.ask('dbsize')).toBe(0)
    } finally {
      await own.stop()
    }
  })
})

describe("the server's clock", () => {
  it('decides, whatever time the caller gives', async () => {
    const store = open()
    const beforeMs = await serverMs()
    const { atMs } = await admit(store)
    expect(atMs).toBeGreaterThanOrEqual(beforeMs)
    expect(atMs).toBeLessThanOrEqual(await serverMs())
  })

  it('is known to the millisecond or two after a few calls', async () => {
    const store = open()
    for (let i = 0; i < 20; i++) await admit(store)
    const apart: number[] = []
    for (let i = 0; i < 20; i++) apart.push(Math.abs(store.clock!.nowMs() - (await serverMs())))
    apart.sort((a, b) => a - b)
    expect(apart[10]).toBeLessThanOrEqual(5)
  })

  it("is no clock of a store that goes by the caller's", () => {
    expect(open({ time: 'caller' }).clock).toBeUndefined()
  })
})

async function serverMs(): Promise<number> {
  const [seconds, micros] = (await ask(server.port, 'time')) as [string, string]
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
}
