import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  memoryStore,
  OstlerError,
  Scheduler,
  seededRandom,
  type Change,
  type ConsumeRequest,
  type Lease,
  type Mode,
  type Outcome,
  type SchedulerOptions,
  type Store,
} from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { asyncStore } from './rig.ts'
import { recovered, Switch } from './switch.ts'

const domain = 'shop.example'
const MINUTE = 60_000
const TIERS = {
  free: { policies: [{ name: 'free', limit: 8, windowMs: MINUTE }], permits: 1 },
  one: { policies: [{ name: 'one', limit: 1, windowMs: MINUTE }] },
}

let clock: ManualClock
let memory: Store<'sync'>
const opened: Scheduler<Mode>[] = []

beforeEach(() => {
  clock = new ManualClock(1_200_000_000)
  memory = memoryStore()
})

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

function open(
  store: Store,
  options: Partial<Omit<SchedulerOptions<Mode>, 'store'>> = {},
): Scheduler<Mode> {
  const random = seededRandom(opened.length + 1)
  const one = new Scheduler<Mode>({ store, clock, tiers: TIERS, random, ...options })
  opened.push(one)
  return one
}

/** The store of a mode, out of this process as far as a scheduler can tell. */
function remote(mode: Mode): Store {
  const { local: _, ...rest } = mode === 'sync' ? memory : asyncStore(memory)
  return rest
}

const unavailable = (): OstlerError => new OstlerError('STORE_UNAVAILABLE', 'out of reach')

async function lease(of: Scheduler<Mode>, id: string, at: string = domain): Promise<Lease> {
  const pick = await of.pick({ domain: at, pin: [id] })
  if (pick.kind !== 'picked') throw new Error(`${id}: ${pick.cause}`)
  return pick.lease
}

async function report(of: Scheduler<Mode>, id: string, kind: Outcome['kind']): Promise<void> {
  await of.report(await lease(of, id), { kind })
}

/** The store's record of a pair reaches epoch 2, and the pair is available again. */
async function recoveredTwice(of: Scheduler<Mode>, id: string): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await report(of, id, 'rate_limited')
    clock.advance(5 * MINUTE)
    await lease(of, 'c')
  }
}

