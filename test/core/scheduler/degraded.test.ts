import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  memoryStore,
  Scheduler,
  seededRandom,
  type DegradedOptions,
  type Lease,
  type Mode,
  type Store,
} from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { asyncStore } from './rig.ts'
import { recovered, Switch } from './switch.ts'

const domain = 'shop.example'

function gatesOf(store: Store<'sync'>): Required<Store>['gate'] {
  return (policies) => (store as Required<Store<'sync'>>).gate(policies)
}
const TIERS = {
  free: { policies: [{ name: 'free', limit: 8, windowMs: 60_000 }], permits: 2 },
  small: { policies: [{ name: 'small', limit: 3, windowMs: 60_000 }] },
}

describe.each(['sync', 'gated', 'async'] as const)(
  'on a store (%s) that goes out of reach',
  (mode) => {
    let clock: ManualClock
    let memory: Store<'sync'>
    let power: Switch
    let scheduler: Scheduler<Mode>
    let other: Scheduler<'sync'>
    const opened: Scheduler<Mode>[] = []

    function open(degraded: DegradedOptions = {}): Scheduler<Mode> {
      const one = new Scheduler<Mode>({
        store: power.store,
        clock,
        tiers: TIERS,
        random: seededRandom(1),
        degraded,
      })
      opened.push(one)
      return one
    }

    beforeEach(async () => {
      clock = new ManualClock(1_200_000_000)
      memory = memoryStore()
      const { local: _, ...remote } = mode === 'async' ? asyncStore(memory) : memory
      power = new Switch(mode === 'gated' ? { ...remote, gate: gatesOf(memory) } : remote)
      scheduler = open()
      other = new Scheduler({ store: memory, clock, tiers: TIERS, random: seededRandom(2) })
      await scheduler.agents.upsert(['a', 'b', 'c'].map((id) => ({ id, country: 'DE' })))
    })

    afterEach(async () => {
      power.up()
      for (const one of opened.splice(0)) await one.close()
    })

    async function lease(of: Scheduler<Mode>, id: string): Promise<Lease> {
      const pick = await of.pick({ domain, pin: [id] })
      if (pick.kind !== 'picked') throw new Error(pick.cause)
      return pick.lease
    }

    async function eligible(of: Scheduler<Mode>): Promise<string[]> {
      const ids: string[] = []
      for (const id of ['a', 'b', 'c', 'd']) {
        const told = await of.explain({ domain, pin: [id] })
        if (told.kind === 'picked') ids.push(id)
      }
      return ids
    }

    test('says of each decision who made it', async () => {
      expect(await scheduler.admit({ key: 'k', tier: 'free' })).toMatchObject({
        source: 'memory',
        degraded: false,
      })
      power.isDown = true
      const local = { source: 'local', degraded: true }
      expect(await scheduler.admit({ key: 'k', tier: 'free' })).toMatchObject(local)
      expect(await scheduler.peek({ key: 'k', tier: 'free' })).toMatchObject(local)
      expect(await scheduler.pick({ domain })).toMatchObject({ kind: 'picked', ...local })
      expect(await scheduler.explain({ domain })).toMatchObject({ kind: 'picked', ...local })
      expect(await scheduler.pick({ domain, pin: ['none'] })).toMatchObject({
        kind: 'exhausted',
        ...local,
      })
      power.up()
      await recovered(scheduler)
      const again = { source: 'memory', degraded: false }
      expect(await scheduler.admit({ key: 'k', tier: 'free' })).toMatchObject(again)
      expect(await scheduler.pick({ domain })).toMatchObject({ kind: 'picked', ...again })
    })

    test('admits its share of each limit, and no limit falls to nothing', async () => {
      const four = open({ instances: 4 })
      power.isDown = true
      const admitted = async (tier: string): Promise<number> => {
        let allowed = 0
        for (let i = 0; i < 9; i++) {
          if ((await four.admit({ key: 'k', tier })).allowed) allowed++
        }
        return allowed
      }
      expect([await admitted('free'), await admitted('small')]).toEqual([2, 1])
      clock.advance(60_000)
      expect(await admitted('free')).toBe(2)
    })

    test('asks the store no more but for one probe at a time', async () => {
      power.isDown = true
      for (let i = 0; i < 500; i++) await scheduler.admit({ key: `k${i}`, tier: 'free' })
      expect(power.refused).toBeLessThan(20)
      expect(scheduler.standing()).toMatchObject({ degraded: true, episodes: 1, store: 'memory' })
      expect(scheduler.standing().decidedLocally).toBeGreaterThanOrEqual(500)
      expect(scheduler.standing().reason).toContain('put out of reach')
    })

    test('denies, or admits everything, where it is told to', async () => {
      const [denying, allowing] = [open({ limits: 'deny' }), open({ limits: 'allow' })]
      power.isDown = true
      for (let i = 0; i < 20; i++) {
        const denied = await denying.admit({ key: 'k', tier: 'small' })
        expect(denied).toMatchObject({ allowed: false, degraded: true, retryAfterMs: 1_000 })
        expect((await allowing.admit({ key: 'k', tier: 'small' })).allowed).toBe(true)
      }
    })

    test('refuses picks and reports where it is told to', async () => {
      const refusing = open({ picks: 'refuse' })
      const held = await lease(refusing, 'a')
      power.isDown = true
      const unavailable = { code: 'STORE_UNAVAILABLE' }
      await expect((async () => refusing.pick({ domain }))()).rejects.toMatchObject(unavailable)
      await expect(
        (async () => refusing.report(held, { kind: 'blocked' }))(),
      ).rejects.toMatchObject(unavailable)
      const exclude = async () => refusing.exclude('a', domain, clock.nowMs() + 60_000)
      await expect(exclude()).rejects.toMatchObject(unavailable)
    })

    test('knows what was excluded before', async () => {
      await scheduler.report(await lease(scheduler, 'a'), { kind: 'blocked' })
      power.isDown = true
      expect(await eligible(scheduler)).toEqual(['b', 'c'])
    })

    test('keeps to what is reported meanwhile, and tells the store on its return', async () => {
      const before = await lease(scheduler, 'a')
      power.isDown = true
      const meanwhile = await lease(scheduler, 'b')
      await scheduler.report(before, { kind: 'blocked' })
      await scheduler.report(meanwhile, { kind: 'challenged' })
      expect(await eligible(scheduler)).toEqual(['c'])
      expect(await eligible(other)).toEqual(['a', 'b', 'c'])
      power.up()
      await recovered(scheduler)
      expect([await eligible(other), await eligible(scheduler)]).toEqual([['c'], ['c']])
      const records = (memory.exclusions(domain, 0, clock.nowMs()).changes ?? []).map(
        ({ exit, record }) => [exit, record?.strikes, record?.epoch],
      )
      expect(records.sort()).toEqual([
        ['a', 1, 1],
        ['b', 1, 1],
      ])
    })

    test('frees on its return what leases of the store were told meanwhile', async () => {
      await scheduler.agents.upsert([{ id: 'd', country: 'DE', maxConcurrency: 1 }])
      const held = await lease(scheduler, 'd')
      expect(other.pick({ domain, pin: ['d'] })).toMatchObject({ kind: 'exhausted' })
      power.isDown = true
      await scheduler.report(held, { kind: 'ok' })
      expect(scheduler.standing().owed).toBe(1)
      power.up()
      await recovered(scheduler)
      expect(other.pick({ domain, pin: ['d'] }).kind).toBe('picked')
      expect(scheduler.standing()).toMatchObject({ owed: 0, repaid: 1, dropped: 0 })
    })

    test('gives up reports when too many are owed, and counts them', async () => {
      const poor = open({ maxOwed: 1 })
      const held = [await lease(poor, 'a'), await lease(poor, 'b'), await lease(poor, 'c')]
      power.isDown = true
      for (const one of held) await poor.report(one, { kind: 'ok' })
      expect(poor.standing()).toMatchObject({ owed: 1, dropped: 2 })
      await expect(
        (async () => poor.exclude('a', '*', clock.nowMs() + 60_000))(),
      ).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    })

    test('keeps to what is excluded and restored by hand meanwhile, then tells the store', async () => {
      await scheduler.exclude('a', domain, clock.nowMs() + 600_000)
      power.isDown = true
      await scheduler.restore('a', domain)
      await scheduler.exclude('b', domain, clock.nowMs() + 600_000)
      await scheduler.exclude('c', '*', clock.nowMs() + 600_000)
      expect(await eligible(scheduler)).toEqual(['a'])
      power.up()
      await recovered(scheduler)
      expect([await eligible(other), await eligible(scheduler)]).toEqual([['a'], ['a']])
    })

    test('takes agents in and out meanwhile, then tells the store', async () => {
      power.isDown = true
      await scheduler.agents.upsert([{ id: 'd', country: 'DE' }])
      await scheduler.agents.remove(['a'])
      expect(await eligible(scheduler)).toEqual(['b', 'c', 'd'])
      power.up()
      await recovered(scheduler)
      expect([await eligible(other), await eligible(scheduler)]).toEqual([
        ['b', 'c', 'd'],
        ['b', 'c', 'd'],
      ])
    })

    test('gives one probe at a time meanwhile', async () => {
      await scheduler.report(await lease(scheduler, 'a'), { kind: 'blocked' })
      clock.advance(7 * 60_000)
      power.isDown = true
      expect(await scheduler.pick({ domain, pin: ['a'] })).toMatchObject({ probe: true })
      expect(await scheduler.pick({ domain, pin: ['a'] })).toMatchObject({ kind: 'exhausted' })
    })

    test('forgets nothing when the store goes again while it is being told', async () => {
      const held = [await lease(scheduler, 'a'), await lease(scheduler, 'b')]
      power.isDown = true
      for (const one of held) await scheduler.report(one, { kind: 'blocked' })
      for (let calls = 1; calls < 4; calls++) {
        const { refused } = power
        power.up()
        power.callsLeft = calls
        for (let i = 0; power.refused === refused && i < 100; i++) {
          await delay(10)
        }
        if (!scheduler.standing().degraded) break
        expect(await eligible(scheduler)).toEqual(['c'])
      }
      power.up()
      await recovered(scheduler)
      expect([await eligible(other), await eligible(scheduler)]).toEqual([['c'], ['c']])
      expect(scheduler.standing()).toMatchObject({ owed: 0, dropped: 0 })
    })

    test('throws what is no matter of reach, and asks the store again', async () => {
      await scheduler.admit({ key: 'k', tier: 'free', opId: 'op' })
      const small = memoryStore({ maxOps: 1 })
      const { local: _, ...remote } = mode === 'sync' ? small : asyncStore(small)
      const full = new Scheduler<Mode>({ store: remote, clock, tiers: TIERS })
      opened.push(full)
      await full.admit({ key: 'k', tier: 'free', opId: 'op 1' })
      const second = async () => full.admit({ key: 'k', tier: 'free', opId: 'op 2' })
      await expect(second()).rejects.toMatchObject({ code: 'STORE_FULL' })
      expect(full.standing().degraded).toBe(false)
    })

    test('publishes when the store goes and when it is back', async () => {
      const told: unknown[] = []
      const listener = (message: unknown) => told.push(message)
      subscribe('ostler:degraded', listener)
      try {
        power.isDown = true
        await scheduler.admit({ key: 'k', tier: 'free' })
        clock.advance(2_000)
        power.up()
        await recovered(scheduler)
      } finally {
        unsubscribe('ostler:degraded', listener)
      }
      const sinceMs = 1_200_000_000
      expect(told).toMatchObject([
        {
          store: 'memory',
          degraded: true,
          sinceMs,
          forMs: 0,
          reason: expect.any(String) as string,
        },
        { store: 'memory', degraded: false, sinceMs, forMs: 2_000 },
      ])
    })

    test('starts without its store, and brings the fleet once it is there', async () => {
      power.isDown = true
      const early = open()
      await early.agents.upsert([{ id: 'd', country: 'DE' }])
      expect(await early.pick({ domain })).toMatchObject({ kind: 'picked', degraded: true })
      power.up()
      await recovered(early)
      expect(await eligible(early)).toEqual(['a', 'b', 'c', 'd'])
      expect(await eligible(other)).toEqual(['a', 'b', 'c', 'd'])
    })

    test('throws CLOSED after close, out of reach or not', async () => {
      power.isDown = true
      await scheduler.admit({ key: 'k', tier: 'free' })
      await scheduler.close()
      power.up()
      const late = async () => scheduler.admit({ key: 'k', tier: 'free' })
      await expect(late()).rejects.toMatchObject({ code: 'CLOSED' })
    })
  },
)

