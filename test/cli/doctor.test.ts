import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { sqliteStore } from '@ostler/store-sqlite'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Checkup } from '../../packages/cli/src/doctor/checkup.ts'
import { freePort } from '../servers/ports.ts'
import { startRedis, type RedisServer } from '../servers/redis.ts'
import { file, freshPath, ostler, type Ran } from './rig.ts'

const servers: RedisServer[] = []
afterAll(() => Promise.all(servers.map((server) => server.stop())))

const start: typeof startRedis = async (options) => {
  const server = await startRedis(options)
  servers.push(server)
  return server
}

/** Both reports of one store, which must say the same: the text, its exit code, and the JSON. */
async function doctor(...options: readonly string[]): Promise<Ran & { readonly found: Checkup }> {
  const ran = await ostler(['doctor', ...options])
  const json = await ostler(['doctor', ...options, '--json'])
  const found = JSON.parse(json.out) as Checkup
  expect(json.code).toBe(ran.code)
  expect(ran.code).toBe(found.problems.length === 0 ? 0 : 1)
  expect(ran.out.includes('Nothing is wrong.')).toBe(ran.code === 0)
  const words = ran.out.replaceAll(/\s+/g, ' ')
  for (const problem of found.problems) expect(words).toContain(`- ${problem}`)
  for (const line of ran.out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  expect(ran.err).toBe('')
  return { ...ran, found }
}

test('finds this installation in order, and says what it is made of', async () => {
  const { code, out, found } = await doctor()
  expect(code).toBe(0)
  expect(out).toMatch(new RegExp(`^node +${process.versions.node}, made for >=`, 'm'))
  expect(out).toMatch(/^sqlite +@ostler\/store-sqlite [\d.]+ on better-sqlite3 [\d.]+$/m)
  expect(out).toMatch(/^redis +@ostler\/store-redis [\d.]+ on ioredis [\d.]+$/m)
  expect(found.store).toBeNull()
})

test('has nothing against memory', async () => {
  expect((await doctor('--store', 'memory')).code).toBe(0)
})

describe('of Redis', () => {
  test('finds a server that keeps its data in order', async () => {
    const { url } = await start({ appendonly: true })
    const { code, out, found } = await doctor('--store', url)
    expect(code).toBe(0)
    expect(out).toMatch(/^reachable +yes, redis \d+\.\d+\.\d+, master, 0 replicas$/m)
    expect(out).toMatch(/^latency +\d+\.\d\d ms, /m)
    expect(out).toMatch(/^clock +(as this host's|\d+ ms (ahead of|behind) this host's)$/m)
    expect(out).toMatch(/^eviction +noeviction, no maxmemory$/m)
    expect(out).toMatch(/^persists +append-only file on, snapshots off$/m)
    expect(out).toMatch(/^scripts +run$/m)
    expect(found.store).toMatchObject({ kind: 'redis', name: url, inspection: { problems: [] } })
  })

  test('warns of a server that may evict, and of one that forgets', async () => {
    const args = ['--maxmemory', '10mb', '--maxmemory-policy', 'allkeys-lru']
    const { url } = await start({ args })
    const { code, out, found } = await doctor('--store', url)
    expect(code).toBe(1)
    expect(out).toMatch(/^eviction +allkeys-lru, maxmemory 10,485,760 bytes$/m)
    expect(out).toContain('2 things are wrong:\n')
    expect(found.problems[0]).toMatch(/maxmemory-policy is allkeys-lru: .*set noeviction/)
    expect(found.problems[1]).toMatch(/neither AOF nor snapshots/)
  })

  test('says that nobody listens, and shows no password', async () => {
    const port = await freePort()
    const { code, out, found } = await doctor('--store', `redis://ann:hunter2@127.0.0.1:${port}/1`)
    expect(code).toBe(1)
    expect(out).toMatch(/^reachable +no$/m)
    expect(found.problems).toHaveLength(1)
    expect(found.problems[0]).toContain(`ECONNREFUSED 127.0.0.1:${port}`)
    expect(JSON.stringify(found)).not.toContain('hunter2')
    expect(found.store?.name).toBe(`redis://127.0.0.1:${port}/1`)
  })

  test('says that a password is wrong, and shows none', async () => {
    const server = await start()
    await server.ask('CONFIG', 'SET', 'requirepass', 'right')
    for (const user of [':hunter2@', '']) {
      const { code, found } = await doctor('--store', `redis://${user}127.0.0.1:${server.port}`)
      expect(code).toBe(1)
      expect(found.problems.join()).toMatch(/WRONGPASS|NOAUTH/)
      expect(JSON.stringify(found)).not.toContain('hunter2')
    }
  })

  test('gives up on a server that does not answer', async () => {
    const server = await start()
    await server.pause()
    const { code, found } = await doctor('--store', server.url)
    server.resume()
    expect(code).toBe(1)
    expect(found.problems).toHaveLength(1)
  })
})

describe('of SQLite', () => {
  function storeFile(): string {
    const path = freshPath('doctor.db')
    const store = sqliteStore({ path })
    store.putAgents(Array.from({ length: 2_000 }, (_, i) => ({ id: `agent-${i}` })))
    store.close()
    return path
  }

  test('finds a file in order, also while it is in use', async () => {
    const path = storeFile()
    const store = sqliteStore({ path })
    const { code, out, found } = await doctor('--store', `sqlite:${path}`)
    store.close()
    expect(code).toBe(0)
    expect(out).toMatch(/^reachable +yes, SQLite \d+\.\d+\.\d+$/m)
    expect(out).toMatch(/^schema +version \d+$/m)
    expect(out).toMatch(/^persists +journal wal, [\d,]+ bytes, log [\d,]+ bytes$/m)
    expect(out).toMatch(/^integrity +ok$/m)
    expect(out).toMatch(/^rows .*fleet 2,000/m)
    expect(found.store).toMatchObject({ kind: 'sqlite', inspection: { integrity: 'ok' } })
  })

  test('says that a file is damaged', async () => {
    const path = storeFile()
    const bytes = readFileSync(path)
    // Pages in the middle: the head stays, and so it is still a database.
    bytes.fill(0x5a, 12_288, bytes.length - 4_096)
    writeFileSync(path, bytes)
    const { code, found } = await doctor('--store', `sqlite:${path}`)
    expect(code).toBe(1)
    expect(found.problems.join()).toMatch(/integrity|damaged/)
  })

  test("says that a file is somebody else's", async () => {
    const path = freshPath('other.db')
    const other = new Database(path)
    other.exec('CREATE TABLE songs (name TEXT)')
    other.close()
    const { code, out, found } = await doctor('--store', `sqlite:${path}`)
    expect(code).toBe(1)
    expect(out).toMatch(/^reachable +no$/m)
    expect(found.problems).toEqual([expect.stringContaining('a database of another application')])
  })

  test('says that a file is no database', async () => {
    const { code, found } = await doctor('--store', `sqlite:${file('no database '.repeat(500))}`)
    expect(code).toBe(1)
    expect(found.problems).toEqual([expect.stringContaining('not an SQLite database')])
  })

  test('says that there is no file, and makes none', async () => {
    const path = freshPath('missing.db')
    const { code, found } = await doctor('--store', `sqlite:${path}`)
    expect(code).toBe(1)
    expect(found.problems).toEqual([expect.stringContaining(path)])
    expect(existsSync(path)).toBe(false)
  })
})

describe('of an installation', () => {
  const root = join(import.meta.dirname, '../..')
  const from = (name: string): string => join(root, 'packages', name)

  beforeAll(() => {
    if (existsSync(join(from('cli'), 'dist/doctor/checkup.js'))) return
    const built = spawnSync('npx', ['tsc', '-b', 'packages/cli'], { cwd: root, encoding: 'utf8' })
    expect(built.status, built.stdout).toBe(0)
  }, 120_000)

  /** The command as npm would have put it into a project: a copy, so that it finds only what is beside it. */
  function install(): { readonly modules: string; readonly run: (...argv: string[]) => Ran } {
    const modules = join(freshPath(), 'node_modules')
    mkdirSync(join(modules, '@ostler'), { recursive: true })
    for (const name of ['core', 'simulator', 'api'])
      symlinkSync(from(name), join(modules, '@ostler', name))
    symlinkSync(join(from('cli'), 'node_modules/commander'), join(modules, 'commander'))
    copy(from('cli'), join(modules, '@ostler/cli'), ['package.json', 'dist'])
    const main = join(modules, '@ostler/cli/dist/main.js')
    const run = (...argv: string[]): Ran => {
      // What pnpm lets vitest find beside the project is not there for a user.
      const env = { ...process.env, NODE_PATH: '' }
      const ran = spawnSync(process.execPath, [main, ...argv], { encoding: 'utf8', env })
      return { code: ran.status ?? -1, out: ran.stdout, err: ran.stderr }
    }
    return { modules, run }
  }

  function copy(source: string, target: string, parts: readonly string[]): void {
    for (const part of parts) cpSync(join(source, part), join(target, part), { recursive: true })
  }

  function edit(path: string, change: (text: string) => string): void {
    writeFileSync(path, change(readFileSync(path, 'utf8')))
  }

  test(
    'has nothing against one without store packages, until a store needs one',
    { timeout: 60_000 },
    () => {
      const { run } = install()
      const alone = run('doctor')
      expect([alone.code, alone.err]).toEqual([0, ''])
      expect(alone.out).toMatch(/^redis +@ostler\/store-redis \(not installed\)$/m)
      for (const [store, name] of [
        ['redis://127.0.0.1:1', '@ostler/store-redis'],
        ['sqlite:a.db', '@ostler/store-sqlite'],
      ]) {
        const { code, out } = run('doctor', '--store', store)
        expect(code).toBe(1)
        expect(out.replaceAll(/\s+/g, ' ')).toContain(`: npm install ${name}`)
        for (const command of [
          ['simulate', '--quick'],
          ['pick', 'shop.example'],
        ]) {
          const { code: failed, err } = run(...command, '--store', store)
          expect(failed).toBe(1)
          const wanted = `this store needs the package ${name}, which is not here: npm install ${name}`
          expect(err).toBe(`ostler: ${wanted} (MISSING_PACKAGE)\n`)
        }
      }
    },
  )

  test('says that a native part was not built', () => {
    const { modules, run } = install()
    const sqlite = join(modules, '@ostler/store-sqlite')
    copy(from('store-sqlite'), sqlite, ['package.json', 'dist', 'sql'])
    const require = createRequire(join(from('store-sqlite'), 'package.json'))
    const driver = dirname(require.resolve('better-sqlite3/package.json'))
    copy(driver, join(modules, 'better-sqlite3'), ['package.json', 'lib'])
    symlinkSync(join(dirname(driver), 'bindings'), join(modules, 'bindings'))
    for (const options of [[], ['--store', 'sqlite:a.db']]) {
      const { code, out, err } = run('doctor', ...options)
      expect([code, err]).toEqual([1, ''])
      expect(out).toMatch(/better-sqlite3 [\d.]+ \(does not load\)/)
      expect(out).toContain('One thing is wrong:\n')
      expect(out).toMatch(
        /- better-sqlite3 [\d.]+ does not load: Could not locate the bindings file/,
      )
    }
  })

  test('says that Node is too old, and that versions differ', () => {
    const { modules, run } = install()
    edit(join(modules, '@ostler/cli/package.json'), (text) => text.replace('>=20.20', '>=99.1'))
    copy(from('store-redis'), join(modules, '@ostler/store-redis'), ['package.json', 'dist', 'lua'])
    symlinkSync(join(from('store-redis'), 'node_modules/ioredis'), join(modules, 'ioredis'))
    edit(join(modules, '@ostler/store-redis/package.json'), (text) =>
      text.replace(/"version": "[^"]+"/, '"version": "9.9.9"'),
    )
    const { code, out } = run('doctor')
    expect(code).toBe(1)
    expect(out).toContain(
      `Node ${process.versions.node} is older than what Ostler is made for: >=99.1`,
    )
    expect(out.replaceAll(/\s+/g, ' ')).toContain('@ostler/store-redis is 9.9.9, and Ostler is ')
  })
})