describe.each(['sync', 'async'] as const)('while a store (%s) is out of reach', (mode) => {
  let power: Switch
  let scheduler: Scheduler<Mode>
  let other: Scheduler<Mode>

  beforeEach(async () => {
    power = new Switch(remote(mode))
    scheduler = open(power.store)
    other = open(memory)
    await scheduler.agents.upsert(['a', 'b', 'c'].map((id) => ({ id })))
  })

  afterEach(() => power.up())

  const given = async (of: Scheduler<Mode>, id: string): Promise<string> =>
    (await of.pick({ domain, pin: [id] })).kind

  test('exclusion: a block of a pair that had recovered before is not lost on the return', async () => {
    await recoveredTwice(scheduler, 'a')
    power.isDown = true
    await report(scheduler, 'a', 'blocked')
    power.up()
    await recovered(scheduler)
    expect([await given(other, 'a'), await given(scheduler, 'a')]).toEqual([
      'exhausted',
      'exhausted',
    ])
  })

  test('exclusion: a block of a lease that was given meanwhile counts after the return', async () => {
    await recoveredTwice(scheduler, 'a')
    power.isDown = true
    const held = await lease(scheduler, 'a')
    power.up()
    await recovered(scheduler)
    await scheduler.report(held, { kind: 'blocked' })
    expect(await given(scheduler, 'a')).toBe('exhausted')
  })

  test('burst: a lease of the store and one given meanwhile, both blocked, are one strike', async () => {
    await recoveredTwice(scheduler, 'a')
    const before = await lease(scheduler, 'a')
    power.isDown = true
    const meanwhile = await lease(scheduler, 'a')
    await scheduler.report(meanwhile, { kind: 'blocked' })
    const { record } = await scheduler.report(before, { kind: 'blocked' })
    expect(record?.strikes).toBe(1)
  })

  test('exclusion: a block that is reported after a restore by hand outlives the return', async () => {
    power.isDown = true
    await scheduler.restore('a', domain)
    await report(scheduler, 'a', 'blocked')
    expect(await given(scheduler, 'a')).toBe('exhausted')
    power.up()
    await recovered(scheduler)
    expect(await given(other, 'a')).toBe('exhausted')
  })

  test('exclusion: a restore by hand is not repaid over what another process reported since', async () => {
    power.isDown = true
    await scheduler.restore('a', domain)
    clock.advance(1_000)
    await report(other, 'a', 'blocked')
    power.up()
    await recovered(scheduler)
    expect(await given(other, 'a')).toBe('exhausted')
  })

  test('no-panic: an incident that is open stays open', async () => {
    const incident = { minExclusions: 2, minFailures: 100 }
    const calm = open(power.store, { incident })
    for (const id of ['a', 'b']) await report(calm, id, 'blocked')
    await calm.agents.upsert([{ id: 'd' }])
    const before = await calm.report(await lease(calm, 'c'), { kind: 'blocked' })
    expect(before.record?.health).toBe('limited')
    power.isDown = true
    const meanwhile = await calm.report(await lease(calm, 'd'), { kind: 'blocked' })
    expect(meanwhile.record?.health).toBe('limited')
  })

  test('recovery: a probe that was given meanwhile, and won after the return, brings the pair back', async () => {
    await report(scheduler, 'a', 'blocked')
    clock.advance(7 * MINUTE)
    power.isDown = true
    const probe = await lease(scheduler, 'a')
    expect(probe.probe).toBe(true)
    power.up()
    await recovered(scheduler)
    await scheduler.report(probe, { kind: 'ok' })
    expect(await given(scheduler, 'a')).toBe('picked')
  })

  test('permits: one that was given meanwhile can be renewed after the return', async () => {
    power.isDown = true
    const { permit } = await scheduler.admit({
      key: 'k',
      tier: 'free',
      permit: { ttlMs: MINUTE },
    })
    power.up()
    await recovered(scheduler)
    expect(await scheduler.renew(permit as NonNullable<typeof permit>, MINUTE)).not.toBeNull()
  })

  test('restore: ends an exclusion from all domains that stood before, here at once', async () => {
    await scheduler.exclude('a', '*', clock.nowMs() + 10 * MINUTE)
    power.isDown = true
    await scheduler.restore('a', '*')
    expect(await given(scheduler, 'a')).toBe('picked')
  })

  test('exclude: one that ended meanwhile does not shorten what another process has set since', async () => {
    power.isDown = true
    await scheduler.exclude('a', domain, clock.nowMs() + MINUTE)
    clock.advance(1_000)
    await other.exclude('a', domain, clock.nowMs() + 60 * MINUTE)
    clock.advance(2 * MINUTE)
    power.up()
    await recovered(scheduler)
    expect(await given(other, 'a')).toBe('exhausted')
  })

  test('bounded-truth: views that are made meanwhile push out no exclusion', async () => {
    const small = open(power.store, { maxViews: 2 })
    await small.report(await lease(small, 'a'), { kind: 'blocked' })
    power.isDown = true
    for (const at of ['one.example', 'two.example']) await lease(small, 'a', at)
    expect(await given(small, 'a')).toBe('exhausted')
  })

  test('limits: a window admits a share once more, however often the store goes in it', async () => {
    let allowed = 0
    const admitAll = async (): Promise<void> => {
      for (let i = 0; i < 9; i++) {
        if ((await scheduler.admit({ key: 'k', tier: 'free' })).allowed) allowed++
      }
    }
    await admitAll()
    for (let outage = 0; outage < 3; outage++) {
      power.isDown = true
      await admitAll()
      power.up()
      await recovered(scheduler)
    }
    expect(allowed).toBeLessThanOrEqual(16)
  })

  test('limits: a call that fits the limit, but not a share, is not told that it never will', async () => {
    const four = open(power.store, { degraded: { instances: 4 } })
    power.isDown = true
    const { allowed, retryAfterMs } = await four.admit({ key: 'k', tier: 'free', cost: 3 })
    expect([allowed, retryAfterMs > 0]).toEqual([false, true])
  })

  test('limit-safety: a refund of what was counted here takes nothing from the store', async () => {
    power.isDown = true
    const here = await scheduler.admit({ key: 'k', tier: 'one' })
    power.up()
    await recovered(scheduler)
    expect((await scheduler.admit({ key: 'k', tier: 'one' })).source).toBe('memory')
    await scheduler.refund(here)
    expect((await scheduler.admit({ key: 'k', tier: 'one' })).allowed).toBe(false)
  })

  test('returns to a store that answers, but has no room for a record', async () => {
    power.isDown = true
    await report(scheduler, 'a', 'blocked')
    let refusals = 0
    const full = (): never => {
      refusals++
      throw new OstlerError('STORE_FULL', 'no room for a record')
    }
    Object.assign(power.store, { merge: mode === 'sync' ? full : async () => full() })
    power.up()
    await delay(1_500)
    expect(refusals).toBeGreaterThan(0)
    expect(scheduler.standing().degraded).toBe(false)
  })
})

