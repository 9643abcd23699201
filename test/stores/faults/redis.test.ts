import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Mode, Scheduler } from '@ostler/core'
import { redisStore, type RedisStoreOptions } from '@ostler/store-redis'
import { startProxy, type Proxy } from '../../servers/proxy.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { until } from '../../servers/until.ts'
import {
  AGENTS,
  block,
  BUDGET_MS,
  DOMAIN,
  excluded,
  lease,
  Load,
  recovered,
  Schedulers,
} from './rig.ts'

let server: RedisServer
let proxy: Proxy
const schedulers = new Schedulers()

/** A scheduler whose way to the server leads through the proxy. */
async function open(options: Partial<RedisStoreOptions> = {}): Promise<Scheduler<Mode>> {
  const store = redisStore({ url: proxy.url, budgetMs: BUDGET_MS, ...options })
  return schedulers.open(store)
}

/** One that goes straight to the server, as another process would. */
async function witness(): Promise<Scheduler<Mode>> {
  return schedulers.open(redisStore({ url: server.url, budgetMs: 1_000 }), [])
}

beforeEach(async () => {
  server = await startRedis()
  proxy = await startProxy(server.port)
})

afterEach(async () => {
  server.resume()
  await schedulers.closeAll()
  await proxy.stop()
  await server.stop()
})

/**
 * What every outage must come to: nobody waits for longer than the budget, what was excluded before stays so, what is reported meanwhile
 * holds, callers are told who decided, and within a second of its return the store knows all of it.
 */
async function outage(
  scheduler: Scheduler<Mode>,
  begin: () => unknown,
  end: () => unknown,
): Promise<void> {
  await block(scheduler, 'a0')
  const held = await lease(scheduler, 'a1')
  const load = new Load(scheduler)
  await load.more(100)
  expect(load.degraded).toBe(0)
  await begin()
  await until('calls are decided locally', () => load.degraded > 50)
  await scheduler.report(held, { kind: 'blocked' })
  await block(scheduler, 'a2')
  await expect(lease(scheduler, 'a0')).rejects.toThrow('expected an agent')
  await expect(lease(scheduler, 'a1')).rejects.toThrow('expected an agent')
  await load.more(300)
  expect(scheduler.standing()).toMatchObject({ degraded: true, store: 'redis' })
  await end()
  const returnMs = await recovered(scheduler)
  await load.calm()
  const { codes, slowestMs, exhausted } = await load.stop()
  expect([exhausted, [...codes]]).toEqual([0, []])
  expect(slowestMs).toBeLessThan(BUDGET_MS + 50)
  expect(returnMs).toBeLessThan(1_000)
  const other = await witness()
  expect(await excluded(other)).toEqual(['a0', 'a1', 'a2'])
  expect(await excluded(scheduler)).toEqual(['a0', 'a1', 'a2'])
}

