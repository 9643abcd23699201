import { describe, expect, it } from 'vitest'
import { gathered } from '../../../packages/store-redis/src/pages.ts'
import { codeOf } from './health-rig.ts'

type Page = readonly (number | string)[]

const [RESET, LOST, MORE] = [1, 2, 4]

/** Gathers the given pages; answers with what each next one was asked for. */
async function gather(since: number, pages: readonly Page[]) {
  const asked: number[] = []
  const next = async (from: number): Promise<Page> => {
    asked.push(from)
    return pages[asked.length] ?? [from, 0]
  }
  const { told, ...rest } = await gathered(since, pages[0], Number, next)
  return { ...rest, told: [...told], asked }
}

describe('an answer in pages', () => {
  it('is what one page says', async () => {
    const answer = await gather(3, [[9, 0, 'a', '1', 'b', '']])
    expect(answer).toEqual({
      version: 9,
      reset: false,
      lost: false,
      told: [
        ['a', 1],
        ['b', null],
      ],
      asked: [],
    })
  })

  it('goes on from the version of each page, and says each thing once, as it was last', async () => {
    const answer = await gather(3, [
      [5, MORE, 'a', '1', 'b', '2'],
      [7, MORE, 'c', '3', 'a', '4'],
      [9, 0, 'b', ''],
    ])
    expect(answer.asked).toEqual([5, 7])
    expect(answer).toMatchObject({ version: 9, reset: false })
    expect(answer.told).toEqual([
      ['c', 3],
      ['a', 4],
      ['b', null],
    ])
  })

  it('does not speak of what is gone where it is the whole', async () => {
    const all = await gather(0, [
      [5, MORE, 'a', '1', 'b', '2'],
      [9, 0, 'a', '', 'nobody', ''],
    ])
    expect(all.told).toEqual([['b', 2]])
    const reset = await gather(3, [[5, RESET + LOST, 'a', '1', 'b', '']])
    expect(reset).toMatchObject({ reset: true, lost: true, told: [['a', 1]] })
  })

  it('begins anew where the store has forgotten meanwhile', async () => {
    const answer = await gather(3, [
      [5, MORE, 'a', '1'],
      [7, RESET + MORE, 'b', '2'],
      [9, 0, 'c', ''],
    ])
    expect(answer).toMatchObject({ version: 9, reset: true, told: [['b', 2]] })
  })

  it('gives up where it begins anew for ever', async () => {
    const page: Page = [5, RESET + MORE, 'a', '1']
    expect(await codeOf(gathered(3, page, Number, async () => page))).toBe('STORE_UNAVAILABLE')
  })
})
