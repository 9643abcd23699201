import { statSync } from 'node:fs'
import { Scheduler, type Mode, type Store } from '@ostler/core'
import { builtinScenario } from '@ostler/simulator'
import { redisStore } from '@ostler/store-redis'
import { sqliteStore } from '@ostler/store-sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../servers/ports.ts'
import { startRedis, type RedisServer } from '../servers/redis.ts'
import { until } from '../servers/until.ts'
import { tiny } from '../simulator/tiny.ts'
import { file, freshPath, NOW_MS, ostler } from './rig.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

const PASSWORD = 'hunter2'

describe('--store', () => {
  test.each([
    'postgres://ann:hunter2@db/ostler',
    'redis://',
    'redis:6379',
    'redis://ann:hunter2@db/not-a-number',
    'redis://ann:hunter2/with a slash@:x',
    'sqlite:',
    'sqlite://ann:hunter2@file.db',
    'ann:hunter2@db',
    'redis://db/x?password=hunter2',
    'redis://ann:hunter2@db?budgetMs=soon',
    'Memory',
    '',
  ])('refuses %j, names the forms and shows no password', async (text) => {
    for (const command of [['doctor'], ['simulate'], ['pick', 'shop.example']]) {
      const { code, out, err } = await ostler([...command, '--store', text])
      expect([code, out]).toEqual([2, ''])
      expect(err).toMatch(/^ostler: --store must be memory, sqlite:FILE, redis:\/\/.*\(USAGE\)\n$/)
      expect(err).not.toContain(PASSWORD)
    }
  })

  test('shows no password where the option itself is mistyped', async () => {
    for (const argv of [
      ['doctor', '--stoer=redis://ann:hunter2@db'],
      ['doctor', '--stoer=redis://db?user=ann&password=hunter2'],
      ['doctor', '--store', 'memory', 'redis://ann:hunter2@db'],
    ]) {
      const { code, err } = await ostler(argv)
      expect(code).toBe(2)
      expect(err).not.toContain(PASSWORD)
    }
  })

  test('shows no password of a store that cannot be reached, also when asked where it comes from', async () => {
    const store = `redis://ann:hunter2@127.0.0.1:${await freePort()}/3`
    const wrong = `redis://ann:hunter2@127.0.0.1:${redis.port}`
    for (const url of [store, wrong]) {
      for (const command of [['doctor'], ['simulate', '--quick'], ['pick', 'shop.example']]) {
        const env = { OSTLER_DEBUG: '1' }
        const { code, out, err } = await ostler([...command, '--store', url], { env })
        expect(code).toBe(1)
        expect(`${out}${err}`).toContain('there is no connection to Redis')
        expect(`${out}${err}`).not.toContain(PASSWORD)
      }
    }
  })
})

describe('simulate --store', () => {
  const scenario = file({ ...builtinScenario('quick'), requests: 3_000 })
  const argv = ['simulate', scenario, '--policies', 'ostler,random', '--json']

  test('gives the same figures on memory, SQLite and Redis', async () => {
    const memory = await ostler(argv)
    expect(memory.code).toBe(0)
    const path = freshPath('run.db')
    for (const store of ['memory', `sqlite:${path}`, redis.url]) {
      const { code, out } = await ostler([...argv, '--store', store])
      expect([store, code]).toEqual([store, 0])
      expect(out, store).toBe(memory.out)
    }
    expect(statSync(path).size).toBeGreaterThan(10_000)
  }, 60_000)

  test('leaves nothing in Redis, and what was there as it was', async () => {
    await redis.ask('SET', 'ostler-run-of-another:x', 'stays')
    const before = await redis.ask('DBSIZE')
    const { code } = await ostler(['simulate', file(tiny()), '--store', redis.url])
    expect(code).toBe(0)
    expect(await redis.ask('DBSIZE')).toBe(before)
    expect(
      Number(/evalsha.*?calls=(\d+)/.exec(String(await redis.ask('INFO', 'commandstats')))![1]),
    ).toBeGreaterThan(500)
    expect(await redis.ask('GET', 'ostler-run-of-another:x')).toBe('stays')
  })

  test('clears up after a run that failed', async () => {
    const full = await startRedis()
    try {
      const run = ostler(['simulate', '--quick', '--store', full.url])
      const names = async (): Promise<number> => Number(await full.ask('DBSIZE'))
      await until('the run has written', async () => (await names()) > 10)
      // From now on the server refuses to write.
      await full.ask('CONFIG', 'SET', 'maxmemory', '1')
      const { code, err } = await run
      expect(code).toBe(1)
      expect(err).toContain('OOM')
      expect(await names()).toBe(0)
    } finally {
      await full.stop()
    }
  })

  test('says what it could not clear up', async () => {
    const lost = await startRedis()
    const run = ostler(['simulate', '--quick', '--store', lost.url])
    await until('the run has written', async () => Number(await lost.ask('DBSIZE')) > 10)
    await lost.stop()
    const { code, err } = await run
    expect(code).toBe(1)
    expect(err).toMatch(/^names that begin with ostler-run-\w{16}: are left in redis:\/\/127/m)
    expect(err).toMatch(/^ostler: the store is out of reach.*\(STORE_UNAVAILABLE\)$/m)
  })

  test('refuses a file that holds something, and changes nothing of it', async () => {
    const path = freshPath('held.db')
    const held = sqliteStore({ path })
    held.putAgents([{ id: 'mine' }])
    held.close()
    const { mtimeMs } = statSync(path)
    const { code, err } = await ostler(['simulate', '--quick', '--store', `sqlite:${path}`])
    expect(code).toBe(2)
    expect(err).toContain('holds something: a run in virtual time takes a new or empty file')
    expect(statSync(path).mtimeMs).toBe(mtimeMs)
    const empty = file('')
    expect((await ostler(['simulate', file(tiny()), '--store', `sqlite:${empty}`])).code).toBe(0)
  })

  test('opens no store for policies that have none', async () => {
    const path = freshPath('unused.db')
    const options = ['--policies', 'random', '--store', `sqlite:${path}`]
    expect((await ostler(['simulate', file(tiny()), ...options])).code).toBe(0)
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined()
  })
})