/** What a test asks of an asynchronous store that it holds up, or fails, call by call. */
type Method = 'consume' | 'acquire' | 'settle' | 'exclusions' | 'agents' | 'putAgents' | 'merge'

/** An asynchronous store of `memory`, with some of its methods replaced. */
function dressed(
  methods: (plain: Store) => Partial<Record<Method | 'ping' | 'close', unknown>>,
): Store {
  const plain = remote('async')
  return { ...plain, ping: async () => undefined, ...methods(plain) } as Store
}

describe('a call that was carried out, though its answer was lost', () => {
  /** Carries out the next call of a method, and fails it all the same. */
  function losing(method: Method): Store {
    let isLost = false
    return dressed((plain) => ({
      [method]: async (...args: unknown[]) => {
        const answer = await (plain[method] as (...all: unknown[]) => Promise<unknown>)(...args)
        if (isLost) return answer
        isLost = true
        throw unavailable()
      },
    }))
  }

  test('permit-bound: gives back its permit when that is released, out of reach or not', async () => {
    const scheduler = open(losing('consume'))
    const other = open(memory)
    const permit = { ttlMs: 86_400_000 }
    const decision = await scheduler.admit({ key: 'k', tier: 'free', permit })
    expect(decision).toMatchObject({ allowed: true, degraded: true })
    await scheduler.release(decision.permit as NonNullable<typeof decision.permit>)
    await recovered(scheduler)
    const again = await other.admit({ key: 'k', tier: 'free', permit })
    expect(again).toMatchObject({ allowed: true })
  })

  test('gives back its slot when the lease is reported', async () => {
    const scheduler = open(losing('acquire'))
    const other = open(memory)
    await scheduler.agents.upsert([{ id: 'a', maxConcurrency: 1 }])
    const pick = await scheduler.pick({ domain })
    if (pick.kind !== 'picked') throw new Error(pick.cause)
    expect(pick.degraded).toBe(true)
    await scheduler.report(pick.lease, { kind: 'ok' })
    await recovered(scheduler)
    expect(await other.pick({ domain })).toMatchObject({ kind: 'picked' })
  })
})

