import Database from 'better-sqlite3'
import type { Store } from '@ostler/core'
import { afterEach, expect, test } from 'vitest'
import { consume, freshPath, Stores, used } from './rig.ts'

const options = { maxBytes: 1_048_576 }
const stores = new Stores()

afterEach(() => stores.closeAll())

/** Puts agents with long urls until the file holds no more. */
function fill(store: Store<'sync'>): void {
  const url = `http://exit.example/${'x'.repeat(2_000)}`
  const more = (): void => {
    for (let i = 0; ; i++) store.putAgents([{ id: `a${i}`, url }])
  }
  expect(more).toThrow(/full/)
}

test('batched: says how many decisions are lost, and that views must start anew', () => {
  const path = freshPath()
  const filler = stores.open({ path, ...options })
  fill(filler)
  consume(filler)
  filler.close()
  const store = stores.open({ path, ...options, durability: 'batched' })
  store.ping!()
  const before = store.agents(0)
  expect(consume(store)).toBe(true)
  store.removeAgents(['a0'])
  const seen = store.agents(before.version)
  expect(seen.changes).toEqual([{ kind: 'removed', id: 'a0' }])
  const lost = (): unknown => store.putAgents([{ id: 'b', url: 'x'.repeat(100_000) }])
  expect(lost).toThrow(/^2 decisions of the last \d+ ms are lost: .* full/)
  // Nobody else has heard of it; who has is told that it no longer holds.
  expect(used(store)).toBe(1)
  expect(store.agents(seen.version)).toMatchObject({ reset: true, lost: true })
  expect(store.agents(before.version)).toMatchObject({ reset: true, lost: true })
  const anew = store.agents(0)
  expect(anew.changes).toEqual(before.changes)
  store.removeAgents(['a0'])
  expect(store.agents(anew.version).changes).toEqual([{ kind: 'removed', id: 'a0' }])
  expect(consume(store)).toBe(true)
})

test('what was decided in memory alone is gone with its batch', () => {
  const path = freshPath()
  const filler = stores.open({ path, ...options })
  fill(filler)
  filler.close()
  const store = stores.open({ path, ...options, durability: 'batched' })
  const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}`)
  expect(() => keys.forEach((key) => consume(store, key))).toThrow(/decisions .* are lost: .* full/)
  const known = keys.map((key) => used(store, key))
  store.close()
  const other = stores.open({ path })
  expect(known).toEqual(keys.map((key) => used(other, key)))
})

test('a decision that is refused within a batch is undone by itself', () => {
  const path = freshPath()
  const store = stores.open({ path, durability: 'batched', maxAgents: 1 })
  for (let i = 1; i <= 3; i++) {
    consume(store)
    expect(() => store.putAgents([{ id: 'one' }, { id: 'two' }])).toThrow(/maxAgents/)
    expect(used(store)).toBe(i)
  }
  store.close()
  expect(used(stores.open({ path }))).toBe(3)
})

test('no more than 256 rows of a batch wait to be written', () => {
  const path = freshPath()
  const store = stores.open({ path, durability: 'batched', flushMs: 10 })
  const other = new Database(path, { readonly: true })
  const written = other.prepare('SELECT count(*) FROM windows').pluck()
  for (let i = 0; i < 6_000; i++) {
    consume(store, `k${i}`)
    if (i % 500 === 499) expect(i + 1 - (written.get() as number)).toBeLessThanOrEqual(256)
  }
  other.close()
})
