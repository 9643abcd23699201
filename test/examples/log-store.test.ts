import { link, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { DEFAULT_HEALTH_POLICY, resolvePolicy, Scheduler, type Store } from '@ostler/core'
import { ManualClock, storeContract } from '@ostler/testkit'
import { describe, expect, it, test } from 'vitest'
import { logStore, type Entry, type SharedLog } from '../../examples/log-store.ts'

/** A log in this process. Entries are kept as text, as they would be anywhere else. */
class ListLog implements SharedLog {
  readonly entries: string[] = []
  /** Appends that found another entry in their place. */
  lost = 0

  async read(from: number): Promise<readonly Entry[]> {
    return this.entries.slice(from, from + 50).map((entry) => JSON.parse(entry) as Entry)
  }

  async append(entry: Entry, position: number): Promise<boolean> {
    if (position === this.entries.length) return this.entries.push(JSON.stringify(entry)) > 0
    this.lost++
    return false
  }
}

/** A log in a folder: one file an entry. A link is made whole or, where its name is taken, not at all. */
function folderLog(folder: string): SharedLog {
  const path = (position: number): string => join(folder, `${position}.json`)
  let drafts = 0
  return {
    async read(from) {
      const end = (await readdir(folder)).filter((name) => name.endsWith('.json')).length
      const entries: Entry[] = []
      for (let at = from; at < end; at++) {
        entries.push(JSON.parse(await readFile(path(at), 'utf8')) as Entry)
      }
      return entries
    },
    async append(entry, position) {
      const draft = join(folder, `${Math.random()}-${drafts++}.draft`)
      await writeFile(draft, JSON.stringify(entry))
      try {
        await link(draft, path(position))
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
        throw error
      } finally {
        await rm(draft)
      }
    },
  }
}

describe('the log store over a list', () => {
  storeContract({ describe, it }, async () => {
    const log = new ListLog()
    return opened(logStore(log), logStore(log))
  })
})

describe('the log store over a folder', () => {
  storeContract({ describe, it }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ostler-log-'))
    const remove = () => rm(folder, { recursive: true })
    return opened(logStore(folderLog(folder)), logStore(folderLog(folder)), remove)
  })
})

function opened(store: Store<'async'>, other: Store<'async'>, after = async () => {}) {
  const close = async () => {
    await Promise.all([store.close(), other.close()])
    await after()
  }
  return { store, second: async () => other, close }
}

const NOW_MS = 1_800_000_000_000
const policies = [resolvePolicy({ name: 'p', limit: 30, windowMs: 60_000 })]
const call = { key: 'k', policies, cost: 1, nowMs: NOW_MS }

test('processes that all call at once admit the limit together, and not one more', async () => {
  const log = new ListLog()
  // Answers that take their time let the calls of one process, too, come between each other.
  const slow: SharedLog = {
    read: async (from) => {
      const entries = await log.read(from)
      await setImmediate()
      return entries
    },
    append: (entry, position) => log.append(entry, position),
  }
  const stores = [logStore(slow), logStore(slow), logStore(slow)]
  const calls = stores.flatMap((store) => Array.from({ length: 20 }, () => store.consume(call)))
  const admitted = (await Promise.all(calls)).filter(({ allowed }) => allowed)
  expect(admitted).toHaveLength(30)
  expect(log.lost).toBeGreaterThan(0)
  for (const store of stores) expect((await store.usage('k', policies, NOW_MS))[0].used).toBe(30)
})

test('whoever comes later decides as those who were there', async () => {
  const log = new ListLog()
  const first = logStore(log)
  for (let i = 0; i < 120; i++) await first.exclude(`exit-${i}`, 'd', NOW_MS + 60_000, NOW_MS)
  const known = await first.exclusions('d', 0, NOW_MS)
  expect(known.changes).toHaveLength(120)
  expect(await logStore(log).exclusions('d', 0, NOW_MS)).toEqual(known)
})

test('a denial leaves no entry', async () => {
  const log = new ListLog()
  const store = logStore(log)
  for (let i = 0; i < 40; i++) await store.consume(call)
  expect(log.entries).toHaveLength(30)
})

test('goes on after a call that failed, as all others do', async () => {
  const log = new ListLog()
  const bounds = { maxAgents: 1 }
  const [store, other] = [logStore(log, bounds), logStore(log, bounds)]
  await expect(store.putAgents([{ id: 'a' }, { id: 'b' }])).rejects.toMatchObject({
    code: 'FLEET_FULL',
  })
  await store.putAgents([{ id: 'c' }])
  expect((await other.agents(0)).changes).toEqual([{ kind: 'put', agent: { id: 'c' } }])
})

test('says that it is out of reach, and is back with its log', async () => {
  const log = new ListLog()
  const store = logStore(log)
  const append = log.append.bind(log)
  log.append = () => Promise.reject(new Error('connection reset'))
  const failed = await store.consume(call).catch((error: unknown) => error)
  expect(failed).toMatchObject({
    code: 'STORE_UNAVAILABLE',
    cause: { message: 'connection reset' },
  })
  log.append = append
  expect((await store.consume(call)).remaining).toBe(29)
})

test('an answer that was lost on its way is repeated by its id, and counts once', async () => {
  const log = new ListLog()
  const store = logStore(log)
  const append = log.append.bind(log)
  log.append = async (entry, position) => {
    await append(entry, position)
    log.append = append
    throw new Error('timed out')
  }
  const named = { ...call, opId: 'op' }
  await expect(store.consume(named)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect((await store.consume(named)).remaining).toBe(29)
  expect(log.entries).toHaveLength(2)
  expect((await store.usage('k', policies, NOW_MS))[0].used).toBe(1)
})

test('serves schedulers: what one has reported, the other keeps to', async () => {
  const log = new ListLog()
  const clock = new ManualClock(NOW_MS)
  const one = new Scheduler({ store: logStore(log), clock })
  const two = new Scheduler({ store: logStore(log), clock })
  await one.agents.upsert([{ id: 'lisbon-1', country: 'PT' }])
  const request = { domain: 'shop.example' }
  const picked = await two.pick(request)
  if (picked.kind !== 'picked') throw new Error(`expected a pick, got ${picked.cause}`)
  await one.report(picked.lease, { kind: 'blocked' })
  expect(await two.pick(request)).toMatchObject({ kind: 'exhausted', cause: 'all_excluded' })
  clock.advance(DEFAULT_HEALTH_POLICY.ladder[2].durationMs * 2)
  expect(await two.pick(request)).toMatchObject({ kind: 'picked', probe: true })
})

test('is short enough to be read in one go', () => {
  const path = join(import.meta.dirname, '../../examples/log-store.ts')
  expect(readFileSync(path, 'utf8').split('\n').length).toBeLessThan(150)
})
