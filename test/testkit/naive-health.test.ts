import { DEFAULT_HEALTH_POLICY, DEFAULT_INCIDENT_POLICY, excludedUntilMs } from '@ostler/core'
import type { Lease, OutcomeKind } from '@ostler/core'
import { NaiveBreakers, NaiveHealth, naivePickableAtMs, naiveStateAt } from '@ostler/testkit'
import { expect, test } from 'vitest'

const T = 1_200_000_000
const MINUTE = 60_000
const HOUR = 3_600_000

function open(policy = DEFAULT_HEALTH_POLICY) {
  const health = new NaiveHealth(policy, DEFAULT_INCIDENT_POLICY)
  let leases = 0
  return {
    health,
    state: (nowMs: number, exit = 'x') => naiveStateAt(health.pair(exit, 'd', nowMs), nowMs),
    tell(kind: OutcomeKind, nowMs: number, exit = 'x', retryAfterMs = 0): Lease {
      const { epoch } = health.pair(exit, 'd', nowMs)
      const probe = naiveStateAt(health.pair(exit, 'd', nowMs), nowMs) === 'probation'
      const dates = { pickedAtMs: nowMs, deadlineMs: nowMs + MINUTE }
      const id = `l${leases++}`
      const lease = { id, agentId: exit, exit, domain: 'd', epoch, probe, ...dates }
      if (probe) health.probe(lease, nowMs)
      const outcome = kind === 'rate_limited' ? { kind, retryAfterMs } : { kind }
      health.report({ lease, outcome, inFlight: 0, exits: 100 }, nowMs)
      return lease
    },
  }
}

test('climbs the ladder: a challenge to 30 s, the next to 2 min, the third to 5 min', () => {
  const { health, state, tell } = open({ ...DEFAULT_HEALTH_POLICY, jitter: 0 })
  tell('challenged', T)
  expect(state(T + 29_999)).toBe('limited')
  expect(state(T + 30_000)).toBe('available')
  tell('challenged', T + 30_000)
  expect(naivePickableAtMs(health.pair('x', 'd', T + 30_000), T + 30_000)).toBe(T + 150_000)
  tell('challenged', T + 150_000)
  expect(state(T + 150_000)).toBe('excluded')
  expect(state(T + 450_000)).toBe('probation')
})

test('adds the jitter of the new epoch to an exclusion', () => {
  const { health, tell } = open()
  tell('blocked', T)
  const { untilMs, epoch, rung } = health.pair('x', 'd', T)
  expect([epoch, rung]).toEqual([1, 3])
  expect(untilMs).toBe(excludedUntilMs(T, 300_000, DEFAULT_HEALTH_POLICY, 'x', 'd', 1))
})

test('strikes for the third rate limit in a row, not for the first two', () => {
  const { health, tell } = open({ ...DEFAULT_HEALTH_POLICY, jitter: 0 })
  let nowMs = T
  const strikes: number[] = []
  for (let i = 0; i < 4; i++) {
    tell('rate_limited', nowMs, 'x', i === 1 ? 9 * HOUR : 500)
    const pair = health.pair('x', 'd', nowMs)
    strikes.push(pair.strikes)
    expect(pair.untilMs - nowMs).toBe([30_000, HOUR, 30_000, 2 * MINUTE][i])
    nowMs = pair.untilMs
  }
  expect(strikes).toEqual([0, 0, 1, 2])
})

test('brings a pair back by the ok of its probe, and forgets strikes after three', () => {
  const { health, state, tell } = open()
  tell('blocked', T)
  const later = T + 10 * MINUTE
  for (const strikes of [1, 1, 0]) {
    tell('ok', later)
    expect(state(later)).toBe('available')
    expect(health.pair('x', 'd', later).strikes).toBe(strikes)
  }
})

test('lets strikes decay, one an hour of silence, and forgets the pair then', () => {
  const { health, state, tell } = open({ ...DEFAULT_HEALTH_POLICY, jitter: 0 })
  tell('blocked', T)
  const probedAtMs = T + 5 * MINUTE
  tell('blocked', probedAtMs)
  const untilMs = probedAtMs + 20 * MINUTE
  expect(state(untilMs + 2 * HOUR - 1)).toBe('probation')
  expect(state(untilMs + 2 * HOUR)).toBe('available')
  expect(health.pair('x', 'd', untilMs + 2 * HOUR).epoch).toBe(0)
})

test('opens an incident at the fifth failing exit; a block is then limited, an ok ends it', () => {
  const { health, state, tell } = open()
  for (let i = 0; i < 4; i++) tell('target_error', T + i, `e${i}`)
  expect(health.incident('d').openedAtMs(T + 4)).toBe(0)
  tell('target_error', T + 4, 'e4')
  expect(health.incident('d').openedAtMs(T + 5)).toBe(T + 4)
  tell('blocked', T + 5)
  expect([state(T + 5), health.pair('x', 'd', T + 5).strikes]).toEqual(['limited', 0])
  tell('ok', T + 6, 'e0')
  expect(health.incident('d').openedAtMs(T + 6)).toBe(0)
  tell('blocked', T + 7, 'y')
  expect(state(T + 7, 'y')).toBe('excluded')
})

test('rests an agent after three errors in a row: 10 s, then 20 s; any other outcome clears it', () => {
  const breakers = new NaiveBreakers({ threshold: 3, restMs: 10_000, maxRestMs: 300_000 })
  for (const restMs of [0, 0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
    breakers.observe('a', 'agent_error', T)
    expect(breakers.downUntilMs('a')).toBe(restMs === 0 ? 0 : T + restMs)
  }
  breakers.observe('a', 'neutral', T)
  expect(breakers.downUntilMs('a')).toBe(T + 300_000)
  breakers.observe('a', 'target_error', T)
  expect(breakers.downUntilMs('a')).toBe(0)
})
