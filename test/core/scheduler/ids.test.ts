import { expect, test } from 'vitest'
import { idsOf } from '../../../packages/core/src/scheduler/ids.ts'

test('ids are twelve characters, and none comes twice, also where the count starts anew', () => {
  // The highest start there is: all further ids are of the next round.
  for (const start of [0, 0.5, 1 - 2 ** -52]) {
    const nextId = idsOf(() => start)
    const ids = Array.from({ length: 10_000 }, nextId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[\w-]{12}$/)
  }
})

test('two schedulers share no id', () => {
  let state = 1
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  const [one, other] = [idsOf(random), idsOf(random)]
  const ids = new Set(Array.from({ length: 5_000 }, one))
  for (let i = 0; i < 5_000; i++) expect(ids.has(other())).toBe(false)
})
