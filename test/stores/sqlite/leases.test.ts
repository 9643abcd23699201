import {
  DEFAULT_BREAKER_POLICY,
  DEFAULT_HEALTH_POLICY,
  DEFAULT_INCIDENT_POLICY,
  memoryStore,
  seededRandom,
  type Store,
} from '@ostler/core'
import { inspect } from '@ostler/store-sqlite'
import Database from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { freshPath, Stores } from './rig.ts'

const T = 1_200_000_000
const CALLS = 12_000
const AGENTS = 40
/** Leases that are out, more or less. */
const OUT = 150

const stores = new Stores()
afterEach(() => stores.closeAll())

interface Out {
  readonly id: string
  readonly agent: string
  readonly deadlineMs: number
  readonly epoch: number
  readonly pickedAtMs: number
}

function acquire(store: Store<'sync'>, id: string, agent: string, nowMs: number, lastsMs: number) {
  const candidates = [{ agentId: agent, exit: agent, maxConcurrency: 4 }]
  const request = { domain: 'd', candidates, leaseId: id, deadlineMs: nowMs + lastsMs, nowMs }
  const answer = store.acquire({ ...request, viewVersion: 0, health: DEFAULT_HEALTH_POLICY })
  return answer.kind === 'acquired'
    ? { kind: answer.kind, index: answer.index, epoch: answer.epoch }
    : { kind: answer.kind, busyUntilMs: answer.busyUntilMs }
}

function settle(store: Store<'sync'>, lease: Out, nowMs: number) {
  const { agent, ...rest } = lease
  return store.settle({
    lease: { ...rest, agentId: agent, exit: agent, domain: 'd', probe: false },
    outcome: { kind: 'neutral' },
    nowMs,
    viewVersion: 0,
    health: DEFAULT_HEALTH_POLICY,
    incident: DEFAULT_INCIDENT_POLICY,
    breaker: DEFAULT_BREAKER_POLICY,
    exits: AGENTS,
  }).kind
}

/** Rows of the log, whether over or not. */
function rowsOf(path: string): number {
  const file = new Database(path, { readonly: true })
  const rows = file.prepare('SELECT count(*) FROM leases').pluck().get() as number
  file.close()
  return rows
}

test('connections that take turns know of each other’s leases, and keep the log short', () => {
  const path = freshPath()
  const random = seededRandom(7)
  const memory = memoryStore()
  const open = (durability: 'sync' | 'batched') => stores.open({ path, durability })
  const ours = [open('sync'), open('batched'), open('batched')]
  const out: Out[] = []
  // Taken first, given back last: by one that was away meanwhile, and by one that was not there.
  const lasting: Out[] = []
  const away = open('sync')
  for (let i = 0; i < 20; i++) {
    const told = { deadlineMs: T + 1_000_000_000, pickedAtMs: T, epoch: 0 }
    lasting.push({ id: `k${i}`, agent: `k${i}`, ...told })
    for (const store of [away, memory]) acquire(store, `k${i}`, `k${i}`, T, 1_000_000_000)
  }
  // Of their end, nothing is left in the log when that one comes back.
  const told = { agent: 'g', deadlineMs: T + 1_000_000_000, pickedAtMs: T, epoch: 0 }
  const ids = ['g0', 'g1', 'g2', 'g3']
  for (const id of ids)
    for (const store of [away, memory]) acquire(store, id, 'g', T, 1_000_000_000)
  for (const id of ids) for (const store of [ours[0], memory]) settle(store, { id, ...told }, T)
  let mine = ours[0]
  let nowMs = T
  let most = 0
  for (let i = 0; i < CALLS; i++) {
    if (random() < 0.02) mine = ours[Math.floor(random() * ours.length)]
    // One that has not seen the log from its beginning, and one that was away for long.
    if (i % 3_000 === 2_999) {
      ours[2].close()
      ours[2] = open('batched')
      mine = ours[2]
    }
    if (random() < 0.3) nowMs += 1
    if (random() < out.length / OUT / 2) {
      const [lease] = out.splice(Math.floor(random() * out.length), 1)
      expect(settle(mine, lease, nowMs)).toBe(settle(memory, lease, nowMs))
    } else {
      const agent = `a${Math.floor(random() * AGENTS)}`
      // Some outlast the front of the log many times, some end by themselves.
      const lastsMs = random() < 0.1 ? 1_000_000 : 200
      const id = random() < 0.05 && out.length > 0 ? out[0].id : `l${i}`
      const answer = acquire(mine, id, agent, nowMs, lastsMs)
      expect(answer).toEqual(acquire(memory, id, agent, nowMs, lastsMs))
      const isNew = answer.kind === 'acquired' && id === `l${i}`
      const told = { id, agent, deadlineMs: nowMs + lastsMs, pickedAtMs: nowMs, epoch: 0 }
      if (isNew) out.push(told)
    }
    if (i % 500 === 0) most = Math.max(most, rowsOf(path))
  }
  expect(most).toBeGreaterThan(1_000)
  expect(most).toBeLessThan(1_024 + 2 * (AGENTS * 4 + 20) + 300)
  expect(acquire(away, 'last', 'g', nowMs, 1)).toEqual(acquire(memory, 'last', 'g', nowMs, 1))
  for (const [i, lease] of lasting.entries()) {
    expect(settle(i % 2 === 0 ? away : open('sync'), lease, nowMs)).toBe('applied')
  }
  for (const store of ours) store.close()
  expect(inspect(path).rows['leases']).toBeLessThan(AGENTS * 4)
})

test('leases of a batch that is lost are not out', () => {
  const path = freshPath()
  const bounds = { path, maxBytes: 1_048_576 }
  const filler = stores.open(bounds)
  const fill = () => {
    for (let i = 0; ; i++) filler.putAgents([{ id: `b${i}`, url: 'x'.repeat(2_000) }])
  }
  expect(fill).toThrow(/full/)
  filler.close()
  const store = stores.open({ ...bounds, durability: 'batched' })
  expect(acquire(store, 'lost', 'b', T, 1_000).kind).toBe('acquired')
  const large = { id: 'large', url: 'x'.repeat(100_000) }
  expect(() => store.putAgents([large])).toThrow(/1 decisions of the last \d+ ms are lost/)
  // What another one takes then has the place in the log that the lost one had.
  const other = stores.open({ path })
  other.removeAgents(['b0', 'b1'])
  expect(acquire(other, 'other', 'c', T, 1_000).kind).toBe('acquired')
  const lease = { agent: 'b', deadlineMs: T + 1_000, epoch: 0, pickedAtMs: T }
  expect(settle(store, { id: 'lost', ...lease }, T)).toBe('stale')
})

test('what a refusal for want of room lets go does not end a batch', () => {
  const path = freshPath()
  const store = stores.open({ path, durability: 'batched', maxLeases: 2 })
  acquire(store, 'l1', 'a', T, 10)
  acquire(store, 'l2', 'a', T, 1_000)
  for (let i = 0; i < 3; i++) {
    expect(() => acquire(store, 'l3', 'a', T + 5, 1_000)).toThrow(/maxLeases/)
  }
  expect(acquire(store, 'l3', 'a', T + 10, 1_000).kind).toBe('acquired')
  store.close()
  expect(inspect(path).rows['leases']).toBe(2)
  const again = stores.open({ path })
  expect(acquire(again, 'l4', 'b', T + 20, 1_000).kind).toBe('acquired')
  expect(inspect(path).rows['leases']).toBe(3)
})
