import { same } from './assert.ts'
import { call, exact, T } from './fixtures.ts'
import type { ContractCase } from './runner.ts'

const policies = [exact(2, 'p'), exact(2, 'long', 20_000)]

/** Named calls and refunds. */
export const operationCases: readonly ContractCase[] = [
  {
    name: 'consume: repeats the verdict of an admitted opId, and counts it once',
    async run(store) {
      const first = await store.consume(call(policies, { opId: 'op' }))
      for (const nowMs of [T, T + 9_000, T + 19_999]) {
        same(await store.consume(call(policies, { opId: 'op', nowMs })), first, 'the repeat')
      }
      same((await store.usage('k', policies, T))[1].used, 1, 'used')
    },
  },
  {
    name: 'consume: decides a denied opId afresh',
    async run(store) {
      await store.consume(call([exact(1)]))
      const denied = await store.consume(call([exact(1)], { opId: 'op' }))
      const later = await store.consume(call([exact(1)], { opId: 'op', nowMs: T + 10_000 }))
      same([denied.allowed, later.allowed], [false, true], 'before and after the window')
    },
  },
  {
    name: 'consume: forgets an opId after the longest window',
    async run(store) {
      await store.consume(call(policies, { opId: 'op' }))
      const later = await store.consume(call(policies, { opId: 'op', nowMs: T + 20_000 }))
      same(later.atMs, T + 20_000, 'atMs of a new decision')
      same((await store.usage('k', policies, T + 20_000))[0].used, 1, 'used')
    },
  },
  {
    name: "consume: keeps two keys' operations apart",
    async run(store) {
      await store.consume(call([exact(1)], { opId: 'op' }))
      await store.consume(call([exact(1)], { opId: 'op', key: 'other' }))
      const other = await store.consume(call([exact(1)], { key: 'other' }))
      same(other.allowed, false, 'the other key has used its limit')
    },
  },
  {
    name: 'peek: gives the verdict of an admitted opId again',
    async run(store) {
      const first = await store.consume(call([exact(1)], { opId: 'op' }))
      same(await store.peek(call([exact(1)], { opId: 'op', nowMs: T + 5 })), first, 'the peek')
    },
  },
  {
    name: 'refund: gives back what still counts',
    async run(store) {
      const { atMs } = await store.consume(call(policies, { cost: 2 }))
      const given = await store.refund({ key: 'k', policies, cost: 2, atMs, nowMs: T + 1 })
      same(given, true, 'given back')
      const again = await store.consume(call(policies, { cost: 2, nowMs: T + 1 }))
      same(again.allowed, true, 'the limit is whole again')
    },
  },
  {
    name: 'refund: gives back where a longer window still counts',
    async run(store) {
      const { atMs } = await store.consume(call(policies))
      const given = await store.refund({ key: 'k', policies, cost: 1, atMs, nowMs: T + 15_000 })
      const used = (await store.usage('k', policies, T + 15_000)).map((usage) => usage.used)
      same([given, used], [true, [0, 0]], 'given back, used')
    },
  },
  {
    name: 'refund: is false when every window has passed',
    async run(store) {
      const { atMs } = await store.consume(call(policies))
      const given = await store.refund({ key: 'k', policies, cost: 1, atMs, nowMs: T + 20_000 })
      same(given, false, 'given back')
    },
  },
  {
    name: 'refund: is false where the key knows no such hit',
    async run(store) {
      await store.consume(call(policies))
      const request = { key: 'k', policies, cost: 1, atMs: T - 1, nowMs: T }
      same(await store.refund(request), false, 'another instant')
      same(await store.refund({ ...request, key: 'x', atMs: T }), false, 'another key')
      same((await store.usage('k', policies, T))[0].used, 1, 'used')
    },
  },
  {
    name: 'refund: gives an operation back once',
    async run(store) {
      await store.consume(call(policies))
      const { atMs } = await store.consume(call(policies, { opId: 'op' }))
      const request = { key: 'k', policies, cost: 1, atMs, nowMs: T, opId: 'op' }
      same([await store.refund(request), await store.refund(request)], [true, false], 'given back')
      same((await store.usage('k', policies, T))[0].used, 1, 'the other call still counts')
    },
  },
]
