import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { OstlerError, type Store } from '@ostler/core'
import { inspect, sqliteStore, type SqliteStoreOptions } from '@ostler/store-sqlite'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { answerOf, start, startLimited } from './children.ts'
import { consume, freshPath, POLICY, Stores, T, used } from './rig.ts'

const stores = new Stores()

afterEach(() => stores.closeAll())

/** The longest that a call took to throw. */
let slowestMs = 0

/** What a call throws. */
function thrownBy(call: () => unknown): OstlerError {
  const beganMs = performance.now()
  try {
    call()
  } catch (error) {
    slowestMs = Math.max(slowestMs, performance.now() - beganMs)
    expect(error).toBeInstanceOf(OstlerError)
    return error as OstlerError
  }
  throw new Error('nothing was thrown')
}

afterAll(() => {
  console.info(`stores/sqlite/faults: no call took longer than ${slowestMs.toFixed(1)} ms`)
  // busyMs, and the machine has other things to do as well.
  expect(slowestMs).toBeLessThan(50 + 50)
})

/** Puts agents with long urls until the file holds no more; gives how many fit, and the error. */
function fill(store: Store<'sync'>): { readonly agents: number; readonly error: OstlerError } {
  const url = `http://exit.example/${'x'.repeat(2_000)}`
  for (let agents = 0; ; agents++) {
    try {
      store.putAgents([{ id: `a${agents}`, url }])
    } catch (error) {
      return { agents, error: error as OstlerError }
    }
  }
}

describe('fault: a full disk', () => {
  const options = { maxBytes: 1_048_576 }

  test('refuses what needs room, keeps all else, and goes on', () => {
    const path = freshPath()
    const store = stores.open({ path, ...options })
    consume(store)
    const { agents, error } = fill(store)
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { code: 'SQLITE_FULL' } })
    expect(error.message).toMatch(/full/)
    expect(agents).toBeGreaterThan(100)
    expect(store.agents(0).changes.length).toBe(agents)
    // What stands in its place already needs no room.
    expect([consume(store), used(store)]).toEqual([true, 2])
    store.removeAgents(['a0', 'a1', 'a2'])
    store.putAgents([{ id: 'small' }])
    expect(store.agents(0).changes.length).toBe(agents - 2)
    store.close()
    expect(inspect(path).problems).toEqual([])
  })

  interface Limited {
    readonly failure: OstlerError
    readonly admitted: number
    readonly missing: number
    readonly allowed: boolean
  }

  /** Has a process write until the system refuses it; gives what it was told, and what is missing of what it was told before. */
  async function limited(
    durability: 'sync' | 'batched',
  ): Promise<{ told: number; missing: number }> {
    const path = freshPath()
    const argument = { options: { path, durability }, policy: POLICY, burst: 20 }
    const child = startLimited('limited.mjs', argument)
    const { failure, admitted, missing, allowed } = await answerOf<Limited>(child)
    expect(failure.code).toBe('STORE_UNAVAILABLE')
    expect(failure.cause).toMatch(/^SQLITE_(FULL|IOERR)/)
    expect(admitted).toBeGreaterThan(10)
    expect(allowed).toBe(true)
    expect(inspect(path)).toMatchObject({ integrity: 'ok', problems: [] })
    const lost = /^(\d+) decisions of the last \d+ ms are lost/.exec(failure.message)
    return { told: Number(lost?.[1] ?? 0), missing }
  }

  test('a write that the system refuses loses nothing', async () => {
    expect(await limited('sync')).toEqual({ told: 0, missing: 0 })
  })

  test('batched: a batch that its timer cannot commit is told at the next call', async () => {
    let told = 0
    // Now and then it is a single decision between two batches that the system refuses: more often on a busy machine, where a process
    // that is held up for 10 ms finds its batch due.
    for (let i = 0; i < 25 && told === 0; i++) {
      const answer = await limited('batched')
      expect(answer.missing).toBe(answer.told)
      told = answer.told
    }
    expect(told).toBe(20)
  }, 60_000)
})

