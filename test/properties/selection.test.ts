import { seededRandom, type PickRequest } from '@ostler/core'
import {
  excludeCommand,
  pickCommand,
  reportCommand,
  runScript,
  hintArbitrary,
  outcomeArbitrary,
  requestArbitrary,
  type Command,
  type World,
} from '@ostler/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalFleet, randomFleet } from './fleets.ts'
import { check, TIMEOUT_MS } from './replay.ts'
import { openWorld } from './rig.ts'

const DOMAINS = ['shop.example', 'news.example']

const picks = requestArbitrary({ ids: ['a0', 'a1', 'a2', 'a17', 'a400'], domains: DOMAINS })

/** A fleet of any size up to `most`, a share of which is excluded. */
const excludedFleet = (most: number) =>
  fc.record({
    size: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: most })),
    share: fc.oneof(fc.constantFrom(0, 0.5, 0.99, 1), fc.double({ min: 0, max: 1, noNaN: true })),
    seed: fc.nat(0xffff_ffff),
  })

interface Excluded {
  readonly size: number
  readonly share: number
  readonly seed: number
}

function open(
  { size, share, seed }: Excluded,
  options: Parameters<typeof openWorld>[1] = {},
): World {
  const world = openWorld(randomFleet(size, seed), options)
  const random = seededRandom(seed ^ 1)
  for (let i = 0; i < size; i++) {
    if (random() >= share) continue
    const forMs = 1 + Math.floor(random() * 60_000)
    excludeCommand(`a${i}`, random() < 0.9 ? DOMAINS[0] : '*', forMs).run(world)
  }
  return world
}

const step: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: picks.map(pickCommand) },
  { weight: 2, arbitrary: outcomeArbitrary.map((outcome) => reportCommand(0, outcome)) },
)

test(
  'explain-is-pick, deterministic: fleets of 1 to 5,000 agents, 0 to 100 % excluded',
  () => {
    const scripts = fc.array(step, { minLength: 8, maxLength: 16 })
    const property = fc.property(
      excludedFleet(5_000),
      scripts,
      fc.nat(60_000),
      (fleet, script, laterMs) => {
        const world = open(fleet)
        runScript(world, script)
        world.clock.advance(laterMs)
        runScript(world, script)
      },
    )
    check(property, 60)
  },
  TIMEOUT_MS,
)

test('deterministic: the same state, clock and seed give the same picks in another process', () => {
  const property = fc.property(
    excludedFleet(300),
    fc.array(picks, { minLength: 1, maxLength: 30 }),
    (fleet, requests) => {
      const trace = () => {
        const { scheduler } = open(fleet)
        return requests.map((request) => nameOf(scheduler.pick(request)))
      }
      expect(trace()).toEqual(trace())
    },
  )
  check(property, 60)
})

test('geo: a strict hint is never violated, a soft one never refuses, the nearest step gives', () => {
  const property = fc.property(excludedFleet(300), hintArbitrary, fc.nat(), (fleet, geo, seed) => {
    const world = open(fleet)
    const request: PickRequest = { domain: DOMAINS[0], geo, seed }
    const { available } = world.naive.eligible(world.question(request))
    const { available: anybody } = world.naive.eligible(world.question({ domain: DOMAINS[0] }))
    const picked = world.scheduler.pick(request)
    const soft = !geo.includes(';') && !geo.includes('-')
    if (soft) expect(picked.kind === 'picked').toBe(anybody.length > 0)
    if (picked.kind === 'exhausted') expect(available).toEqual([])
    else expect(available).toContain(picked.agent.id)
  })
  check(property, 400)
})

test('fair: equally good agents are picked equally often', () => {
  for (const size of [2, 7, 8, 9, 40]) {
    const world = openWorld(equalFleet(size))
    const counts = new Map<string, number>()
    for (let seed = 0; seed < size * 500; seed++) {
      const picked = world.scheduler.pick({ domain: DOMAINS[0], seed })
      if (picked.kind === 'exhausted') throw new Error('every agent is free')
      counts.set(picked.agent.id, (counts.get(picked.agent.id) ?? 0) + 1)
      world.clock.advance(10)
      world.scheduler.report(picked.lease, { kind: 'ok', latencyMs: 300 })
    }
    expect(counts.size).toBe(size)
    expect(Math.min(...counts.values()), `least of ${size}`).toBeGreaterThan(400)
    expect(Math.max(...counts.values()), `most of ${size}`).toBeLessThan(600)
  }
})

test('fair: an agent that nothing is known of is tried beside a fast one', () => {
  const world = openWorld(equalFleet(2))
  const seen = new Set<string>()
  for (let seed = 0; seed < 100; seed++) {
    const picked = world.scheduler.pick({ domain: DOMAINS[0], seed })
    if (picked.kind === 'exhausted') throw new Error('every agent is free')
    seen.add(picked.agent.id)
    world.clock.advance(10)
    world.scheduler.report(picked.lease, { kind: 'ok', latencyMs: 100 })
  }
  expect(seen.size).toBe(2)
})

test('fair: an agent of twice the weight is given about twice the dispatches in flight', () => {
  const world = openWorld([{ id: 'one' }, { id: 'two', weight: 2 }])
  let two = 0
  for (let seed = 0; seed < 300; seed++) {
    const picked = world.scheduler.pick({ domain: DOMAINS[0], seed })
    if (picked.kind === 'picked' && picked.agent.id === 'two') two++
  }
  expect(two).toBe(200)
})

test('work-conserving: every slot of an eligible agent is given before a pick refuses', () => {
  const property = fc.property(excludedFleet(60), (fleet) => {
    const world = open({ ...fleet, share: fleet.share / 2 })
    const request: PickRequest = { domain: DOMAINS[0], seed: fleet.seed }
    const { available } = world.naive.eligible(world.question(request))
    let slots = 0
    for (const id of available) slots += world.scheduler.agents.get(id)!.maxConcurrency!
    for (let i = 0; i < slots; i++) expect(world.scheduler.pick(request).kind).toBe('picked')
    const refused = world.scheduler.pick(request)
    expect(refused.kind).toBe('exhausted')
    if (refused.kind === 'exhausted' && slots > 0) expect(refused.cause).toBe('at_capacity')
  })
  check(property, 60)
})

test('work-conserving: pairs that fall due late make no pick refuse, and all come back', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 300 }),
    fc.nat(0xffff_ffff),
    (size, seed) => {
      const world = openWorld(equalFleet(size), { drainPerPick: 3 })
      const untilMs = world.nowMs() + 1_000
      for (let i = 0; i < size; i++) world.scheduler.exclude(`a${i}`, DOMAINS[0], untilMs)
      world.clock.set(untilMs)
      const seen = new Set<string>()
      for (let i = 0; i < size * 3; i++) {
        const picked = world.scheduler.pick({ domain: DOMAINS[0], seed: (seed + i) >>> 0 })
        if (picked.kind === 'exhausted') throw new Error('all are due')
        seen.add(picked.agent.id)
        world.clock.advance(1)
      }
      const { counts } = world.scheduler.health(DOMAINS[0])
      expect(counts).toEqual({ available: size, limited: 0, unavailable: 0 })
      expect(seen.size).toBeGreaterThan(size / 2)
    },
  )
  check(property, 40)
})

function nameOf(result: ReturnType<World['scheduler']['pick']>): string {
  return result.kind === 'picked' ? `${result.agent.id} ${result.probe}` : result.cause
}
