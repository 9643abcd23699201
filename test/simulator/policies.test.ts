import { seededRandom } from '@ostler/core'
import { buildWorld, policies, START_MS, type Picker, type Request } from '@ostler/simulator'
import { describe, expect, test } from 'vitest'
import { Blacklist } from '../../packages/simulator/src/policies/blacklist.ts'
import { Session } from '../../packages/simulator/src/policies/session-pool.ts'
import { responses, type ResponseName } from '../../packages/simulator/src/world/responses.ts'
import { tiny } from './tiny.ts'

const world = buildWorld(tiny())
const canned = responses(60_000)
const NOWHERE = { text: null, country: null, strict: false, centre: null }
const SIZE = world.fleet.agents.length

function start(name: string): Picker {
  return policies.find((policy) => policy.name === name)!.start(world)
}

function request(changes: Partial<Request> = {}): Request {
  return { nowMs: START_MS, domain: 0, hint: NOWHERE, ...changes }
}

/** A hint for a country, as the world's clients have it. */
function country(code: string): Request['hint'] {
  return { text: code, country: code, strict: true, centre: [1, 0, 0] }
}

function pickAndReport(picker: Picker, asked: Request, name: ResponseName): number {
  const choice = picker.pick(asked)!
  picker.report(choice, canned[name], 100, asked.nowMs)
  return choice.agent
}

test.each(policies.map((policy) => policy.name))(
  '%s keeps to the country of a strict hint',
  (name) => {
    const picker = start(name)
    const code = world.fleet.agents[0].country!
    for (let i = 0; i < 50; i++) {
      const agent = pickAndReport(picker, request({ hint: country(code) }), 'page')
      expect(world.fleet.agents[agent].country).toBe(code)
    }
  },
)

test('round-robin takes each agent once before it takes one twice', () => {
  const picker = start('round-robin')
  const agents = Array.from({ length: SIZE }, () => pickAndReport(picker, request(), 'page'))
  expect(new Set(agents).size).toBe(SIZE)
  expect(pickAndReport(picker, request(), 'page')).toBe(agents[0])
})

test('random takes every agent in the end', () => {
  const picker = start('random')
  const agents = Array.from({ length: 1_000 }, () => pickAndReport(picker, request(), 'page'))
  expect(new Set(agents).size).toBe(SIZE)
})

describe('the blacklist', () => {
  test.each(['challenge', 'denied', 'too_many', 'outage', 'offline'] as const)(
    'never takes an exit again after %s, until all are used up',
    (failure) => {
      const blacklist = new Blacklist(world)
      const agents = new Set<number>()
      for (let i = 0; i < SIZE; i++) {
        const agent = pickAndReport(blacklist, request(), failure)
        expect(agents.has(agent)).toBe(false)
        agents.add(agent)
      }
      expect(blacklist.exclusions).toBe(SIZE)
      expect(blacklist.isListed(0, 0)).toBe(true)
      blacklist.pick(request())
      expect([...agents].some((agent) => blacklist.isListed(0, agent))).toBe(false)
    },
  )

  test('keeps on with what works', () => {
    const blacklist = new Blacklist(world)
    const random = seededRandom(1)
    const failed = new Set<number>()
    for (let i = 0; i < 2_000 && failed.size < SIZE - 1; i++) {
      const choice = blacklist.pick(request())
      expect(failed.has(choice.agent)).toBe(false)
      const fails = random() < 0.3
      blacklist.report(choice, canned[fails ? 'denied' : 'missing'])
      if (fails) failed.add(choice.agent)
    }
    expect(failed.size).toBe(SIZE - 1)
  })

  test('knows domains apart', () => {
    const blacklist = new Blacklist(world)
    const agent = pickAndReport(blacklist, request(), 'denied')
    expect(blacklist.isListed(0, agent)).toBe(true)
    expect(blacklist.isListed(1, agent)).toBe(false)
  })
})

describe('a session of the pool', () => {
  test('is done after 50 uses', () => {
    const session = new Session(0, START_MS)
    for (let i = 0; i < 50; i++) {
      expect(session.isUsable(START_MS)).toBe(true)
      session.markGood()
    }
    expect(session.isUsable(START_MS)).toBe(false)
    expect(session.isBlocked).toBe(false)
  })

  test('is done at an error score of 3, of which a success takes a half', () => {
    const session = new Session(0, START_MS)
    session.markBad()
    session.markBad()
    session.markGood()
    session.markBad()
    expect(session.isUsable(START_MS)).toBe(true)
    session.markBad()
    expect(session.isUsable(START_MS)).toBe(false)
  })

  test('is done 3,000 s after it began', () => {
    const session = new Session(0, START_MS)
    expect(session.isUsable(START_MS + 2_999_999)).toBe(true)
    expect(session.isUsable(START_MS + 3_000_000)).toBe(false)
  })

  test.each(['challenge', 'denied', 'too_many'] as const)('is retired by %s', (failure) => {
    const pool = start('session-pool')
    pickAndReport(pool, request(), failure)
    expect(pool.exclusions).toBe(1)
    pickAndReport(pool, request(), 'error')
    expect(pool.exclusions).toBe(1)
  })
})

describe('ours', () => {
  test('reads blocks off the responses themselves', () => {
    const kinds = Object.values(canned).map(({ name, outcome }) => [name, outcome.kind])
    expect(Object.fromEntries(kinds)).toEqual({
      page: 'ok',
      missing: 'ok',
      too_many: 'rate_limited',
      challenge: 'challenged',
      denied: 'blocked',
      error: 'target_error',
      outage: 'target_error',
      offline: 'agent_error',
    })
  })

  test('never takes an exit that it has excluded', () => {
    const picker = start('ostler')
    const seen = new Set<number>()
    for (let i = 0; i < SIZE - 1; i++) {
      const agent = pickAndReport(picker, request(), i % 2 === 0 ? 'challenge' : 'denied')
      expect(seen.has(agent)).toBe(false)
      seen.add(agent)
    }
    expect(picker.exclusions).toBe(SIZE - 1)
  })

  test('refuses when all are excluded, and comes back by itself', () => {
    const picker = start('ostler')
    for (let i = 0; i < SIZE; i++) pickAndReport(picker, request(), 'challenge')
    expect(picker.pick(request())).toBeNull()
    expect(picker.pick(request({ nowMs: START_MS + 60_000 }))).not.toBeNull()
  })
})
