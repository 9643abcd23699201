import type { Agent } from '@ostler/core'
import { describe, expect, test } from 'vitest'
import { file, NOW_MS, ostler } from './rig.ts'

/** Five agents whose order from anywhere in Austria can be told by hand. */
const FLEET: readonly Agent[] = [
  { id: 'vie1', country: 'AT', city: 'Vienna', lat: 48.21, lon: 16.37, url: 'http://u:pw@h:1' },
  { id: 'vie2', country: 'AT', city: 'Vienna', lat: 48.21, lon: 16.37, exitIp: '203.0.113.2' },
  { id: 'graz', country: 'AT', city: 'Graz', lat: 47.07, lon: 15.44, exitIp: '203.0.113.2' },
  { id: 'muc', country: 'DE', city: 'Munich', lat: 48.14, lon: 11.58, tags: ['fast'] },
  { id: 'nyc', country: 'US', region: 'US-NY', city: 'New York', lat: 40.71, lon: -74.01 },
]
const VIENNA = '48.21,16.37'
const agents = file(FLEET)

interface Shown {
  readonly kind: string
  readonly agent?: { readonly id: string }
  readonly cause?: string
  readonly retryAtMs?: number | null
  readonly distanceKm?: number
  readonly localities: readonly { readonly name: string; readonly total: number }[]
  readonly candidates: readonly {
    readonly agent: { readonly id: string }
    readonly reason: string
  }[]
}

async function pick(
  options: readonly string[],
  state?: unknown,
): Promise<{ readonly code: number; readonly shown: Shown }> {
  const rest = state === undefined ? [] : ['--state', file(state)]
  const argv = ['pick', 'shop.example', '--agents', agents, '--json', ...options, ...rest]
  const { code, out } = await ostler(argv)
  return { code, shown: JSON.parse(out) as Shown }
}

describe('picks as one would by hand', () => {
  const cases: readonly (readonly [
    what: string,
    options: readonly string[],
    state: unknown,
    ids: readonly string[],
  ])[] = [
    ['the nearest', ['--geo', VIENNA], undefined, ['vie1', 'vie2']],
    ['the country', ['--geo', 'DE'], undefined, ['muc']],
    ['the first wish that has one', ['--geo', 'CH,US'], undefined, ['nyc']],
    ['the continent', ['--geo', 'NA'], undefined, ['nyc']],
    [
      'what is left within the radius',
      ['--geo', `${VIENNA};radius=10`, '--avoid', 'vie1'],
      undefined,
      ['vie2'],
    ],
    ['not what is vetoed', ['--geo', `${VIENNA},-AT`], undefined, ['muc']],
    ['only what is pinned', ['--geo', VIENNA, '--pin', 'graz,nyc'], undefined, ['graz']],
    ['only what has the tags', ['--geo', VIENNA, '--tags', 'fast'], undefined, ['muc']],
    [
      'past what is excluded',
      ['--geo', VIENNA],
      { exclusions: [{ agent: 'vie1', domain: 'shop.example', forMs: 1_000 }] },
      ['vie2'],
    ],
    [
      'past all agents of an excluded exit',
      ['--geo', VIENNA, '--avoid', 'vie1'],
      { exclusions: [{ exit: '203.0.113.2', domain: '*', untilMs: NOW_MS + 1 }] },
      ['muc'],
    ],
    ['past what is drained', ['--geo', `${VIENNA};radius=10`], { drained: ['vie1'] }, ['vie2']],
    [
      'what another domain excludes',
      ['--geo', VIENNA, '--avoid', 'vie2'],
      { exclusions: [{ agent: 'vie1', domain: 'other.example', forMs: 1_000 }] },
      ['vie1'],
    ],
    [
      'what was excluded in the past',
      ['--geo', VIENNA, '--avoid', 'vie2'],
      { nowMs: 10_000, exclusions: [{ agent: 'vie1', domain: 'shop.example', untilMs: 10_000 }] },
      ['vie1'],
    ],
  ]
  test.each(cases)('%s', async (_, options, state, ids) => {
    const { code, shown } = await pick(options, state)
    expect(code).toBe(0)
    expect(ids).toContain(shown.agent?.id)
  })
})

