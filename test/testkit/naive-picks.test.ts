import {
  DEFAULT_BREAKER_POLICY,
  DEFAULT_HEALTH_POLICY,
  DEFAULT_INCIDENT_POLICY,
  parseGeo,
  seededRandom,
  type Agent,
} from '@ostler/core'
import { NaiveScheduler, naiveSteps } from '@ostler/testkit'
import { expect, test } from 'vitest'

const T = 1_200_000_000
const FLEET: readonly Agent[] = [
  { id: 'berlin', country: 'DE', lat: 52.52, lon: 13.41 },
  { id: 'berlin2', country: 'DE', lat: 52.53, lon: 13.42 },
  { id: 'vienna', country: 'AT', lat: 48.21, lon: 16.37 },
  { id: 'lakeba', country: 'FJ', lat: -18.22, lon: -178.79 },
  { id: 'nowhere' },
]
const ORDER = FLEET.map(({ id }) => id)

function open(agents = FLEET): NaiveScheduler {
  const naive = new NaiveScheduler({
    health: DEFAULT_HEALTH_POLICY,
    incident: DEFAULT_INCIDENT_POLICY,
    breaker: DEFAULT_BREAKER_POLICY,
    probeShare: 0.1,
  })
  naive.fleet.upsert(agents)
  return naive
}

function stepsOf(geo: string | null) {
  const steps = naiveSteps(FLEET, geo === null ? null : parseGeo(geo))
  return steps.map(({ agents }) => agents.map(({ id }) => id))
}

test('walks the wishes first, then outward by place, and nowhere last', () => {
  expect(stepsOf(null)).toEqual([ORDER])
  expect(stepsOf('AT')).toEqual([['vienna'], ['berlin', 'berlin2'], ['lakeba'], ['nowhere']])
  expect(stepsOf('EU;strict')).toEqual([['berlin', 'berlin2', 'vienna']])
  expect(stepsOf('AT,-DE')).toEqual([['vienna'], ['lakeba'], ['nowhere']])
  // Suva lies across the date line from Lakeba: near, not half the world away.
  expect(stepsOf('-18.14,178.44')[0]).toEqual(['lakeba'])
})

test('draws two of the healthy by rank, and takes the less loaded', () => {
  const naive = open()
  const random = seededRandom(5)
  const i = Math.floor(random() * 5)
  const drawn = Math.floor(random() * 4)
  const j = drawn >= i ? drawn + 1 : drawn
  const question = { request: { domain: 'd', seed: 5 }, domain: 'd', nowMs: T, order: ORDER }
  expect(naive.explain(question)).toMatchObject({ kind: 'picked', agent: { id: ORDER[i] } })
  const deadlineMs = T + 60_000
  const common = { domain: 'd', epoch: 0, pickedAtMs: T, deadlineMs, probe: false }
  naive.take({ id: 'l', agentId: ORDER[i], exit: ORDER[i], ...common }, T)
  expect(naive.explain(question)).toMatchObject({ kind: 'picked', agent: { id: ORDER[j] } })
})

test('names the cause of a refusal, and when it ends', () => {
  const naive = open([{ id: 'a', country: 'DE', maxConcurrency: 1 }])
  const ask = (request: object, nowMs = T) =>
    naive.explain({ request, domain: 'd', nowMs, order: ['a'] })
  expect(ask({ geo: 'FR;strict' })).toMatchObject({ cause: 'geo_empty', retryAtMs: null })
  expect(ask({ tags: ['fast'] })).toMatchObject({ cause: 'filter_empty', retryAtMs: null })
  naive.exclude('a', 'd', T + 100, T)
  expect(ask({})).toMatchObject({ cause: 'all_excluded', retryAtMs: T + 100 })
  expect(ask({ pin: ['a'] })).toMatchObject({ cause: 'pinned_excluded', retryAtMs: T + 100 })
  expect(ask({}, T + 100)).toMatchObject({ kind: 'picked' })
  const dates = { pickedAtMs: T + 100, deadlineMs: T + 900 }
  naive.take({ id: 'l', agentId: 'a', exit: 'a', domain: 'd', epoch: 1, probe: false, ...dates }, T)
  expect(ask({}, T + 200)).toMatchObject({ cause: 'at_capacity', retryAtMs: T + 900 })
  naive.fleet.drain('a')
  expect(ask({}, T + 200)).toMatchObject({ cause: 'all_excluded', retryAtMs: null })
  naive.remove('a')
  expect(naive.explain({ request: {}, domain: 'd', nowMs: T, order: [] })).toMatchObject({
    cause: 'fleet_empty',
    retryAtMs: null,
  })
})