describe('fault: no right to write', () => {
  /** Opens the path as somebody who is not root. */
  async function refused(
    path: string,
  ): Promise<{ readonly code: string; readonly message: string }> {
    return answerOf(start('unprivileged.mjs', { path }))
  }

  test('is found when the store is opened', async () => {
    const folder = freshPath()
    mkdirSync(folder)
    chmodSync(join(folder, '..'), 0o755)
    const path = join(folder, 'store.db')
    chmodSync(folder, 0o555)
    const nowhere = await refused(path)
    expect(nowhere.code).toBe('STORE_UNAVAILABLE')
    expect(nowhere.message).toMatch(/no file can be made/)
    chmodSync(folder, 0o777)
    stores.open({ path }).close()
    chmodSync(path, 0o444)
    const readOnly = await refused(path)
    expect(readOnly.code).toBe('STORE_UNAVAILABLE')
    expect(readOnly.message).toMatch(/cannot be written/)
    chmodSync(path, 0o666)
    expect((await refused(path)).code).toBe('none')
    chmodSync(folder, 0o555)
    expect((await refused(path)).message).toMatch(/cannot be written/)
  })
})

describe('fault: not a file of ours', () => {
  test.each([
    [
      'a text',
      (path: string) => writeFileSync(path, 'this is no database, but a text '.repeat(99)),
      /not an SQLite/,
    ],
    ['a folder', (path: string) => mkdirSync(path), /cannot be opened/],
    [
      "another application's database",
      (path: string) => foreign(path, 'application_id = 77'),
      /another application .*77/,
    ],
    [
      'a database that nobody signed',
      (path: string) => foreign(path, 'application_id = 0'),
      /another application/,
    ],
  ])('%s is refused, and left as it is', (_, make, message) => {
    const path = freshPath()
    make(path)
    const before = statSync(path)
    const error = thrownBy(() => stores.open({ path }))
    expect(error.code).toBe('STORE_UNAVAILABLE')
    expect(error.message).toMatch(message)
    expect(error.message).toContain(path)
    expect(statSync(path)).toMatchObject({ size: before.size, mtimeMs: before.mtimeMs })
    expect(thrownBy(() => inspect(path)).code).toBe('STORE_UNAVAILABLE')
  })

  test('a folder that is not there is not made', () => {
    const error = thrownBy(() => stores.open({ path: join(freshPath(), 'store.db') }))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { code: 'ENOENT' } })
    expect(thrownBy(() => inspect(freshPath())).code).toBe('STORE_UNAVAILABLE')
  })

  function foreign(path: string, sign: string): void {
    const database = new Database(path)
    database.exec('CREATE TABLE notes (text)')
    database.pragma(sign)
    database.close()
  }
})

describe('fault: a file that is taken away', () => {
  /** Within so many ms of use it is noticed. */
  const NOTICED_MS = 150

  /** Calls until one fails; gives its error. */
  function failure(call: () => unknown): OstlerError {
    const endMs = performance.now() + NOTICED_MS
    while (performance.now() < endMs) {
      const beganMs = performance.now()
      try {
        call()
      } catch (error) {
        slowestMs = Math.max(slowestMs, performance.now() - beganMs)
        return error as OstlerError
      }
    }
    throw new Error(`nothing was noticed within ${NOTICED_MS} ms`)
  }

  function remove(path: string): void {
    for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
  }

  for (const durability of ['sync', 'batched'] as const) {
    test(`${durability}: deleted, no decision is given until ping has made a new one`, () => {
      const path = freshPath()
      const store = stores.open({ path, durability })
      consume(store)
      store.putAgents([{ id: 'a' }])
      store.exclude('exit', 'd', T + 60_000, T)
      const fleet = store.agents(0)
      const domain = store.exclusions('d', 0, T)
      remove(path)
      const error = failure(() => consume(store))
      expect(error.code).toBe('STORE_UNAVAILABLE')
      expect(error.message).toMatch(/replaced or deleted/)
      for (const call of [() => used(store), () => store.agents(0), () => store.putAgents([])]) {
        expect(thrownBy(call).code).toBe('STORE_UNAVAILABLE')
      }
      store.ping!()
      expect(used(store)).toBe(0)
      const anew = { reset: true, lost: true, changes: [] }
      expect(store.agents(fleet.version)).toMatchObject(anew)
      expect(store.exclusions('d', domain.version, T)).toMatchObject(anew)
      store.merge('d', domain.changes, T)
      expect(store.exclusions('d', 0, T).changes).toEqual(domain.changes)
    })
  }

  test('batched: deleted, what was open is told to be lost, be it ping that notices', () => {
    const path = freshPath()
    const store = stores.open({ path, durability: 'batched' })
    for (let i = 0; i < 3; i++) consume(store)
    remove(path)
    expect(thrownBy(() => store.ping!()).message).toMatch(/^3 decisions .* are lost/)
    expect([consume(store), used(store)]).toEqual([true, 1])
  })

  test('replaced, no decision is given until ping has opened what is there', () => {
    const [path, other] = [freshPath(), freshPath()]
    const store = stores.open({ path })
    consume(store)
    const there = stores.open({ path: other })
    consume(there, 'there')
    there.close()
    remove(path)
    renameSync(other, path)
    expect(failure(() => consume(store)).message).toMatch(/replaced or deleted/)
    store.ping!()
    expect([used(store), used(store, 'there')]).toEqual([0, 1])
  })

  test('replaced by what is not ours, ping says so, and again until it is mended', () => {
    const path = freshPath()
    const store = stores.open({ path })
    remove(path)
    writeFileSync(path, 'this is no database, but a text '.repeat(99))
    failure(() => consume(store))
    for (let i = 0; i < 2; i++) {
      expect(thrownBy(() => store.ping!()).message).toMatch(/not an SQLite/)
      expect(thrownBy(() => consume(store)).code).toBe('STORE_UNAVAILABLE')
    }
    remove(path)
    store.ping!()
    expect(consume(store)).toBe(true)
  })
})

