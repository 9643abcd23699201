import { beforeEach, describe, expect, test } from 'vitest'
import { memoryStore, Scheduler, seededRandom, type Agent } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { asyncStore } from './rig.ts'

const many = (count: number): Agent[] =>
  Array.from({ length: count }, (_, i) => ({ id: `a${i}`, country: 'DE' }))
let scheduler: Scheduler<'sync'>

beforeEach(() => {
  const clock = new ManualClock(1_200_000_000)
  scheduler = new Scheduler({ store: memoryStore(), clock, random: seededRandom(1) })
})

describe('agents that are brought in portions', () => {
  test('are there portion by portion, and picked in between', async () => {
    const seen: (readonly [done: number, size: number, kind: string])[] = []
    for await (const done of scheduler.agents.upsertInPortions(many(2_500))) {
      const { kind } = scheduler.pick({ domain: 'shop.example' })
      seen.push([done, scheduler.agents.size, kind])
    }
    expect(seen).toEqual([
      [1_000, 1_000, 'picked'],
      [2_000, 2_000, 'picked'],
      [2_500, 2_500, 'picked'],
    ])
  })

  test('stay as far as they came when a later portion is refused', async () => {
    const agents = [...many(10), { id: '' }]
    const all = async (): Promise<void> => {
      for await (const done of scheduler.agents.upsertInPortions(agents, 4)) {
        expect(scheduler.agents.size).toBe(done)
      }
    }
    await expect(all()).rejects.toMatchObject({ code: 'INVALID_AGENT' })
    expect(scheduler.agents.size).toBe(8)
  })

  test('come to an asynchronous store as well', async () => {
    const later = new Scheduler({ store: asyncStore(memoryStore()), random: seededRandom(1) })
    const told: number[] = []
    for await (const done of later.agents.upsertInPortions(many(5), 2)) told.push(done)
    expect([told, later.agents.size]).toEqual([[2, 4, 5], 5])
  })

  test.each([0, -1, 1.5, NaN, 100_001, '10', null])('are refused by %s', async (portion) => {
    const first = scheduler.agents.upsertInPortions(many(1), portion as number).next()
    await expect(first).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('portion must be an integer from 1 to 100000') as string,
    })
    expect(scheduler.agents.size).toBe(0)
  })

  test('must be an array', async () => {
    const first = scheduler.agents.upsertInPortions('a' as never).next()
    await expect(first).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })
})
