import Database from 'better-sqlite3'
import { inspect, sqliteStore } from '@ostler/store-sqlite'
import { statSync, symlinkSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { OstlerError, type Store } from '@ostler/core'
import { afterEach, describe, expect, test } from 'vitest'
import { openFile } from '../../../packages/store-sqlite/src/file/open.ts'
import { Patience } from '../../../packages/store-sqlite/src/file/patience.ts'
import { answerOf, start } from './children.ts'
import { consume, freshPath, POLICY, Stores, T, used } from './rig.ts'

const stores = new Stores()

afterEach(() => stores.closeAll())

describe('opening', () => {
  test('makes a file where there is none, or an empty one', () => {
    const empty = freshPath()
    writeFileSync(empty, '')
    for (const path of [freshPath(), empty]) {
      consume(stores.open({ path }))
      stores.closeAll()
      expect(inspect(path)).toMatchObject({
        schemaVersion: 1,
        journalMode: 'wal',
        integrity: 'ok',
        problems: [],
        rows: { windows: 1, fleet: 0 },
      })
    }
  })

  test('finds everything again', () => {
    const path = freshPath()
    const store = stores.open({ path })
    const permit = { id: 'permit', cap: 3, deadlineMs: T + 60_000 }
    store.consume({ key: 'k', policies: [POLICY], cost: 7, nowMs: T, permit, opId: 'op' })
    store.putAgents([{ id: 'a', country: 'DE', tags: ['x'] }, { id: 'b' }])
    store.removeAgents(['b'])
    store.exclude('e1', 'd', T + 60_000, T)
    store.exclude('e2', '*', T + 60_000, T)
    const begin = { id: 'job', fingerprint: 'f', nowMs: T, runUntilMs: T + 9, expiresAtMs: T + 99 }
    store.begin(begin)
    store.complete({ id: 'job', fingerprint: 'f', value: 'done', nowMs: T })
    const before = [store.exclusions('d', 0, T), store.agents(0)]
    store.close()
    const again = stores.open({ path })
    expect([again.exclusions('d', 0, T), again.agents(0)]).toEqual(before)
    expect([used(again), again.permits('k', T)]).toEqual([7, 1])
    expect(again.begin(begin)).toEqual({ kind: 'done', value: 'done' })
    const repeat = { key: 'k', policies: [POLICY], cost: 7, nowMs: T + 1, opId: 'op' }
    expect(again.consume(repeat).atMs).toBe(T)
    expect(used(again)).toBe(7)
  })

  test('finds the versions again that it gave before, and knows those of another file', () => {
    const [path, other] = [freshPath(), freshPath()]
    const store = stores.open({ path })
    store.exclude('e', 'd', T + 60_000, T)
    store.putAgents([{ id: 'a' }])
    const domain = store.exclusions('d', 0, T).version
    const fleet = store.agents(0).version
    store.close()
    const again = stores.open({ path })
    expect(again.exclusions('d', domain, T)).toMatchObject({ reset: false, changes: [] })
    expect(again.agents(fleet)).toMatchObject({ reset: false, changes: [] })
    const stranger = stores.open({ path: other })
    stranger.exclude('e', 'd', T + 60_000, T)
    stranger.putAgents([{ id: 'x' }])
    expect(stranger.exclusions('d', domain, T)).toMatchObject({ reset: true, lost: true })
    expect(stranger.exclusions('quiet', domain, T)).toMatchObject({ reset: true, lost: true })
    expect(stranger.agents(fleet)).toMatchObject({ reset: true, lost: true })
  })

  test('by several processes at once makes one file of one schema', async () => {
    const path = freshPath()
    const calls = 50
    const children = Array.from({ length: 4 }, () => {
      return start('turns.mjs', { options: { path }, key: 'k', calls, policy: POLICY })
    })
    const answers = await Promise.all(children.map((child) => answerOf<{ refused: number }>(child)))
    const refused = answers.reduce((sum, answer) => sum + answer.refused, 0)
    expect(used(stores.open({ path, time: 'own' }), 'k', Date.now())).toBe(4 * calls - refused)
    expect(inspect(path).problems).toEqual([])
  })

  test('takes a relative path, and follows a link', () => {
    const path = freshPath()
    consume(stores.open({ path: relative(process.cwd(), path) }))
    const link = freshPath()
    symlinkSync(path, link)
    expect(used(stores.open({ path: link }))).toBe(1)
  })

  test('refuses a file of a newer version, names both, and leaves it as it is', () => {
    const path = freshPath()
    stores.open({ path }).close()
    const database = new Database(path)
    database.pragma('user_version = 7')
    database.close()
    const before = statSync(path)
    for (const open of [() => stores.open({ path }), () => inspect(path)]) {
      expect(open).toThrow(/version 7, .* up to 1/)
      expect(open).toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }))
    }
    expect(statSync(path).mtimeMs).toBe(before.mtimeMs)
  })
})

describe('fsync', () => {
  test('has each commit wait for the disk; without it only checkpoints do', () => {
    const FULL = 2
    const NORMAL = 1
    const told = [true, false].map((fsync) => {
      const options = { path: freshPath(), fsync, maxBytes: Infinity }
      const handle = openFile(options, new Patience(50))
      const synchronous = handle.pragma('synchronous', { simple: true })
      handle.close()
      return synchronous
    })
    expect(told).toEqual([FULL, NORMAL])
  })
})

describe('time', () => {
  test('is this host’s, whatever the caller says', () => {
    const store = stores.open({ path: freshPath(), time: 'own' })
    const beforeMs = Date.now()
    const { atMs } = store.consume({ key: 'k', policies: [POLICY], cost: 1, nowMs: 5 })
    expect(atMs).toBeGreaterThanOrEqual(beforeMs)
    expect(atMs).toBeLessThanOrEqual(Date.now())
  })

  test('never goes back, for any connection, nor after all have gone', () => {
    const path = freshPath()
    const [one, two] = [stores.open({ path }), stores.open({ path })]
    consume(one, 'k', T + 60_000)
    const at = (store: Store<'sync'>): number => {
      return store.consume({ key: 'other', policies: [POLICY], cost: 1, nowMs: T }).atMs
    }
    expect([at(one), at(two)]).toEqual([T + 60_000, T + 60_000])
    stores.closeAll()
    expect(at(stores.open({ path }))).toBe(T + 60_000)
  })

  test('that stands far ahead of the host’s clock is a problem that inspect names', () => {
    const path = freshPath()
    consume(stores.open({ path }), 'k', Date.now() + 3_600_000)
    expect(inspect(path).problems).toEqual([expect.stringMatching(/ahead of this host's clock/)])
  })
})

describe('closing', () => {
  test('leaves one file, and nothing to follow it', () => {
    const path = freshPath()
    const store = sqliteStore({ path, durability: 'batched' })
    consume(store, 'k', Date.now())
    store.close()
    store.close()
    expect(inspect(path).walBytes).toBe(0)
    expect(() => store.ping!()).toThrow(OstlerError)
    expect(() => store.ping!()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })
})