describe('answers that cross', () => {
  /** Lets a test settle the calls of a method itself. */
  function held(method: Method): {
    readonly store: Store
    hold: boolean
    readonly calls: { fail(): void }[]
  } {
    const calls: { fail(): void }[] = []
    const gate = {
      hold: false,
      calls,
      store: dressed((plain) => ({
        ping: async () => {
          if (gate.hold) throw unavailable()
        },
        [method]: (...args: unknown[]) => {
          if (!gate.hold) return (plain[method] as (...all: unknown[]) => unknown)(...args)
          return new Promise((_, reject) => {
            calls.push({ fail: () => reject(unavailable()) })
          })
        },
      })),
    }
    return gate
  }

  test('a report that fails late is seen by the view that other answers have moved on', async () => {
    const gate = held('settle')
    const scheduler = open(gate.store)
    await scheduler.agents.upsert([{ id: 'a' }, { id: 'b' }])
    const mine = await lease(scheduler, 'a')
    gate.hold = true
    const reported = scheduler.report(mine, { kind: 'blocked' })
    // Meanwhile the store answers others, and tells of what another process did.
    memory.exclude('x', domain, clock.nowMs() + MINUTE, clock.nowMs())
    await lease(scheduler, 'b')
    gate.calls[0].fail()
    const { record } = await reported
    const untilMs = record?.untilMs as number
    expect(untilMs).toBeGreaterThan(clock.nowMs())
    const told = await scheduler.explain({ domain, pin: ['a'] })
    const pick = await scheduler.pick({ domain, pin: ['a'] })
    const truth = { kind: 'exhausted', cause: 'pinned_excluded', retryAtMs: untilMs }
    expect([told, pick]).toMatchObject([truth, truth])
    gate.hold = false
  })

  test('after close, a question whether the store is back changes nothing any more', async () => {
    const asked: ((error: Error) => void)[] = []
    const closed = (): OstlerError => new OstlerError('CLOSED', 'closed')
    let isClosed = false
    const store = dressed((plain) => ({
      consume: async (request: ConsumeRequest) => {
        if (isClosed) throw closed()
        if (asked.length === 0) throw unavailable()
        return plain.consume(request)
      },
      ping: () =>
        new Promise((_, reject) => {
          asked.push(reject)
        }),
      close: async () => {
        isClosed = true
        for (const fail of asked) fail(closed())
      },
    }))
    const scheduler = open(store)
    await scheduler.admit({ key: 'k', tier: 'free' })
    for (let i = 0; asked.length === 0 && i < 100; i++) await delay(5)
    await scheduler.close()
    await delay(5)
    await expect(scheduler.admit({ key: 'k', tier: 'free' })).rejects.toMatchObject({
      code: 'CLOSED',
    })
  })

  test('a report under way at close is not acknowledged where nobody will tell the store', async () => {
    const gate = held('settle')
    const scheduler = open(gate.store)
    await scheduler.agents.upsert([{ id: 'a' }])
    const mine = await lease(scheduler, 'a')
    gate.hold = true
    const reported = scheduler.report(mine, { kind: 'blocked' })
    await scheduler.close()
    gate.calls[0].fail()
    await expect(reported).rejects.toBeInstanceOf(OstlerError)
  })

  test('answers by promise also where an asynchronous store throws at once', async () => {
    const scheduler = open(
      dressed(() => ({
        consume: () => {
          throw unavailable()
        },
      })),
    )
    expect(scheduler.admit({ key: 'k', tier: 'free' })).toBeInstanceOf(Promise)
  })
})