describe('fault: a damaged file', () => {
  test('says so, and ping says so until it is mended', () => {
    const path = freshPath()
    const store = stores.open({ path })
    for (let i = 0; i < 500; i++) consume(store, `k${i}`)
    store.close()
    const sound = `${path}.sound`
    cpSync(path, sound)
    // All but the first page, which names the tables.
    const file = openSync(path, 'r+')
    for (let page = 1; page < statSync(path).size / 4_096; page++) {
      writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, page * 4_096)
    }
    closeSync(file)
    const error = thrownBy(() => stores.open({ path }))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { code: 'SQLITE_CORRUPT' } })
    expect(error.message).toMatch(/damaged/)
    rmSync(path)
    renameSync(sound, path)
    expect(used(stores.open({ path }), 'k499')).toBe(1)
  })

  test('whose tables alone are damaged is no more trusted, and inspect finds it', () => {
    const path = freshPath()
    const store = stores.open({ path })
    for (let i = 0; i < 500; i++) consume(store, `k${i}`)
    store.close()
    const database = new Database(path, { readonly: true })
    const root = database
      .prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'windows'")
      .pluck()
      .get() as number
    database.close()
    const file = openSync(path, 'r+')
    writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, (root - 1) * 4_096)
    closeSync(file)
    const again = stores.open({ path })
    const error = thrownBy(() => consume(again, 'k7'))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { code: 'SQLITE_CORRUPT' } })
    // Other tables are whole, and are served.
    expect(again.putAgents([{ id: 'a' }])).toBeGreaterThan(0)
    again.close()
    const { integrity, problems } = inspect(path)
    expect(integrity).not.toBe('ok')
    expect(problems[0]).toContain(integrity)
  })
})

describe('fault: no driver', () => {
  const built = join(import.meta.dirname, '../../../packages/store-sqlite')

  /** The package as it is built, beside core, in a folder of its own. */
  function installed(): string {
    const root = freshPath()
    const home = join(root, 'node_modules/@ostler/store-sqlite')
    for (const part of ['dist', 'sql', 'package.json']) {
      cpSync(join(built, part), join(home, part), { recursive: true })
    }
    symlinkSync(join(built, '../core'), join(root, 'node_modules/@ostler/core'))
    return root
  }

  /** What opening a store there throws. */
  function refused(root: string): { readonly message: string; readonly cause: string } {
    const script = `
      import { sqliteStore } from '@ostler/store-sqlite'
      try { sqliteStore({ path: 'store.db' }) } catch ({ code, message, cause }) {
        console.log(JSON.stringify({ code, message, cause: cause.message }))
      }`
    const flags = ['--input-type=module', '--eval', script]
    // NODE_PATH, which a package manager may set, names folders where it is.
    const told = execFileSync(process.execPath, flags, { cwd: root, env: {}, encoding: 'utf8' })
    expect(JSON.parse(told)).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    return JSON.parse(told) as { message: string; cause: string }
  }

  test('is said in words, with the cause', () => {
    const { message, cause } = refused(installed())
    expect(message).toContain('better-sqlite3')
    expect(cause).toMatch(/^Cannot find module/)
  })

  test('or none with its native part', () => {
    const root = installed()
    const driver = dirname(createRequire(join(built, 'x')).resolve('better-sqlite3/package.json'))
    const needed = createRequire(join(driver, 'x')).resolve('bindings')
    for (const part of ['lib', 'package.json']) {
      cpSync(join(driver, part), join(root, 'node_modules/better-sqlite3', part), {
        recursive: true,
      })
    }
    symlinkSync(dirname(needed), join(root, 'node_modules/bindings'))
    const { message, cause } = refused(root)
    expect(message).toContain('native part')
    expect(cause).toMatch(/^Could not locate the bindings file/)
  })
})

