import { memoryStore, OstlerError, type Store } from '@ostler/core'
import {
  builtinScenario,
  compare,
  comparisonTable,
  ostlerOn,
  policies,
  runPolicy,
  buildWorld,
} from '@ostler/simulator'
import { describe, expect, test } from 'vitest'
import { tiny } from './tiny.ts'

/** A store that answers later: the memory store's answers, each in a promise. */
function later(store: Store<'sync'>, asked: (method: string) => void): Store<'async'> {
  const answers = Object.entries(store).map(([method, value]) => {
    if (typeof value !== 'function') return [method, value]
    const answer = async (...args: unknown[]): Promise<unknown> => {
      asked(method)
      return (value as (...all: unknown[]) => unknown)(...args)
    }
    return [method, answer]
  })
  const { local: _, ...rest } = Object.fromEntries(answers) as Record<string, unknown>
  return { ...(rest as unknown as Store<'async'>), mode: 'async', name: 'later' }
}

describe('ours on another store', () => {
  test('has the same table, whether the store answers at once or later', async () => {
    const scenario = { ...builtinScenario('quick'), requests: 6_000 }
    const counts: Record<string, number> = {}
    const open = (): Store<'async'> =>
      later(memoryStore(), (method) => (counts[method] = (counts[method] ?? 0) + 1))
    const expected = compare(scenario, { policies: policies.slice(0, 2) }).comparison
    const same = compare(scenario, {
      policies: [ostlerOn(() => memoryStore()), policies[1]],
    }).comparison
    const slow = await compare<'async'>(scenario, { policies: [ostlerOn(open), policies[1]] })
    expect(comparisonTable(same)).toBe(comparisonTable(expected))
    expect(JSON.stringify(slow.comparison)).toBe(JSON.stringify(expected))
    expect(counts['acquire']).toBeGreaterThan(5_000)
    expect(counts['settle']).toBeGreaterThan(5_000)
  })

  test('tells its progress while it waits, in order', async () => {
    const seen: number[] = []
    await compare<'async'>(tiny({}, { requests: 9_000 }), {
      policies: [policies[1], ostlerOn(() => later(memoryStore(), () => {})), policies[2]],
      onProgress: ({ done }) => seen.push(done),
    })
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(seen.at(-1)).toBe(27_000)
  })

  test('fails where the store is out of reach, for a fallback has figures of its own', async () => {
    let left = 100
    const store = later(memoryStore(), () => {
      if (left-- <= 0) throw new OstlerError('STORE_UNAVAILABLE', 'pulled out')
    })
    const run = runPolicy(
      buildWorld(tiny()),
      ostlerOn(() => store),
    )
    await expect(run).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(left).toBeLessThan(0)
  })
})
