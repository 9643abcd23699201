import { same } from './assert.ts'
import { call, exact, T } from './fixtures.ts'
import type { ContractCase } from './runner.ts'

function permit(id: string, deadlineMs = T + 5_000, cap = 2) {
  return { id, cap, deadlineMs }
}

export const permitCases: readonly ContractCase[] = [
  {
    name: 'consume: holds at most cap permits',
    async run(store) {
      const allowed: boolean[] = []
      for (const id of ['a', 'b', 'c']) {
        allowed.push((await store.consume(call([], { permit: permit(id) }))).allowed)
      }
      same([allowed, await store.permits('k', T)], [[true, true, false], 2], 'admitted, held')
    },
  },
  {
    name: 'consume: names the permit when it binds, and when the next one is free',
    async run(store) {
      await store.consume(call([exact(9)], { permit: permit('a', T + 7_000) }))
      await store.consume(call([exact(9)], { permit: permit('b', T + 3_000) }))
      const denied = await store.consume(call([exact(9)], { permit: permit('c') }))
      same([denied.policy, denied.limit, denied.retryAfterMs], ['permits', 2, 3_000], 'denial')
    },
  },
  {
    name: 'consume: counts in no policy when the permit denies',
    async run(store) {
      await store.consume(call([exact(9)], { permit: permit('a', T + 5_000, 1) }))
      await store.consume(call([exact(9)], { permit: permit('b', T + 5_000, 1) }))
      same((await store.usage('k', [exact(9)], T))[0].used, 1, 'used')
    },
  },
  {
    name: 'consume: takes no permit when a policy denies',
    async run(store) {
      await store.consume(call([exact(1)]))
      await store.consume(call([exact(1)], { permit: permit('a') }))
      same(await store.permits('k', T), 0, 'held')
    },
  },
  {
    name: 'consume: frees a permit at its deadline, not before',
    async run(store) {
      await store.consume(call([], { permit: permit('a', T + 5_000, 1) }))
      const early = await store.consume(
        call([], { permit: permit('b', T + 9_000, 1), nowMs: T + 4_999 }),
      )
      const due = await store.consume(
        call([], { permit: permit('b', T + 9_000, 1), nowMs: T + 5_000 }),
      )
      same([early.allowed, due.allowed], [false, true], 'before and at the deadline')
    },
  },
  {
    name: 'consume: extends a permit that is still held, and counts it once',
    async run(store) {
      await store.consume(call([], { permit: permit('a', T + 5_000, 1) }))
      const again = await store.consume(call([], { permit: permit('a', T + 8_000, 1) }))
      same([again.allowed, await store.permits('k', T)], [true, 1], 'admitted, held')
      same(await store.permits('k', T + 7_999), 1, 'held until the new deadline')
    },
  },
  {
    name: 'peek: takes no permit',
    async run(store) {
      const { allowed } = await store.peek(call([], { permit: permit('a') }))
      same([allowed, await store.permits('k', T)], [true, 0], 'admitted, held')
    },
  },
  {
    name: 'permits: counts by key, and passes over those past their deadline',
    async run(store) {
      await store.consume(call([], { permit: permit('a') }))
      await store.consume(call([], { permit: permit('a'), key: 'other' }))
      const held = [await store.permits('k', T), await store.permits('x', T)]
      same([...held, await store.permits('k', T + 5_000)], [1, 0, 0], 'held')
    },
  },
  {
    name: 'renew: moves the deadline of a held permit',
    async run(store) {
      await store.consume(call([], { permit: permit('a') }))
      same(await store.renew('k', 'a', T + 9_000, T + 4_000), true, 'renewed')
      same(
        [await store.permits('k', T + 8_999), await store.permits('k', T + 9_000)],
        [1, 0],
        'held',
      )
    },
  },
  {
    name: 'renew: is false past the deadline, and the permit stays gone',
    async run(store) {
      await store.consume(call([], { permit: permit('a') }))
      same(await store.renew('k', 'a', T + 9_000, T + 5_000), false, 'renewed')
      same(await store.permits('k', T + 5_000), 0, 'held')
    },
  },
  {
    name: 'renew: is false for a permit that was released or never was',
    async run(store) {
      await store.consume(call([], { permit: permit('a') }))
      await store.release('k', 'a', T)
      same(await store.renew('k', 'a', T + 9_000, T), false, 'renewed after its release')
      same(await store.renew('k', 'never', T + 9_000, T), false, 'renewed without being held')
    },
  },
  {
    name: 'release: frees the permit, once',
    async run(store) {
      await store.consume(call([], { permit: permit('a', T + 5_000, 1) }))
      const told = [await store.release('k', 'a', T), await store.release('k', 'a', T)]
      same(told, [true, false], 'released')
      const next = await store.consume(call([], { permit: permit('b', T + 5_000, 1) }))
      same(next.allowed, true, 'the next permit')
    },
  },
  {
    name: 'release: is false past the deadline',
    async run(store) {
      await store.consume(call([], { permit: permit('a') }))
      same(await store.release('k', 'a', T + 5_000), false, 'released')
    },
  },
]