describe('on an asynchronous store', () => {
  test('exhaustion-truth: an exit that another process has excluded everywhere is no filter', async () => {
    const scheduler = open(remote('async'))
    const other = open(memory)
    await scheduler.agents.upsert([{ id: 'a' }])
    await lease(scheduler, 'a')
    const untilMs = clock.nowMs() + MINUTE
    await other.exclude('a', '*', untilMs)
    expect(await scheduler.pick({ domain })).toMatchObject({
      kind: 'exhausted',
      cause: 'all_excluded',
      retryAtMs: untilMs,
    })
  })

  test('many picks at once ask for a changed fleet a few times, not once each', async () => {
    let asked = 0
    const store = dressed((plain) => ({
      agents: (since: number) => {
        asked++
        return plain.agents(since)
      },
    }))
    memory.putAgents(Array.from({ length: 100 }, (_, i) => ({ id: `a${i}` })))
    const scheduler = open(store)
    await Promise.all(Array.from({ length: 100 }, async () => scheduler.pick({ domain })))
    expect(asked).toBeLessThanOrEqual(5)
  })

  test('many picks at once put a lost fleet again a few times, not once each', async () => {
    let put = 0
    let base = 0
    const told = async <T extends { version: number }>(since: number, answer: T): Promise<T> => ({
      ...answer,
      version: base + answer.version,
      ...(since < base && since > 0 && { reset: true, lost: true }),
    })
    const seen = (since: number): number => Math.max(0, since - base)
    const store: Store = {
      ...dressed(() => ({})),
      agents: (since) => told(since, memory.agents(seen(since))),
      acquire: async (request) => ({
        ...memory.acquire({ ...request, viewVersion: seen(request.viewVersion) }),
        fleetVersion: base + memory.agents(0).version,
      }),
      putAgents: async (agents) => {
        put += agents.length
        return base + memory.putAgents(agents)
      },
    } as Store
    const scheduler = open(store)
    await scheduler.agents.upsert(Array.from({ length: 100 }, (_, i) => ({ id: `a${i}` })))
    await scheduler.pick({ domain })
    put = 0
    base = 1_000_000
    memory = memoryStore()
    await Promise.all(Array.from({ length: 50 }, async () => scheduler.pick({ domain })))
    expect(put).toBeLessThanOrEqual(300)
  })

  test('degraded: returns to its store while reports go on', async () => {
    let isDown = false
    const later = async (): Promise<void> => {
      await delay(5)
      if (isDown) throw unavailable()
    }
    const store = dressed((plain) => ({
      ping: later,
      merge: async (name: string, changes: readonly Change[], nowMs: number) => {
        await later()
        return plain.merge(name, changes, nowMs)
      },
      consume: async (request: ConsumeRequest) => {
        await later()
        return plain.consume(request)
      },
    }))
    const scheduler = open(store)
    await scheduler.agents.upsert(Array.from({ length: 4_000 }, (_, i) => ({ id: `a${i}` })))
    isDown = true
    await scheduler.admit({ key: 'k', tier: 'free' })
    const back = delay(1_500).then(() => (isDown = false))
    // About 100 blocks a second, of forty domains; a merge takes some 5 ms.
    let reports = 0
    const startedMs = Date.now()
    while (scheduler.standing().degraded && Date.now() < startedMs + 6_000) {
      const at = `d${reports++ % 40}.example`
      const pick = await scheduler.pick({ domain: at })
      if (pick.kind === 'picked') await scheduler.report(pick.lease, { kind: 'blocked' })
      await delay(9)
    }
    await back
    expect(scheduler.standing()).toMatchObject({ degraded: false })
  }, 10_000)

  test('degraded: a store that is back is not put out of reach by what is asked on its return', async () => {
    let isDown = false
    let freeAtMs = 0
    // A server that takes 0.3 ms a question, one at a time, and a budget of 50 ms.
    const served = async (): Promise<void> => {
      const nowMs = performance.now()
      freeAtMs = Math.max(freeAtMs, nowMs) + 0.3
      const waitMs = freeAtMs - nowMs
      await delay(Math.min(waitMs, 50))
      if (isDown || waitMs > 50) throw unavailable()
    }
    let isBusy = false
    const store = dressed((plain) => ({
      ping: served,
      exclusions: async (name: string, since: number, nowMs: number) => {
        if (isBusy) await served()
        return plain.exclusions(name, since, nowMs)
      },
      agents: async (since: number) => {
        if (isBusy) await served()
        return plain.agents(since)
      },
    }))
    const scheduler = open(store)
    await scheduler.agents.upsert([{ id: 'a' }])
    for (let i = 0; i < 1_000; i++) await scheduler.explain({ domain: `d${i}.example` })
    isBusy = isDown = true
    await scheduler.explain({ domain })
    isDown = false
    await delay(3_000)
    expect(scheduler.standing().episodes).toBeLessThanOrEqual(2)
  }, 10_000)
})

describe('on a synchronous store', () => {
  test('says that the store is back each time, though it goes again at once', async () => {
    const power = new Switch(remote('sync'))
    const scheduler = open(power.store)
    await scheduler.agents.upsert([{ id: 'a' }])
    await scheduler.pick({ domain })
    const told: boolean[] = []
    const listener = (message: unknown): void => {
      told.push((message as { degraded: boolean }).degraded)
    }
    subscribe('ostler:degraded', listener)
    try {
      power.isDown = true
      await scheduler.pick({ domain })
      power.up()
      power.callsLeft = 1
      const { refused } = power
      for (let i = 0; power.refused === refused && i < 100; i++) await delay(10)
      power.up()
      await recovered(scheduler)
    } finally {
      unsubscribe('ostler:degraded', listener)
    }
    expect(told).toEqual([true, false, true, false])
  })

  test('picks on a store that has lost its data and has no room to be told again', async () => {
    let isLost = false
    const plain = remote('sync') as Store<'sync'>
    const store = {
      ...plain,
      exclusions: (name: string, since: number, nowMs: number) =>
        isLost && since !== 7
          ? { version: 7, reset: true, changes: [], incident: null, lost: true as const }
          : plain.exclusions(name, since, nowMs),
      merge: () => {
        throw new OstlerError('STORE_FULL', 'no room for a record')
      },
    }
    const scheduler = open(store)
    await scheduler.agents.upsert([{ id: 'a' }, { id: 'b' }])
    await report(scheduler, 'a', 'blocked')
    isLost = true
    expect((await scheduler.pick({ domain })).kind).toBe('picked')
  })
})