describe.each(['sync', 'async'] as const)('on a store (%s) that has lost everything', (mode) => {
  /** A store whose data can be taken away. */
  function mortal(clock: ManualClock) {
    let data = memoryStore()
    let lostAt = 0
    const methods = Object.keys(data).filter(
      (name) => typeof data[name as keyof Store] === 'function',
    )
    const store: Record<string, unknown> = { mode: 'sync', name: 'mortal' }
    for (const name of methods) {
      store[name] = (...args: unknown[]) =>
        (data[name as keyof Store] as (...all: unknown[]) => unknown)(...args)
    }
    const base = (version: number): number => (version === 0 ? 0 : version + lostAt)
    const since = (version: number): number => (version <= lostAt ? 0 : version - lostAt)
    const told = <T extends { version: number }>(sinceVersion: number, answer: T): T => {
      const isLost = sinceVersion !== 0 && sinceVersion <= lostAt
      const version = base(answer.version)
      return { ...answer, version, ...(isLost && { reset: true, lost: true }) }
    }
    store['agents'] = (version: number) => told(version, data.agents(since(version)))
    store['putAgents'] = (agents: Parameters<typeof data.putAgents>[0]) =>
      base(data.putAgents(agents))
    store['exclusions'] = (name: string, version: number, nowMs: number) =>
      told(version, data.exclusions(name, since(version), nowMs))
    store['acquire'] = (request: Parameters<typeof data.acquire>[0]) => {
      const answer = data.acquire({ ...request, viewVersion: since(request.viewVersion) })
      const changes = told(request.viewVersion, answer.changes)
      return { ...answer, changes, fleetVersion: base(data.agents(0).version) || lostAt }
    }
    const lose = (): void => {
      lostAt = 1_000_000
      data = memoryStore()
    }
    const sync = store as unknown as Store<'sync'>
    const { local: _, ...remote } = asyncStore(sync)
    const seen = (): unknown =>
      data.exclusions(domain, 0, clock.nowMs()).changes.map(({ exit }) => exit)
    const store_ = mode === 'sync' ? sync : remote
    return { store: store_ as Store, lose, seen, fleet: () => data.agents(0).changes.length }
  }

  test('tells it again what is excluded and who is in the fleet', async () => {
    const clock = new ManualClock(1_200_000_000)
    const { store, lose, seen, fleet } = mortal(clock)
    const scheduler = new Scheduler<Mode>({ store, clock, random: seededRandom(3) })
    await scheduler.agents.upsert(['a', 'b', 'c'].map((id) => ({ id, country: 'DE' })))
    for (const id of ['a', 'b']) {
      const pick = await scheduler.pick({ domain, pin: [id] })
      if (pick.kind !== 'picked') throw new Error(pick.cause)
      await scheduler.report(pick.lease, { kind: 'blocked' })
    }
    lose()
    expect([seen(), fleet()]).toEqual([[], 0])
    for (let i = 0; i < 5; i++) {
      const pick = await scheduler.pick({ domain })
      expect(pick.kind === 'picked' && pick.agent.id).toBe('c')
    }
    expect([seen(), fleet()]).toEqual([['a', 'b'], 3])
    await scheduler.close()
  })
})
