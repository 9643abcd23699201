import { holds, same } from './assert.ts'
import { call, exact, T } from './fixtures.ts'
import type { ContractCase } from './runner.ts'

/** `consume`, `peek`, `usage`: windows, several policies, time. */
export const limitCases: readonly ContractCase[] = [
  {
    name: 'consume: admits up to the limit, and denies the next call',
    async run(store) {
      const left: number[] = []
      for (let i = 0; i < 3; i++) left.push((await store.consume(call([exact(3)]))).remaining)
      same(left, [2, 1, 0], 'remaining')
      const denied = await store.consume(call([exact(3)]))
      same(
        denied,
        {
          allowed: false,
          policy: 'p',
          limit: 3,
          remaining: 0,
          resetAtMs: T + 10_000,
          retryAfterMs: 10_000,
          atMs: T,
        },
        'denial',
      )
    },
  },
  {
    name: 'consume: admits a denied call at now + retryAfterMs, and denies it 1 ms earlier',
    async run(store) {
      await store.consume(call([exact(2)]))
      await store.consume(call([exact(2)], { nowMs: T + 4_000 }))
      const { retryAfterMs } = await store.consume(call([exact(2)], { nowMs: T + 6_000 }))
      same(retryAfterMs, 4_000, 'retryAfterMs')
      const early = await store.consume(call([exact(2)], { nowMs: T + 9_999 }))
      const due = await store.consume(call([exact(2)], { nowMs: T + 10_000 }))
      same([early.allowed, due.allowed], [false, true], 'admitted 1 ms before and at the instant')
    },
  },
  {
    name: 'consume: counts the cost of a call, not the call',
    async run(store) {
      await store.consume(call([exact(10)], { cost: 7 }))
      const four = await store.consume(call([exact(10)], { cost: 4 }))
      const three = await store.consume(call([exact(10)], { cost: 3 }))
      same([four.allowed, three.allowed], [false, true], 'cost 4 and cost 3 with 3 left')
    },
  },
  {
    name: 'consume: waits for as many old hits as the cost needs',
    async run(store) {
      for (let i = 0; i < 4; i++) await store.consume(call([exact(4)], { nowMs: T + i * 1_000 }))
      const denied = await store.consume(call([exact(4)], { cost: 3, nowMs: T + 3_000 }))
      same(denied.retryAfterMs, 9_000, 'retryAfterMs of cost 3')
    },
  },
  {
    name: 'consume: never admits a cost above the limit',
    async run(store) {
      const { allowed, retryAfterMs } = await store.consume(call([exact(3)], { cost: 4 }))
      same([allowed, retryAfterMs], [false, -1], 'verdict')
    },
  },
  {
    name: 'consume: refuses all at limit 0',
    async run(store) {
      const { allowed, retryAfterMs, resetAtMs } = await store.consume(call([exact(0)]))
      same([allowed, retryAfterMs, resetAtMs], [false, -1, T], 'verdict')
    },
  },
  {
    name: 'consume: counts a hit until the end of its quantum has left the window',
    async run(store) {
      const quantised = exact(1, 'p', 10_000, 1_000)
      const first = await store.consume(call([quantised], { nowMs: T + 1 }))
      same(first.resetAtMs, T + 10_999, 'resetAtMs')
      const early = await store.consume(call([quantised], { nowMs: T + 10_998 }))
      const due = await store.consume(call([quantised], { nowMs: T + 10_999 }))
      same([early.allowed, due.allowed], [false, true], 'admitted before and at the end')
    },
  },
  {
    name: 'consume: changes no policy when one of them denies',
    async run(store) {
      const policies = [exact(5, 'wide'), exact(1, 'narrow')]
      await store.consume(call(policies))
      for (let i = 0; i < 3; i++) await store.consume(call(policies))
      const used = (await store.usage('k', policies, T)).map((usage) => usage.used)
      same(used, [1, 1], 'used')
    },
  },
  {
    name: 'consume: names the policy that holds out longest in a denial, the first of equals',
    async run(store) {
      const policies = [exact(1, 'short', 5_000), exact(1, 'long', 20_000), exact(1, 'too', 20_000)]
      await store.consume(call(policies))
      const denied = await store.consume(call(policies, { nowMs: T + 1_000 }))
      same([denied.policy, denied.retryAfterMs], ['long', 19_000], 'binding policy')
    },
  },
  {
    name: 'consume: names the policy with least left in an admission, the first of equals',
    async run(store) {
      const { policy, remaining } = await store.consume(
        call([exact(9, 'nine'), exact(3, 'three'), exact(3, 'other')]),
      )
      same([policy, remaining], ['three', 2], 'binding policy')
    },
  },
  {
    name: 'consume: admits without policies, as none',
    async run(store) {
      const { allowed, policy, retryAfterMs } = await store.consume(call([]))
      same([allowed, policy, retryAfterMs], [true, 'none', 0], 'verdict')
    },
  },
  {
    name: 'consume: keeps keys apart',
    async run(store) {
      await store.consume(call([exact(1)]))
      const other = await store.consume(call([exact(1)], { key: 'other' }))
      same(other.allowed, true, 'another key')
    },
  },
  {
    name: 'consume: keeps what was counted when the limit changes',
    async run(store) {
      for (let i = 0; i < 3; i++) await store.consume(call([exact(5)]))
      const lowered = await store.consume(call([exact(3)]))
      const raised = await store.consume(call([exact(4)]))
      same([lowered.allowed, raised.allowed, raised.remaining], [false, true, 0], 'verdicts')
    },
  },
  {
    name: 'consume: admits no more after a step back of time',
    async run(store) {
      await store.consume(call([exact(1)]))
      const { allowed, atMs } = await store.consume(call([exact(1)], { nowMs: T - 60_000 }))
      same([allowed, atMs], [false, T], 'verdict at the newest instant')
    },
  },
  {
    name: 'consume: forgets all after a window of silence',
    async run(store) {
      for (let i = 0; i < 5; i++) await store.consume(call([exact(5)]))
      const later = await store.consume(call([exact(5)], { cost: 5, nowMs: T + 10_000 }))
      same([later.allowed, later.remaining], [true, 0], 'the whole limit at once')
    },
  },
  {
    name: 'consume: gives a smooth policy its burst at once, then one call per windowMs / limit',
    async run(store) {
      const smooth = { kind: 'smooth', name: 's', limit: 10, windowMs: 10_000, burst: 2 } as const
      const allowed: boolean[] = []
      for (const nowMs of [T, T, T, T + 999, T + 1_000, T + 1_000]) {
        allowed.push((await store.consume(call([smooth], { nowMs }))).allowed)
      }
      same(allowed, [true, true, false, false, true, false], 'admitted')
    },
  },
  {
    name: 'peek: gives the verdict that consume would give, and changes nothing',
    async run(store) {
      const policies = [exact(2), exact(3, 'q')]
      for (let i = 0; i < 4; i++) {
        const nowMs = T + i
        const peeked = await store.peek(call(policies, { nowMs }))
        same(await store.peek(call(policies, { nowMs })), peeked, 'a second peek')
        same(await store.consume(call(policies, { nowMs })), peeked, 'consume after peek')
      }
    },
  },
  {
    name: 'usage: gives used, remaining and reset of each policy in order',
    async run(store) {
      const policies = [exact(5, 'a'), exact(9, 'b', 1_000)]
      await store.consume(call(policies, { cost: 2 }))
      const [a, b] = await store.usage('k', policies, T + 1_000)
      same(
        a,
        { policy: 'a', limit: 5, used: 2, remaining: 3, resetAtMs: T + 10_000 },
        'usage of the long window',
      )
      same([b.used, b.remaining], [0, 9], 'usage of the window that has passed')
      holds(b.resetAtMs === T + 1_000, 'nothing left to reset')
    },
  },
]