describe('pick --store', () => {
  /** Two agents, of which the shop has excluded one. */
  async function fill<M extends Mode>(store: Store<M>, nowMs: number): Promise<void> {
    const scheduler = new Scheduler({ store, clock: { nowMs: () => nowMs } })
    await scheduler.agents.upsert([
      { id: 'lisbon-1', country: 'PT', url: 'http://ann:hunter2@198.51.100.1:1' },
      { id: 'porto-1', country: 'PT' },
    ])
    await scheduler.exclude('lisbon-1', 'shop.example', nowMs + 600_000)
    await scheduler.close()
  }

  test('asks the fleet and the exclusions of a file', async () => {
    const path = freshPath('pick.db')
    await fill(sqliteStore({ path, time: 'caller' }), NOW_MS)
    const argv = ['pick', 'shop.example', '--store', `sqlite:${path}`]
    const { code, out, err } = await ostler([...argv, '--why'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^agent +porto-1 {2}\(PT\)$/m)
    expect(out).toMatch(/^ +lisbon-1 .* excluded, 10 min yet$/m)
    const json = await ostler([...argv, '--json'])
    expect(json.out).not.toContain(PASSWORD)
    expect((await ostler([...argv, '--pin', 'lisbon-1'])).code).toBe(3)
  })

  test('asks the fleet and the exclusions of Redis, under a prefix', async () => {
    // By the server's clock: that is the one that the answer goes by.
    await fill(redisStore({ url: redis.url, prefix: 'here' }), Date.now())
    const store = `${redis.url}?prefix=here&budgetMs=1000`
    const argv = ['pick', 'shop.example', '--json', '--store', store]
    const { code, out } = await ostler(argv)
    expect([code, JSON.parse(out)]).toMatchObject([0, { agent: { id: 'porto-1' } }])
    const elsewhere = await ostler(['pick', 'shop.example', '--json', '--store', redis.url])
    expect(elsewhere.code).toBe(3)
    expect(JSON.parse(elsewhere.out)).toMatchObject({ cause: 'fleet_empty' })
  })

  test('takes nothing', async () => {
    const path = freshPath('untouched.db')
    await fill(sqliteStore({ path, time: 'caller' }), NOW_MS)
    const argv = ['pick', 'shop.example', '--pin', 'porto-1', '--store', `sqlite:${path}`]
    const state = () => {
      const store = sqliteStore({ path, time: 'caller' })
      const known = store.exclusions('shop.example', 0, NOW_MS)
      const { version } = store.agents(0)
      store.close()
      return [known.version, version]
    }
    const before = state()
    for (let i = 0; i < 3; i++) expect((await ostler(argv)).code).toBe(0)
    expect(state()).toEqual(before)
  })

  test('makes no file where there is none', async () => {
    const path = freshPath('nowhere.db')
    const { code, err } = await ostler(['pick', 'shop.example', '--store', `sqlite:${path}`])
    expect(code).toBe(2)
    expect(err).toContain('there is no such file')
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined()
  })

  test('takes agents and state from one place', async () => {
    const argv = ['pick', 'shop.example', '--store', 'memory', '--agents', file('a:1')]
    const { code, err } = await ostler(argv)
    expect(code).toBe(2)
    expect(err).toContain('give --store, or --agents and --state')
  })
})
