import { memoryStore, seededRandom, type ResolvedPolicy } from '@ostler/core'
import { afterEach, expect, test } from 'vitest'
import { Connection } from '../../../packages/store-sqlite/src/file/connection.ts'
import { Patience } from '../../../packages/store-sqlite/src/file/patience.ts'
import { Transactions } from '../../../packages/store-sqlite/src/file/transactions.ts'
import { Limits } from '../../../packages/store-sqlite/src/limits/limits.ts'
import { Windows } from '../../../packages/store-sqlite/src/limits/windows.ts'
import { freshPath } from './rig.ts'

const T = 1_200_000_000
/** Room for the first block of logs (64 KB), and some dozens of rows. */
const mostKnownBytes = 90_000
const bounds = { maxKeys: 1_000, maxOps: 10, maxPermits: 10, mostKnownBytes }
const opened: { close(): void }[] = []

afterEach(() => {
  for (const one of opened.splice(0)) one.close()
})

const policies: readonly ResolvedPolicy[] = [
  { kind: 'exact', name: 'a', limit: 5, windowMs: 2_000, quantumMs: 1 },
  { kind: 'smooth', name: 'a', limit: 4, windowMs: 2_000, burst: 3 },
  { kind: 'exact', name: 'b', limit: 400, windowMs: 9_000, quantumMs: 10 },
]

test.each([0, 10])(
  'rows that are let go were written, and are read again (flushMs %s)',
  (flushMs) => {
    const options = { path: freshPath(), busyMs: 50, flushMs, ownTime: false, fsync: false }
    const file = new Transactions<{ limits: Limits }>(
      { ...options, maxBytes: Infinity },
      (connection) => ({ limits: new Limits(connection, bounds) }),
    )
    opened.push(file)
    const memory = memoryStore()
    const random = seededRandom(5)
    let nowMs = T
    let denied = 0
    for (let i = 0; i < 6_000; i++) {
      nowMs += Math.floor(random() * 3)
      const request = { key: `k${Math.floor(random() * 300)}`, policies, cost: 1, nowMs }
      const expected = memory.consume(request)
      const decide = ({ limits }: { limits: Limits }, atMs: number): unknown =>
        limits.consume(request, atMs)
      expect(file.change(nowMs, decide)).toEqual(expected)
      if (!expected.allowed) denied++
    }
    expect(denied).toBeGreaterThan(100)
  },
)

test('what is known of rows stays within its bound, however many keys come', () => {
  const connection = Connection.open(
    { path: freshPath(), fsync: false, maxBytes: Infinity },
    new Patience(50),
  )
  opened.push(connection)
  const windows = new Windows(connection, bounds.maxKeys, mostKnownBytes)
  const rows = windows.of(policies[0])
  let most = 0
  let least = Infinity
  for (let i = 0; i < 2_000; i++) {
    windows.makeWay()
    windows.find(rows, `k${i}`, T)
    if (i > 500) least = Math.min(least, windows.knownBytes)
    most = Math.max(most, windows.knownBytes)
  }
  expect(most).toBeGreaterThanOrEqual(mostKnownBytes)
  // One call more, and what the records grow by at once.
  expect(most).toBeLessThan(mostKnownBytes * 1.2)
  expect(least).toBeLessThan(mostKnownBytes / 2)
})