describe('fault: Redis', () => {
  test('paused: decides locally, and tells what was reported', async () => {
    const scheduler = await open()
    await outage(
      scheduler,
      () => server.pause(),
      () => server.resume(),
    )
  })

  test('slow, beyond the budget: decides locally, and tells what was reported', async () => {
    const scheduler = await open()
    await outage(
      scheduler,
      () => proxy.delay(BUDGET_MS * 4),
      () => proxy.heal(),
    )
    expect(proxy.fired.delayed).toBeGreaterThan(0)
  })

  test('slow, within the budget: is waited for', async () => {
    const scheduler = await open({ budgetMs: 2_000 })
    proxy.delay(10)
    const load = new Load(scheduler)
    await load.more(200)
    const { degraded, codes } = await load.stop()
    expect([degraded, [...codes], scheduler.standing().episodes]).toEqual([0, [], 0])
    expect(proxy.fired.delayed).toBeGreaterThan(10)
  })

  test('out of reach: decides locally, and tells what was reported', async () => {
    const scheduler = await open()
    await outage(
      scheduler,
      () => proxy.blackHole(),
      () => proxy.heal(),
    )
    expect(proxy.fired.swallowed).toBeGreaterThan(0)
  })

  test('stopped: decides locally, and tells what was reported', async () => {
    const scheduler = await open()
    await outage(
      scheduler,
      () => proxy.refuse(),
      () => proxy.heal(),
    )
    expect(proxy.fired.refused).toBeGreaterThan(0)
  })

  test('replies lost: a call whose answer is lost counts as used', async () => {
    const scheduler = await open()
    const direct = await witness()
    // The script is known from here on: what is lost is an answer, not a question.
    await scheduler.admit({ key: 'other', tier: 'tight' })
    proxy.dropReplies()
    const decision = await scheduler.admit({ key: 'k', tier: 'tight' })
    expect(decision).toMatchObject({ allowed: true, degraded: true })
    expect(proxy.fired.dropped).toBeGreaterThan(0)
    const [usage] = await direct.usage('k', 'tight')
    expect(usage).toMatchObject({ used: 1, remaining: 4 })
    await proxy.heal()
    await recovered(scheduler)
    const left: boolean[] = []
    for (let i = 0; i < 5; i++) {
      left.push((await scheduler.admit({ key: 'k', tier: 'tight' })).allowed)
    }
    expect(left).toEqual([true, true, true, true, false])
  })

  test('replies cut: nothing is taken for an answer that is none', async () => {
    const scheduler = await open()
    await block(scheduler, 'a0')
    const load = new Load(scheduler)
    for (let i = 0; i < 20; i++) {
      proxy.cutReplies(7 + i * 11, 1)
      await until('a reply is cut', () => proxy.fired.cut > i)
      await recovered(scheduler)
    }
    const { codes, slowestMs } = await load.stop()
    expect([...codes]).toEqual([])
    expect(slowestMs).toBeLessThan(BUDGET_MS + 50)
    expect(await excluded(scheduler)).toEqual(['a0'])
  })

  test('restarted empty: is told again what is excluded and who is in the fleet', async () => {
    const scheduler = await open()
    await block(scheduler, 'a0')
    await block(scheduler, 'a1')
    const load = new Load(scheduler)
    await load.more(50)
    await server.restart({ empty: true })
    await load.more(50)
    await recovered(scheduler)
    const { codes, slowestMs, exhausted } = await load.stop()
    expect([[...codes], exhausted]).toEqual([[], 0])
    expect(slowestMs).toBeLessThan(BUDGET_MS + 50)
    const other = await witness()
    await until('the fleet is there again', async () => {
      await other.health(DOMAIN)
      return other.agents.size === AGENTS.length
    })
    expect(await excluded(other)).toEqual(['a0', 'a1'])
  })

  test('FLUSHALL: is told again what is excluded and who is in the fleet', async () => {
    const scheduler = await open()
    await block(scheduler, 'a0')
    await server.ask('FLUSHALL')
    for (let i = 0; i < 20; i++) {
      const { agentId, ...rest } = await lease(scheduler)
      expect(agentId).not.toBe('a0')
      await scheduler.report({ agentId, ...rest }, { kind: 'ok' })
    }
    const other = await witness()
    await until('the fleet is there again', async () => {
      await other.health(DOMAIN)
      return other.agents.size === AGENTS.length
    })
    expect(await excluded(other)).toEqual(['a0'])
    expect(scheduler.standing().episodes).toBe(0)
  })

  test('SCRIPT FLUSH: is not noticed', async () => {
    const scheduler = await open({ budgetMs: 2_000 })
    const load = new Load(scheduler)
    for (let i = 0; i < 10; i++) {
      await server.ask('SCRIPT', 'FLUSH')
      await load.more(50)
    }
    const { codes, degraded } = await load.stop()
    expect([[...codes], degraded]).toEqual([[], 0])
  })

  test('out of memory: decides locally, and says why', async () => {
    const scheduler = await open()
    await outage(
      scheduler,
      async () => {
        await server.ask('CONFIG', 'SET', 'maxmemory', '1')
        expect(String(await server.ask('CONFIG', 'GET', 'maxmemory-policy'))).toContain(
          'noeviction',
        )
      },
      async () => {
        expect(scheduler.standing().reason).toMatch(/OOM|memory/)
        await server.ask('CONFIG', 'SET', 'maxmemory', '0')
      },
    )
  })

  test('demoted: decides locally until it is a primary again', async () => {
    const scheduler = await open()
    await outage(
      scheduler,
      () => server.ask('REPLICAOF', '127.0.0.1', 1),
      async () => {
        await until('it says why', () => /READONLY/.test(scheduler.standing().reason ?? ''))
        await server.ask('REPLICAOF', 'NO', 'ONE')
      },
    )
  })

  test('lost subscription: the fleet and the views follow again', async () => {
    const scheduler = await open()
    const other = await witness()
    await block(scheduler, 'a3')
    await until('someone is subscribed', async () =>
      String(await server.ask('PUBSUB', 'CHANNELS')).includes('changes'),
    )
    const killed = Number(await server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub'))
    expect(killed).toBeGreaterThan(0)
    await other.agents.upsert([{ id: 'late', country: 'DE' }])
    await until('the scheduler has heard', () => scheduler.agents.get('late') !== undefined)
    expect(scheduler.standing().episodes).toBe(0)
  })
})
