import type { SmoothPolicy } from '@ostler/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MemoryLimits } from '../../../packages/core/src/store/memory-limits.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { openLimits, type LimitsHalf } from './limits-rig.ts'

const START_MS = 1_700_000_000_000

let server: RedisServer
let redis: LimitsHalf

beforeAll(async () => {
  server = await startRedis()
  redis = openLimits(server.url, 'smooth')
})
afterAll(async () => {
  await redis.engine.close()
  await server.stop()
})

/** Two calls, then one of them is given back, then a call of the whole burst. */
interface Case {
  readonly key: string
  readonly policy: SmoothPolicy
  readonly costs: readonly [number, number]
  /** When the second call comes, and the refund, after the first. */
  readonly afterMs: readonly [number, number]
  readonly back: 0 | 1
}

const COSTS = [
  [1, 1],
  [2, 1],
  [1, 2],
] as const

/** Every case of tiny sizes, by counting through the choices. */
function cases(): Case[] {
  const all: Case[] = []
  for (let i = 0; i < 3 ** 4 * 4 * 6 * 2; i++) {
    let rest = i
    const choose = (among: number): number => {
      const choice = rest % among
      rest = Math.floor(rest / among)
      return choice
    }
    const limit = 1 + choose(3)
    const windowMs = [1, 3, 4][choose(3)]
    const policy = { kind: 'smooth', name: 's', limit, windowMs, burst: 1 + choose(3) } as const
    const costs = COSTS[choose(3)]
    const secondMs = choose(4)
    const afterMs = [secondMs, secondMs + choose(6)] as const
    all.push({ key: `k${i}`, policy, costs, afterMs, back: choose(2) as 0 | 1 })
  }
  return all
}

it('gives back of a smooth policy what cannot have drained, to the millisecond', async () => {
  const all = cases()
  const memories = all.map(() => new MemoryLimits())
  let given = 0
  const call = ({ key, policy, costs, afterMs }: Case, turn: 0 | 1 | 2) => {
    const nowMs = START_MS + (turn === 0 ? 0 : afterMs[turn - 1])
    return { key, policies: [policy], cost: turn === 2 ? policy.burst : costs[turn], nowMs }
  }
  // All cases go through a turn together, for the store's time never goes back.
  const admitted = new Map<Case, number[]>(all.map((each) => [each, []]))
  const inOrder = all
    .flatMap((each, i) => [0, 1, 2].map((turn) => ({ each, memory: memories[i], turn })))
    .sort((a, b) => call(a.each, a.turn as 0).nowMs - call(b.each, b.turn as 0).nowMs)
  for (const { each, memory, turn } of inOrder) {
    const request = call(each, turn as 0 | 1 | 2)
    if (turn === 2) {
      const atMs = admitted.get(each)![each.back] ?? START_MS
      const refund = { ...request, cost: each.costs[each.back], atMs }
      const expected = memory.refund(refund)
      expect(await redis.limits.refund(refund), JSON.stringify(each)).toBe(expected)
      if (expected) given++
    }
    const verdict = memory.consume(request)
    expect(await redis.limits.consume(request), JSON.stringify(each)).toEqual(verdict)
    if (verdict.allowed) admitted.get(each)!.push(verdict.atMs)
  }
  expect(given).toBeGreaterThan(100)
})
