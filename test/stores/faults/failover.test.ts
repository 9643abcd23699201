import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Mode, Scheduler } from '@ostler/core'
import { redisStore, type RedisStoreOptions } from '@ostler/store-redis'
import { startProxy, type Proxy } from '../../servers/proxy.ts'
import { startReplicated, type Replicated } from '../../servers/replicated.ts'
import { until } from '../../servers/until.ts'
import { block, BUDGET_MS, DOMAIN, excluded, Load, recovered, Schedulers } from './rig.ts'

let pair: Replicated
let first: Proxy
let second: Proxy
const schedulers = new Schedulers()
const clients: Redis[] = []

/** A scheduler whose client finds the primary where it is told, as by a name service; and how to tell it. */
async function open(options: Partial<RedisStoreOptions> = {}) {
  const client = new Redis({
    host: '127.0.0.1',
    port: first.port,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 200,
    retryStrategy: () => 50,
  })
  client.on('error', () => undefined)
  clients.push(client)
  const scheduler = await schedulers.open(redisStore({ client, budgetMs: BUDGET_MS, ...options }))
  const moveTo = (proxy: Proxy): void => {
    client.options.port = proxy.port
    client.disconnect(true)
  }
  return { scheduler, moveTo }
}

/** Another process, on the server that was the replica. */
async function witness(): Promise<Scheduler<Mode>> {
  const store = redisStore({ url: pair.replica.url, budgetMs: 1_000 })
  return schedulers.open(store, [])
}

beforeEach(async () => {
  pair = await startReplicated()
  first = await startProxy(pair.primary.port)
  second = await startProxy(pair.replica.port)
})

afterEach(async () => {
  await schedulers.closeAll()
  for (const client of clients.splice(0)) client.disconnect()
  await first.stop()
  await second.stop()
  await pair.stop()
})

describe('fault: Redis', () => {
  test('failed over: what the replica had not heard is told again by who reported it', async () => {
    const { scheduler, moveTo } = await open()
    await block(scheduler, 'a0')
    await until('the replica is in sync', () => pair.isInSync())
    await pair.cutOff()
    // Acknowledged, and lost with the primary.
    await block(scheduler, 'a1')
    await block(scheduler, 'a2')
    const load = new Load(scheduler)
    await load.more(50)
    first.blackHole()
    await until('calls are decided locally', () => load.degraded > 20)
    await block(scheduler, 'a3')
    await pair.promote()
    moveTo(second)
    const returnMs = await recovered(scheduler)
    await load.more(100)
    const { codes, slowestMs, exhausted } = await load.stop()
    expect([[...codes], exhausted, first.fired.swallowed > 0]).toEqual([[], 0, true])
    expect(slowestMs).toBeLessThan(BUDGET_MS + 50)
    expect(returnMs).toBeLessThan(1_000)
    const other = await witness()
    await until('the new primary knows', async () => (await excluded(other)).length === 4)
    expect(await excluded(other)).toEqual(['a0', 'a1', 'a2', 'a3'])
    expect(await excluded(scheduler)).toEqual(['a0', 'a1', 'a2', 'a3'])
  })

  test('failed over, durability replicated: a report that has resolved is lost with nobody', async () => {
    // Ample, so that none of it is decided here for want of speed.
    const { scheduler } = await open({ durability: 'replicated', budgetMs: 2_000 })
    for (const id of ['a0', 'a1', 'a2']) await block(scheduler, id)
    expect(scheduler.standing().episodes).toBe(0)
    // Nobody who knows of them is left to tell.
    await scheduler.close()
    await pair.primary.kill()
    await pair.promote()
    expect(await excluded(await witness())).toEqual(['a0', 'a1', 'a2'])
  })

  test('replica lost, durability replicated: reports are kept here until a replica has them', async () => {
    const { scheduler } = await open({ durability: 'replicated' })
    await block(scheduler, 'a0')
    await pair.cutOff()
    await block(scheduler, 'a1')
    expect(scheduler.standing()).toMatchObject({ degraded: true })
    expect(await excluded(scheduler)).toEqual(['a0', 'a1'])
    await pair.replica.ask('REPLICAOF', '127.0.0.1', pair.primary.port)
    await recovered(scheduler)
    await until('the replica is in sync', () => pair.isInSync())
    await pair.primary.kill()
    await pair.promote()
    const other = await witness()
    const { agents } = await other.health(DOMAIN)
    expect(agents.map(({ id }) => id)).toEqual(['a0', 'a1'])
  })
})