test('walks outward, and tells how far', async () => {
  const { shown } = await pick(['--geo', VIENNA, '--pin', 'nyc'])
  expect(shown.localities.map(({ name }) => name)).toEqual([
    'AT/Vienna',
    'AT/Graz',
    'DE/Munich',
    'US/New York',
  ])
  expect(shown.distanceKm).toBeGreaterThan(6_700)
  expect(shown.distanceKm).toBeLessThan(6_900)
})

test('gives the same agent for the same seed, and sooner or later another for another', async () => {
  const ids = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const options = ['--geo', VIENNA, '--seed', String(seed)]
    const first = await pick(options)
    const again = await pick(options)
    expect(again.shown).toEqual(first.shown)
    ids.add(first.shown.agent!.id)
  }
  expect([...ids].sort()).toEqual(['vie1', 'vie2'])
})

describe('without an agent to pick', () => {
  const cases: readonly (readonly [cause: string, options: readonly string[], state: unknown])[] = [
    ['geo_empty', ['--geo', 'JP;strict'], undefined],
    ['filter_empty', ['--tags', 'slow'], undefined],
    ['filter_empty', ['--pin', 'unknown'], undefined],
    [
      'pinned_excluded',
      ['--pin', 'muc'],
      { exclusions: [{ agent: 'muc', domain: 'shop.example', forMs: 90_000 }] },
    ],
  ]
  test.each(cases)('exits with 3 and says %s', async (cause, options, state) => {
    const { code, shown } = await pick(options, state)
    expect(code).toBe(3)
    expect(shown.kind).toBe('exhausted')
    expect(shown.cause).toBe(cause)
  })

  test('says when to come back', async () => {
    const exclusions = FLEET.map(({ id }, i) => ({
      agent: id,
      domain: 'shop.example',
      forMs: 60_000 * (i + 1),
    }))
    const state = file({ exclusions })
    const { code, out } = await ostler([
      'pick',
      'shop.example',
      '--agents',
      agents,
      '--state',
      state,
    ])
    expect(code).toBe(3)
    expect(out).toContain('agent     none: every eligible agent is excluded')
    // vie2 and graz share an exit, so the later of their exclusions holds; vie1's ends first.
    expect(out).toContain('retry     in 1 min (2026-01-05T09:01:00.000Z)')
    expect(out).toContain('fleet     5 agents, 5 excluded')
  })
})

test('shows why, readable at 80 columns', async () => {
  const state = file({ exclusions: [{ agent: 'vie1', domain: 'shop.example', forMs: 120_000 }] })
  const { out } = await ostler([
    'pick',
    'https://www.shop.example/p/1?q=2',
    '--agents',
    agents,
    '--geo',
    VIENNA,
    '--state',
    state,
    '--why',
  ])
  expect(out).toContain('domain    shop.example')
  expect(out).toContain('agent     vie2  (Vienna, AT)')
  expect(out).toMatch(/^ {2}AT\/Vienna +\d+ km +2 +1 +1 +0 +0$/m)
  expect(out).toMatch(/^ {2}vie2 +Vienna +0 km +picked$/m)
  expect(out).toMatch(/^ {2}vie1 +Vienna +0 km +excluded, 2 min yet$/m)
  for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
})

test('calls an agent resting that is excluded by hand for all domains', async () => {
  const state = file({ exclusions: [{ agent: 'vie1', domain: '*', forMs: 120_000 }] })
  const argv = ['pick', 'shop.example', '--agents', agents, '--geo', VIENNA, '--state', state]
  expect((await ostler([...argv, '--why'])).out).toMatch(/^ {2}vie1 +Vienna +0 km +resting$/m)
})

