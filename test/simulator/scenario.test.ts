import { OstlerError } from '@ostler/core'
import { builtinScenario, parseScenario, parseScenarioText } from '@ostler/simulator'
import { describe, expect, test } from 'vitest'
import { tiny } from './tiny.ts'

function problemsOf(value: unknown): readonly string[] {
  try {
    parseScenario(value)
  } catch (error) {
    expect(error).toBeInstanceOf(OstlerError)
    expect((error as OstlerError).code).toBe('INVALID_OPTIONS')
    return (error as OstlerError).problems.map(({ path, message }) => `${path}: ${message}`)
  }
  return []
}

/** A copy of the tiny scenario with the value at a path replaced. */
function broken(path: string, value: unknown): unknown {
  const copy = structuredClone(tiny()) as unknown as Record<string, unknown>
  const names = path.split('.')
  const last = names.pop()!
  let at = copy
  for (const name of names) at = at[name] as Record<string, unknown>
  if (value === undefined) delete at[last]
  else at[last] = value
  return copy
}

test('takes the scenarios of the package, of the sizes that are promised', () => {
  const scenario = builtinScenario('default')
  expect(scenario.fleets.reduce((sum, { agents }) => sum + agents, 0)).toBe(20_000)
  expect(scenario.domains.count).toBe(300)
  expect(scenario.durationMs).toBe(3_600_000)
  expect(scenario.requests).toBeGreaterThanOrEqual(500_000)
  expect(builtinScenario('quick').requests).toBeLessThan(30_000)
})

describe('names what is wrong by its path', () => {
  const cases: readonly (readonly [path: string, value: unknown, at: string])[] = [
    ['format', 'ostler-scenario/9', 'format'],
    ['name', 'Big Name', 'name'],
    ['seed', -1, 'seed'],
    ['seed', 1.5, 'seed'],
    ['seed', '1', 'seed'],
    ['durationMs', 0, 'durationMs'],
    ['requests', 1e9, 'requests'],
    ['requests', undefined, 'requests'],
    ['fleets', [], 'fleets'],
    ['fleets', {}, 'fleets'],
    ['fleets.0.agents', 0, 'fleets[0].agents'],
    ['fleets.0.agents', Number.NaN, 'fleets[0].agents'],
    ['fleets.0.cities', 0, 'fleets[0].cities'],
    ['fleets.0.networks', {}, 'fleets[0].networks.perCountry'],
    ['fleets.0.networks', { worldwide: 0 }, 'fleets[0].networks.worldwide'],
    ['fleets.0.networks', { worldwide: 1, perCountry: 1 }, 'fleets[0].networks.perCountry'],
    ['fleets.0.sharedExits', { share: 2, agentsPerExit: 4 }, 'fleets[0].sharedExits.share'],
    ['fleets.0.offline', { share: 0.1 }, 'fleets[0].offline.periodMs'],
    ['fleets.0.colour', 'red', 'fleets[0].colour'],
    ['domains.count', 0, 'domains.count'],
    ['domains.zipf', 6, 'domains.zipf'],
    ['domains.kinds', [], 'domains.kinds'],
    ['domains.kinds.0.weight', -1, 'domains.kinds[0].weight'],
    ['domains.kinds.0.weight', 0, 'domains.kinds'],
    ['domains.kinds.0.rate', { limit: 1 }, 'domains.kinds[0].rate.windowMs'],
    ['domains.kinds.0.wary', { share: 0.1, periodMs: 5 }, 'domains.kinds[0].wary.periodMs'],
    ['domains.kinds.0.bans', { fleets: ['moon'], networkShare: 1 }, 'domains.kinds[0].bans.fleets'],
    ['clients.tiers', {}, 'clients.tiers'],
    ['clients.tiers.all.policies', [{ name: 'a' }], 'clients.tiers.all.policies[0].limit'],
    ['clients.markets', { germany: 1 }, 'clients.markets.germany'],
    ['clients.markets', { DE: 0 }, 'clients.markets'],
    ['clients.hints.none', undefined, 'clients.hints.none'],
  ]
  test.each(cases)('%s = %j', (path, value, at) => {
    expect(problemsOf(broken(path, value)).join('\n')).toContain(`${at}: `)
  })
})

test('lists every problem at once', () => {
  const problems = problemsOf({ ...tiny(), seed: -1, requests: 0, colour: 'red' })
  expect(problems.map((problem) => problem.split(':')[0])).toEqual(['colour', 'seed', 'requests'])
})

test('takes names only once', () => {
  const { fleets } = tiny()
  expect(problemsOf({ ...tiny(), fleets: [...fleets, ...fleets] })).toEqual([
    'fleets[1].name: must be unique, got "home" again',
  ])
})

test.each(['', '{', 'null', '[]', '"scenario"'])('refuses the text %j', (text) => {
  expect(() => parseScenarioText(text, 'a.json')).toThrow(/^a\.json: /)
})
