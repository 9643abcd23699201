import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryStore, Scheduler, seededRandom, type Agent, type PickRequest } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'

const NOW_MS = 1_200_000_000
const request = { url: 'https://shop.example/' }

function schedulerOf(agents: readonly Agent[], clock = new ManualClock(NOW_MS)): Scheduler<'sync'> {
  const scheduler = new Scheduler({ store: memoryStore(), clock, random: seededRandom(1) })
  scheduler.agents.upsert(agents)
  return scheduler
}

function agentOf(scheduler: Scheduler<'sync'>, session: string, more: PickRequest = {}): string {
  const explained = scheduler.explain({ ...request, ...more, session })
  return explained.kind === 'picked' ? explained.agent.id : explained.cause
}

const many = (count: number, of: (i: number) => Omit<Agent, 'id'>): Agent[] =>
  Array.from({ length: count }, (_, i) => ({ id: `a${i}`, ...of(i) }))

const FLEETS: readonly (readonly [string, readonly Agent[], string | undefined])[] = [
  ['one country', many(40, () => ({ country: 'DE' })), 'DE'],
  ['one place', many(40, () => ({ lat: 5, lon: 5 })), '5,5'],
  [
    'several countries',
    many(40, (i) => ({ country: ['DE', 'FR', 'AT', 'IT', 'PL'][i % 5] })),
    'EU',
  ],
  [
    'a region',
    many(40, (i) => ({ country: 'US', region: 'US-CA', lat: 34 + i / 5, lon: -118 })),
    'US-CA',
  ],
  ['no hint', many(40, (i) => ({ country: ['DE', 'US', 'JP'][i % 3] })), undefined],
  ['a few', many(3, () => ({ country: 'DE' })), 'DE'],
]

describe.each(FLEETS)('a session in %s', (_, agents, geo) => {
  const more = geo === undefined ? {} : { geo }

  test('keeps its agent, whatever the seed', () => {
    const scheduler = schedulerOf(agents)
    const first = agentOf(scheduler, 's1', more)
    for (let seed = 0; seed < 20; seed++)
      expect(agentOf(scheduler, 's1', { ...more, seed })).toBe(first)
    const pick = scheduler.pick({ ...request, ...more, session: 's1' })
    expect(pick).toMatchObject({ kind: 'picked', agent: { id: first } })
    expect(agentOf(scheduler, 's1', more)).toBe(first)
  })

  test('stays where it is while others are excluded, and comes back once its own recovers', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' }),
        fc.nat(1000),
        (session, salt) => {
          const clock = new ManualClock(NOW_MS)
          const scheduler = schedulerOf(agents, clock)
          const own = agentOf(scheduler, session, more)
          const others = agents.map(({ id }) => id).filter((id) => id !== own)
          for (const [i, id] of others.entries()) {
            // One stays: there is somewhere to go.
            if (i > 0 && (i + salt) % 3 === 0) {
              scheduler.exclude(id, 'shop.example', NOW_MS + 1e6)
            }
            expect(agentOf(scheduler, session, more)).toBe(own)
          }
          scheduler.exclude(own, 'shop.example', NOW_MS + 1000)
          const other = agentOf(scheduler, session, more)
          expect(others).toContain(other)
          expect(agentOf(scheduler, session, more)).toBe(other)
          expect(agentOf(scheduler, session, { ...more, url: 'https://news.example/' })).toBe(own)
          clock.advance(1000)
          expect(agentOf(scheduler, session, more)).toBe(own)
        },
      ),
      { numRuns: 25 },
    )
  })

  test('stays where it is while others are drained', () => {
    const scheduler = schedulerOf(agents)
    const sessions = Array.from({ length: 50 }, (_, i) => `s${i}`)
    const own = new Map(sessions.map((session) => [session, agentOf(scheduler, session, more)]))
    const drained = agents.map(({ id }) => id).filter((_, i) => i % 3 === 1)
    scheduler.agents.drain(drained)
    for (const [session, id] of own) {
      if (!drained.includes(id)) expect(agentOf(scheduler, session, more)).toBe(id)
    }
  })

  test('is passed on when its agent is avoided, and only then', () => {
    const scheduler = schedulerOf(agents)
    for (let i = 0; i < 30; i++) {
      const own = agentOf(scheduler, `s${i}`, more)
      expect(agentOf(scheduler, `s${i}`, { ...more, avoid: [own] })).not.toBe(own)
      const [other] = agents.filter(({ id }) => id !== own)
      expect(agentOf(scheduler, `s${i}`, { ...more, avoid: [other.id] })).toBe(own)
    }
  })

  test('is one of many that spread over all agents', () => {
    const scheduler = schedulerOf(agents)
    const counts = new Map(agents.map(({ id }) => [id, 0]))
    const sessions = 100 * agents.length
    for (let i = 0; i < sessions; i++) {
      const id = agentOf(scheduler, `session-${i}`, more)
      counts.set(id, (counts.get(id) as number) + 1)
    }
    // Positions that share a number's bits share unevenly: 50, 25 and 25 of three agents are the worst.
    expect(Math.min(...counts.values())).toBeGreaterThan(30)
    expect(Math.max(...counts.values())).toBeLessThan(215)
  })
})

test('a session with pins keeps to one of them, and moves only when that is excluded', () => {
  const agents = many(20, () => ({ country: 'DE' }))
  const scheduler = schedulerOf(agents)
  const pin = ['a3', 'a5', 'a7', 'unknown']
  for (let i = 0; i < 20; i++) {
    const own = agentOf(scheduler, `s${i}`, { pin })
    expect(pin).toContain(own)
    expect(agentOf(scheduler, `s${i}`, { pin: [...pin].reverse() })).toBe(own)
    expect(agentOf(scheduler, `s${i}`, { pin: [own] })).toBe(own)
  }
})

test('a session goes by its own name: others neither share its agent nor its numbers', () => {
  const scheduler = schedulerOf(many(200, () => ({ country: 'DE' })))
  const chosen = new Set(Array.from({ length: 50 }, (_, i) => agentOf(scheduler, `user-${i}`)))
  expect(chosen.size).toBeGreaterThan(35)
})