describe('values that SQLite would keep as something else', () => {
  test('are refused before anything is written', () => {
    for (const durability of ['sync', 'batched'] as const) {
      const path = freshPath()
      const store = stores.open({ path, durability })
      consume(store)
      const permit = { id: 'p', cap: 1, deadlineMs: NaN }
      const record = store.exclusions('d', 0, T)
      for (const call of [
        () => store.consume({ key: 'k', policies: [POLICY], cost: NaN, nowMs: T }),
        () => store.consume({ key: 'k', policies: [POLICY], cost: 1, nowMs: T, permit }),
        () => store.consume({ key: 'k', policies: [POLICY], cost: 1, nowMs: T + 0.5 }),
        () => store.exclude('exit', 'd', NaN, T),
        () => store.exclude('exit', 'd', undefined as unknown as number, T),
        () => store.exclude(undefined as unknown as string, 'd', T + 1, T),
        () => store.renew('k', 'p', Infinity, T),
        () => store.putAgents([{ id: undefined as unknown as string }]),
      ]) {
        expect(thrownBy(call).code).toBe('INVALID_REQUEST')
      }
      expect(used(store)).toBe(1)
      expect(store.exclusions('d', 0, T)).toEqual(record)
      store.close()
      expect(inspect(path).problems).toEqual([])
    }
  })
})

describe('the file', () => {
  const SECRETS = ['ak_live_secret_key', 'secret_op', 'secret_permit', 'secret_job'] as const

  test('is its owner’s alone, and holds no key, opId, permit or job by name', () => {
    const path = freshPath()
    const store = stores.open({ path })
    const [key, opId, id, job] = SECRETS
    const permit = { id, cap: 1, deadlineMs: T + 60_000 }
    store.consume({ key, policies: [POLICY], cost: 1, nowMs: T, permit, opId })
    const times = { nowMs: T, runUntilMs: T + 1, expiresAtMs: T + 1 }
    store.begin({ id: job, fingerprint: 'f', ...times })
    store.close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const bytes = readFileSync(path, 'latin1')
    for (const secret of SECRETS) expect(bytes.includes(secret), secret).toBe(false)
    expect(inspect(path).rows).toMatchObject({
      windows: 1,
      operations: 1,
      permits: 1,
      idempotency: 1,
    })
  })
})

describe('options', () => {
  test('are checked at once, each problem by its path', () => {
    const wrong = {
      path: ':memory:',
      durability: 'sometimes',
      flushMs: 11,
      fsync: 1,
      busyMs: 51,
      time: 'ours',
      maxBytes: 1,
      maxKeys: 0,
      maxColour: 1,
    } as unknown as SqliteStoreOptions
    const error = thrownBy(() => sqliteStore(wrong))
    expect(error.code).toBe('INVALID_OPTIONS')
    const paths = error.problems.map(({ path }) => path)
    expect(new Set(paths)).toEqual(
      new Set([
        'path',
        'durability',
        'flushMs',
        'fsync',
        'busyMs',
        'time',
        'maxBytes',
        'maxKeys',
        '',
      ]),
    )
    expect(error.message).toContain('maxColour')
    expect(thrownBy(() => sqliteStore({ path: freshPath(), flushMs: 5 })).message).toMatch(
      /batched/,
    )
    expect(thrownBy(() => sqliteStore(null as unknown as SqliteStoreOptions)).code).toBe(
      'INVALID_OPTIONS',
    )
  })
})
