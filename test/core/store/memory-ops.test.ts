import { expect, test } from 'vitest'
import { OstlerError } from '../../../packages/core/src/errors.ts'
import { MemoryOps } from '../../../packages/core/src/store/memory-ops.ts'

const start = { id: 'a', fingerprint: 'f', nowMs: 100, runUntilMs: 200, expiresAtMs: 1000 }
const end = { id: 'a', fingerprint: 'f', value: 'v', nowMs: 150 }

test('a repeat is told that it runs, then what came of it, until the record expires', () => {
  const ops = new MemoryOps()
  expect(ops.begin(start)).toEqual({ kind: 'started' })
  expect(ops.begin({ ...start, nowMs: 120 })).toEqual({ kind: 'running', untilMs: 200 })
  expect(ops.complete(end)).toBe(true)
  expect(ops.begin({ ...start, nowMs: 999 })).toEqual({ kind: 'done', value: 'v' })
  expect(ops.begin({ ...start, nowMs: 1000 })).toEqual({ kind: 'started' })
})

test('another input under the same id is a mismatch, running or done', () => {
  const ops = new MemoryOps()
  ops.begin(start)
  expect(ops.begin({ ...start, fingerprint: 'g' })).toEqual({ kind: 'mismatch' })
  expect(ops.complete({ ...end, fingerprint: 'g' })).toBe(false)
  ops.complete(end)
  expect(ops.begin({ ...start, fingerprint: 'g' })).toEqual({ kind: 'mismatch' })
})

test('a crashed holder frees its record at runUntilMs, and may not end it afterwards', () => {
  const ops = new MemoryOps()
  ops.begin(start)
  expect(ops.complete({ ...end, nowMs: 200 })).toBe(false)
  expect(ops.begin({ ...start, nowMs: 200, runUntilMs: 300 })).toEqual({ kind: 'started' })
})

test('an operation that came to nothing starts anew, and one is completed once', () => {
  const ops = new MemoryOps()
  ops.begin(start)
  expect(ops.complete({ ...end, value: null })).toBe(true)
  expect(ops.complete(end)).toBe(false)
  expect(ops.begin(start)).toEqual({ kind: 'started' })
  expect(ops.complete(end)).toBe(true)
  expect(ops.complete(end)).toBe(false)
})

test('refuses a new record when every one is live, and takes one as soon as one is over', () => {
  const ops = new MemoryOps({ maxRecords: 2 })
  ops.begin(start)
  ops.begin({ ...start, id: 'b', runUntilMs: 300 })
  const third = { ...start, id: 'c', nowMs: 199 }
  expect(() => ops.begin(third)).toThrow(OstlerError)
  expect(() => ops.begin(third)).toThrow(
    'at most 2 idempotency records can be live at once (maxRecords)',
  )
  expect(ops.begin({ ...start, nowMs: 199 })).toMatchObject({ kind: 'running' })
  expect(ops.begin({ ...third, nowMs: 200 })).toEqual({ kind: 'started' })
})

test('a step back of the clock revives nothing', () => {
  const ops = new MemoryOps()
  ops.begin(start)
  ops.begin({ ...start, id: 'b', nowMs: 500, runUntilMs: 600 })
  expect(ops.begin({ ...start, nowMs: 150, runUntilMs: 700 })).toEqual({ kind: 'started' })
})
