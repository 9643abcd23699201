import type { BeginRequest } from '@ostler/core'
import { same } from './assert.ts'
import { T } from './fixtures.ts'
import type { ContractCase } from './runner.ts'

const fingerprint = 'input'

function begin(nowMs = T, overrides: Partial<BeginRequest> = {}): BeginRequest {
  const usual = { runUntilMs: nowMs + 1_000, expiresAtMs: nowMs + 60_000 }
  return { id: 'job', fingerprint, nowMs, ...usual, ...overrides }
}

function complete(value: string | null, nowMs = T) {
  return { id: 'job', fingerprint, value, nowMs }
}

/** `begin` and `complete`. */
export const idempotencyCases: readonly ContractCase[] = [
  {
    name: 'begin: starts once, and tells a second caller that it runs, and until when',
    async run(store) {
      same(await store.begin(begin()), { kind: 'started' }, 'the first')
      const second = await store.begin(begin(T + 999))
      same(second, { kind: 'running', untilMs: T + 1_000 }, 'the second')
    },
  },
  {
    name: 'begin: starts anew once a crashed holder has run out of time',
    async run(store) {
      await store.begin(begin())
      same(await store.begin(begin(T + 1_000)), { kind: 'started' }, 'at runUntilMs')
    },
  },
  {
    name: 'begin: gives the value of what was completed',
    async run(store) {
      await store.begin(begin())
      same(await store.complete(complete('result', T + 5)), true, 'completed')
      same(await store.begin(begin(T + 10)), { kind: 'done', value: 'result' }, 'the repeat')
    },
  },
  {
    name: 'begin: forgets at expiresAtMs',
    async run(store) {
      await store.begin(begin())
      await store.complete(complete('result'))
      same((await store.begin(begin(T + 59_999))).kind, 'done', '1 ms before')
      same((await store.begin(begin(T + 60_000))).kind, 'started', 'at the instant')
    },
  },
  {
    name: 'begin: is a mismatch for another input, running or done',
    async run(store) {
      await store.begin(begin())
      const other = begin(T, { fingerprint: 'another' })
      same((await store.begin(other)).kind, 'mismatch', 'while it runs')
      await store.complete(complete('result'))
      same((await store.begin(other)).kind, 'mismatch', 'when it is done')
    },
  },
  {
    name: 'complete: frees the record where the value is null',
    async run(store) {
      await store.begin(begin())
      same(await store.complete(complete(null)), true, 'completed')
      same((await store.begin(begin())).kind, 'started', 'the repeat')
    },
  },
  {
    name: 'complete: is false where nothing runs under this fingerprint',
    async run(store) {
      same(await store.complete(complete('x')), false, 'never begun')
      await store.begin(begin())
      const other = { ...complete('x'), fingerprint: 'another' }
      same(await store.complete(other), false, 'another fingerprint')
      await store.complete(complete('x'))
      same(await store.complete(complete('y')), false, 'completed before')
      same(await store.begin(begin()), { kind: 'done', value: 'x' }, 'the first value stays')
    },
  },
]