test('stays within 80 columns whatever agents are called', async () => {
  const long: readonly Agent[] = [
    { id: 'x'.repeat(128), country: 'DE', city: 'Y'.repeat(200), exitIp: 'z'.repeat(128), asn: 1 },
  ]
  const argv = ['pick', 'shop.example', '--agents', file(long), '--geo', 'DE', '--why']
  const { out } = await ostler(argv)
  for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
})

test('never shows how an agent is reached', async () => {
  const argv = ['pick', 'shop.example', '--agents', agents, '--geo', VIENNA, '--pin', 'vie1']
  for (const options of [['--json'], ['--why'], []]) {
    const { out, err } = await ostler([...argv, ...options])
    expect(out + err).toContain('vie1')
    expect(out + err).not.toContain('pw')
  }
})

test('has a demo fleet for those who bring none', async () => {
  const { code, out, err } = await ostler(['pick', 'https://shop.example', '--geo', 'DE;strict'])
  expect(code).toBe(0)
  expect(out).toMatch(/, DE\)$/m)
  expect(err).toContain('demo fleet')
})

describe('refuses', () => {
  const states: readonly (readonly [state: unknown, reason: RegExp])[] = [
    [[], /must be an object/],
    [{ nowMs: 0 }, /nowMs must be/],
    [{ nowMs: 'now' }, /nowMs must be/],
    [{ colour: 1 }, /colour is unknown/],
    [{ exclusions: {} }, /exclusions must be an array/],
    [{ exclusions: [5] }, /exclusions\[0\] must be an object/],
    [{ exclusions: [{ domain: 'a', forMs: 1 }] }, /exclusions\[0\] must name either/],
    [{ exclusions: [{ agent: 'a', exit: 'b', domain: 'a', forMs: 1 }] }, /must name either/],
    [{ exclusions: [{ agent: 'muc', domain: 'a' }] }, /either untilMs or forMs/],
    [{ exclusions: [{ agent: 'muc', domain: 'a', forMs: -1 }] }, /exclusions\[0\]\.forMs must be/],
    [{ exclusions: [{ agent: 'muc', domain: '', forMs: 1 }] }, /exclusions\[0\]\.domain must be/],
    [
      { exclusions: [{ agent: 'ghost', domain: 'a', forMs: 1 }] },
      /agent is not in the fleet: "ghost"/,
    ],
    [{ exclusions: [{ exit: '192.0.2.1', domain: 'a', forMs: 1 }] }, /exit is not in the fleet/],
    [{ drained: [5] }, /drained must be/],
    [{ drained: ['ghost'] }, /drained\[0\] is not in the fleet/],
    ['{', /is not JSON/],
  ]
  test.each(states)('the state %j', async (state, reason) => {
    const argv = ['pick', 'shop.example', '--agents', agents, '--state', file(state)]
    const { code, out, err } = await ostler(argv)
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch(reason)
  })

  const options: readonly (readonly [options: readonly string[], reason: RegExp])[] = [
    [['--geo', 'Germany'], /INVALID_GEO/],
    [['--geo', ''], /INVALID_GEO/],
    [['--seed', '-1'], /must be an integer/],
    [['--seed', '4294967296'], /must be an integer/],
    [['--session', ''], /INVALID_REQUEST/],
    [['--state', '/nowhere/state.json'], /cannot read .*there is no such file \(ENOENT\)/],
    [['--colour', 'red'], /unknown option/],
  ]
  test.each(options)('%j', async (given, reason) => {
    const { code, err } = await ostler(['pick', 'shop.example', '--agents', agents, ...given])
    expect(code).toBe(2)
    expect(err).toMatch(reason)
  })

  test.each(['', '!!', 'http://', 'ftp:', 'a..b', `${'a'.repeat(64)}.example`])(
    'the target %j',
    async (target) => {
      const { code, err } = await ostler(['pick', target, '--agents', agents])
      expect(code).toBe(2)
      expect(err).toMatch(/INVALID_TARGET|INVALID_REQUEST/)
    },
  )
})
