import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Mode, Scheduler } from '@ostler/core'
import { redisStore } from '@ostler/store-redis'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { startShiftedRedis, type ShiftedRedis } from '../../servers/shifted.ts'
import { until } from '../../servers/until.ts'
import { block, DOMAIN, excluded, lease, openScheduler, recovered } from './rig.ts'

/** Kills of a server that writes each command to disk before it answers. */
const KILLS = 100

const endings: (() => unknown)[] = []

afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end()
})

async function open(server: RedisServer, fleet?: []): Promise<Scheduler<Mode>> {
  // A denial that is remembered here would hide what the server says.
  const store = redisStore({ url: server.url, budgetMs: 1_000, denialCache: 0 })
  const scheduler = await openScheduler(store, fleet)
  endings.push(() => scheduler.close())
  return scheduler
}

describe('fault: Redis', () => {
  test('killed, with AOF: keeps every report that had resolved', async () => {
    const server = await startRedis({ appendonly: true, args: ['--appendfsync', 'always'] })
    endings.push(() => server.stop())
    const domains = Array.from({ length: KILLS }, (_, i) => `d${i}.example`)
    let kills = 0
    for (const domain of domains) {
      // A process of its own each time, so that nobody is left who could tell the server again.
      const store = redisStore({ url: server.url, budgetMs: 1_000 })
      const reporter = await openScheduler(store)
      const picks = await Promise.all(
        ['a0', 'a1', 'a2'].map(async (id) => reporter.pick({ domain, pin: [id] })),
      )
      const reports = picks.map(async (pick) => {
        if (pick.kind === 'picked') await reporter.report(pick.lease, { kind: 'blocked' })
      })
      // Killed while the last reports may be on their way: only what has resolved is promised.
      await Promise.all(reports.slice(0, 2))
      const { pid } = server
      await server.kill()
      kills++
      await reporter.close()
      await Promise.allSettled(reports)
      await server.restart()
      expect(server.pid).not.toBe(pid)
    }
    const witness = await open(server, [])
    for (const domain of domains) {
      const { agents } = await witness.health(domain)
      const ids = agents.map(({ id }) => id)
      expect([domain, ids.includes('a0'), ids.includes('a1')]).toEqual([domain, true, true])
    }
    expect(kills).toBe(KILLS)
  }, 120_000)

  test('disk full: decides locally, and says why', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ostler-full-'))
    endings.push(() => rmSync(dir, { recursive: true, force: true }))
    const server = await startRedis({
      dir,
      appendonly: true,
      args: ['--appendfsync', 'everysec', '--auto-aof-rewrite-percentage', '0'],
      fileSizeLimit: 256 * 1024,
    })
    endings.push(() => server.stop())
    const scheduler = await open(server)
    await block(scheduler, 'a0')
    const filler = 'x'.repeat(64 * 1024)
    await until('the server cannot write', async () => {
      await server.ask('SET', 'filler', filler).catch(() => undefined)
      await scheduler.admit({ key: 'k', tier: 'wide' })
      return scheduler.standing().degraded
    })
    expect(scheduler.standing().reason).toMatch(/MISCONF|disk|AOF/i)
    await expect(lease(scheduler, 'a0')).rejects.toThrow('expected an agent')
  }, 30_000)
})

describe('fault: Redis, whose clock steps', () => {
  async function shifted(): Promise<ShiftedRedis> {
    const redis = await startShiftedRedis()
    endings.push(() => redis.stop())
    return redis
  }

  test('clock forward: ages as if that time had passed', async () => {
    const { server, shift } = await shifted()
    const scheduler = await open(server)
    await block(scheduler, 'a0')
    for (let i = 0; i < 5; i++) await scheduler.admit({ key: 'k', tier: 'tight' })
    expect((await scheduler.admit({ key: 'k', tier: 'tight' })).allowed).toBe(false)
    shift(10 * 60_000)
    expect((await scheduler.admit({ key: 'k', tier: 'tight' })).allowed).toBe(true)
    expect(await lease(scheduler, 'a0')).toMatchObject({ probe: true })
  })

  test('clock back: never admits more, and frees nobody early', async () => {
    const { server, shift } = await shifted()
    const scheduler = await open(server)
    shift(30 * 60_000)
    await scheduler.admit({ key: 'other', tier: 'tight' })
    await block(scheduler, 'a0')
    for (let i = 0; i < 5; i++) await scheduler.admit({ key: 'k', tier: 'tight' })
    shift(0)
    const witness = await open(server, [])
    for (const one of [scheduler, witness]) {
      for (let i = 0; i < 5; i++) {
        expect((await one.admit({ key: 'k', tier: 'tight' })).allowed).toBe(false)
      }
      const pick = await one.pick({ domain: DOMAIN, pin: ['a0'] })
      expect(pick.kind).toBe('exhausted')
    }
    expect(await excluded(witness)).toEqual(['a0'])
    await recovered(scheduler)
  })
})
