import {
  builtinScenario,
  compare,
  comparisonHtml,
  comparisonTable,
  policies,
  type Compared,
} from '@ostler/simulator'
import { beforeAll, describe, expect, test } from 'vitest'
import { tiny } from './tiny.ts'

describe('the quick comparison', () => {
  let first: Compared
  beforeAll(() => {
    first = compare(builtinScenario('quick'))
  })

  test('is the same to the byte when it is run again', () => {
    const { comparison } = compare(builtinScenario('quick'))
    expect(JSON.stringify(comparison)).toBe(JSON.stringify(first.comparison))
    expect(comparisonTable(comparison)).toBe(comparisonTable(first.comparison))
    expect(comparisonHtml(comparison)).toBe(comparisonHtml(first.comparison))
  })

  test('is another one for another seed', () => {
    const { comparison } = compare(builtinScenario('quick'), { seed: 2 })
    expect(comparison.results[1].ok).not.toBe(first.comparison.results[1].ok)
  })

  test('gives every policy the same requests, and accounts for each', () => {
    const { calls, limited, results } = first.comparison
    expect(results.map(({ policy }) => policy)).toEqual(policies.map(({ name }) => name))
    for (const result of results) {
      expect(result.requests).toBe(calls - limited)
      expect(result.dispatched + result.refused).toBe(result.requests)
      const answers = Object.values(result.responses).reduce((sum, n) => sum + n, 0)
      expect(answers).toBe(result.dispatched)
      const { page, missing } = result.responses
      expect(result.ok + result.misplaced).toBe(page + missing)
      for (const of of ['requests', 'ok', 'wasted'] as const) {
        const sum = (parts: readonly { readonly [name in typeof of]: number }[]): number =>
          parts.reduce((total, part) => total + part[of], 0)
        expect(sum(result.kinds)).toBe(result[of])
        expect(sum(result.minutes)).toBe(result[of])
      }
    }
  })

  test('has ours ahead on success and on wasted requests', () => {
    const [ours, ...others] = first.comparison.results
    for (const other of others) {
      expect(ours.servedShare!, other.policy).toBeGreaterThan(other.servedShare!)
      expect(ours.successShare!, other.policy).toBeGreaterThan(other.successShare!)
      expect(ours.wasted, other.policy).toBeLessThan(other.wasted)
    }
  })

  test('reads at 80 columns', () => {
    for (const line of comparisonTable(first.comparison).split('\n')) {
      expect(line.length, line).toBeLessThanOrEqual(80)
      expect(line).toBe(line.trimEnd())
    }
  })

  test('makes a page that needs nothing from elsewhere', () => {
    const html = comparisonHtml(first.comparison)
    expect(html).not.toMatch(/https?:|<script|src=|@import|url\(/)
    expect(html).not.toMatch(/NaN|undefined|Infinity/)
    expect(html.match(/<svg /g)).toHaveLength(3)
  })
})

test('does not let one policy change the world of another', () => {
  const scenario = tiny({
    rate: { limit: 5, windowMs: 60_000, answer: 'block', holdMs: 60_000, knocks: 'restart' },
  })
  const alone = compare(scenario, { policies: policies.slice(1, 2) }).comparison.results[0]
  const after = compare(scenario, { policies: policies.slice(0, 2) }).comparison.results[1]
  expect(after).toEqual(alone)
  expect(alone.responses.denied).toBeGreaterThan(0)
})

test('shows no figure where there is nothing to count', () => {
  const scenario = tiny({}, { requests: 1 })
  const hints = { none: 1, soft: 0, strict: 0, point: 0 }
  const { comparison } = compare({ ...scenario, clients: { ...scenario.clients, hints } })
  expect(comparison.results[0].distanceKm).toEqual({ count: 0, median: null, p95: null })
  expect(comparisonTable(comparison)).toMatch(/ostler +100.00% +0 +0.00% +0 +0 +- +- +0/)
  expect(comparisonHtml(comparison)).not.toMatch(/NaN|undefined/)
})

test('counts a page from outside a strict hint as none', () => {
  const scenario = tiny()
  const hints = { none: 0, soft: 0, strict: 1, point: 0 }
  // Nobody of the twenty largest cities' fleet is on Iceland.
  const clients = { ...scenario.clients, hints, markets: { IS: 1 } }
  const { results } = compare({ ...scenario, clients }).comparison
  const [ours, ...others] = results
  expect(ours.refused).toBe(500)
  for (const other of others) {
    expect(other.ok).toBe(0)
    expect(other.misplaced).toBe(500)
  }
})

test('tells how far it is, in order, to the end', () => {
  const seen: string[] = []
  let before = -1
  compare(tiny({}, { requests: 9_000 }), {
    onProgress: ({ policy, done, total }) => {
      expect(done).toBeGreaterThanOrEqual(before)
      expect(done).toBeLessThanOrEqual(total)
      before = done
      if (seen.at(-1) !== policy) seen.push(policy)
    },
  })
  expect(seen).toEqual(['world', ...policies.map(({ name }) => name), 'done'])
})
