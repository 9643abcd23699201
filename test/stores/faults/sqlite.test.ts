import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Mode, Scheduler } from '@ostler/core'
import { sqliteStore } from '@ostler/store-sqlite'
import { until } from '../../servers/until.ts'
import {
  AGENTS,
  block,
  BUDGET_MS,
  DOMAIN,
  excluded,
  lease,
  Load,
  openScheduler,
  recovered,
  Schedulers,
} from './rig.ts'

let dir: string
let path: string
const schedulers = new Schedulers()

async function open(fleet = AGENTS, file = path): Promise<Scheduler<Mode>> {
  return schedulers.open(sqliteStore({ path: file, busyMs: BUDGET_MS }), fleet)
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ostler-faults-'))
  path = join(dir, 'store.db')
})

afterEach(async () => {
  await schedulers.closeAll()
  rmSync(dir, { recursive: true, force: true })
})

/** As an outage of Redis: nobody waits for long, nothing acknowledged is forgotten, and the store is told on its return. */
async function outage(begin: () => () => unknown, reason: RegExp): Promise<void> {
  const scheduler = await open()
  await block(scheduler, 'a0')
  const held = await lease(scheduler, 'a1')
  const load = new Load(scheduler, 2)
  await load.more(50)
  expect(load.degraded).toBe(0)
  const end = begin()
  try {
    await until('calls are decided locally', () => load.degraded > 20)
    await scheduler.report(held, { kind: 'blocked' })
    await block(scheduler, 'a2')
    await expect(lease(scheduler, 'a0')).rejects.toThrow('expected an agent')
    await expect(lease(scheduler, 'a1')).rejects.toThrow('expected an agent')
    expect(scheduler.standing().reason).toMatch(reason)
  } finally {
    end()
  }
  const returnMs = await recovered(scheduler)
  await load.more(50)
  const { codes, slowestMs, exhausted } = await load.stop()
  expect([[...codes], exhausted]).toEqual([[], 0])
  expect(slowestMs).toBeLessThan(BUDGET_MS + 50)
  expect(returnMs).toBeLessThan(1_000)
  expect(await excluded(await open([]))).toEqual(['a0', 'a1', 'a2'])
}

describe('fault: SQLite', () => {
  test('locked by another: decides locally, and tells what was reported', async () => {
    await outage(() => {
      const other = new Database(path)
      other.exec('BEGIN IMMEDIATE')
      return () => {
        other.exec('ROLLBACK')
        other.close()
      }
    }, /locked|busy/i)
  })

  test('file replaced: is told again what is excluded and who is in the fleet', async () => {
    const scheduler = await open()
    await block(scheduler, 'a0')
    const load = new Load(scheduler, 2)
    await load.more(20)
    const empty = join(dir, 'empty.db')
    await (await openScheduler(sqliteStore({ path: empty }), [])).close()
    for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
    renameSync(empty, path)
    await until('the scheduler has noticed', () => scheduler.standing().episodes > 0)
    await recovered(scheduler)
    await load.more(50)
    const { codes, exhausted } = await load.stop()
    expect([[...codes], exhausted]).toEqual([[], 0])
    const other = await open([])
    await other.health(DOMAIN)
    expect(other.agents.size).toBe(AGENTS.length)
    expect(await excluded(other)).toEqual(['a0'])
  })

  test('file overwritten: decides locally, and says why', async () => {
    const scheduler = await open()
    await block(scheduler, 'a0')
    writeFileSync(join(dir, 'other'), 'this is no database, and was put in its place')
    for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
    renameSync(join(dir, 'other'), path)
    await until('the scheduler has noticed', async () => {
      await scheduler.admit({ key: 'k', tier: 'wide' })
      return scheduler.standing().degraded
    })
    expect((await scheduler.admit({ key: 'k', tier: 'wide' })).source).toBe('local')
    await expect(lease(scheduler, 'a0')).rejects.toThrow('expected an agent')
  })
})
