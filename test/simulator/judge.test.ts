import { buildWorld, START_MS, type DomainKind, type World } from '@ostler/simulator'
import { describe, expect, test } from 'vitest'
import type { Judge } from '../../packages/simulator/src/world/judge.ts'
import { judgeOf } from '../../packages/simulator/src/world/world.ts'
import { tiny } from './tiny.ts'

const RATE = {
  limit: 3,
  windowMs: 60_000,
  answer: 'rate_limited',
  holdMs: 120_000,
  knocks: 'free',
} as const

function judged(kind: Partial<DomainKind>): { readonly judge: Judge; readonly world: World } {
  const world = buildWorld(tiny(kind))
  return { judge: judgeOf(world), world }
}

/** Sends one request, `seconds` after the beginning, and says what came of it. */
function send(judge: Judge, seconds: number, agent = 0): string {
  judge.dispatch(START_MS + seconds * 1000, 0, agent, seconds)
  return `${judge.answer}${judge.wasted ? ' wasted' : ''}`
}

test('serves pages where nothing is against it', () => {
  const { judge } = judged({})
  for (let i = 0; i < 100; i++) expect(send(judge, i)).toBe('page')
})

describe('a rate rule', () => {
  test('lets the limit through, is tripped by the next, and wastes only what comes after', () => {
    const { judge } = judged({ rate: RATE })
    expect([0, 1, 2].map((second) => send(judge, second))).toEqual(['page', 'page', 'page'])
    expect(send(judge, 3)).toBe('too_many')
    expect(judge.retryAfterMs).toBe(120_000)
    expect(send(judge, 4)).toBe('too_many wasted')
    expect(judge.retryAfterMs).toBe(119_000)
  })

  test('holds off one exit and no other', () => {
    const { judge } = judged({ rate: RATE })
    for (let i = 0; i < 4; i++) send(judge, i)
    expect(send(judge, 5, 1)).toBe('page')
    expect(send(judge, 5, 0)).toBe('too_many wasted')
  })

  test('lets go when the hold is over, to the millisecond', () => {
    const { judge } = judged({ rate: RATE })
    for (let i = 0; i < 4; i++) send(judge, i)
    expect(send(judge, 122.999)).toBe('too_many wasted')
    expect(send(judge, 123)).toBe('page')
  })

  test('starts again at each knock where the site is slow to forgive', () => {
    const { judge } = judged({ rate: { ...RATE, answer: 'block', knocks: 'restart' } })
    for (let i = 0; i < 4; i++) send(judge, i)
    expect(send(judge, 100)).toBe('denied wasted')
    expect(send(judge, 219)).toBe('denied wasted')
    expect(send(judge, 339)).toBe('page')
  })

  test('counts knocks where the site does', () => {
    const { judge } = judged({ rate: { ...RATE, answer: 'challenge', knocks: 'count' } })
    for (let i = 0; i < 4; i++) send(judge, i)
    for (let i = 0; i < 8; i++) expect(send(judge, 115 + i)).toBe('challenge wasted')
    expect(send(judge, 123)).toBe('challenge')
  })
})

test('denies banned networks from the first request on', () => {
  const { judge } = judged({ bans: { fleets: ['home'], networkShare: 1 } })
  expect(send(judge, 0)).toBe('denied wasted')
})

test('is wary of about the share of exits that it should be, for a period at a time', () => {
  const { judge, world } = judged({ wary: { share: 0.3, periodMs: 300_000 } })
  let wary = 0
  const samples = 200
  for (let period = 0; period < samples; period++) {
    for (let agent = 0; agent < 30; agent++) {
      if (send(judge, period * 300, agent) === 'challenge wasted') wary++
    }
  }
  expect(world.fleet.exits).toBe(30)
  expect(wary / (samples * 30)).toBeCloseTo(0.3, 1)
})

test('answers nobody while it is out', () => {
  const { judge, world } = judged({ outages: { perHour: 30, lengthMs: 30_000 } })
  const [outage] = world.domains[0].outages
  expect(outage).toBeDefined()
  const [startMs, endMs] = outage
  const at = (ms: number): string => send(judge, ms / 1000)
  expect(at(startMs - 1)).toBe('page')
  expect(at(startMs)).toBe('outage')
  expect(at(endMs - 1)).toBe('outage')
  expect(at(endMs)).toBe('page')
})

test('has about the share of agents offline that the fleet says', () => {
  const [fleet] = tiny().fleets
  const offline = { share: 0.2, periodMs: 60_000 }
  const world = buildWorld(tiny({}, { fleets: [{ ...fleet, offline }] }))
  const judge = judgeOf(world)
  let count = 0
  for (let i = 0; i < 6_000; i++) if (send(judge, (i / 30) * 60, i % 30) === 'offline') count++
  expect(count / 6_000).toBeCloseTo(0.2, 1)
})
