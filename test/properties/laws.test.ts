import { memoryStore, Scheduler, type Lease, type Outcome, type OutcomeKind } from '@ostler/core'
import { ManualClock, outcomeArbitrary } from '@ostler/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalFleet, randomFleet } from './fleets.ts'
import { check } from './replay.ts'

const START_MS = 1_200_000_000
const DOMAIN = 'shop.example'
const OTHER = 'news.example'

type Sync = Scheduler<'sync'>

function open(size: number, store = memoryStore()) {
  const clock = new ManualClock(START_MS)
  const scheduler = new Scheduler({ store, clock, drainPerPick: 1_000_000 })
  scheduler.agents.upsert(equalFleet(size))
  return { clock, scheduler }
}

/** Picks one agent, whatever else there is. */
function lease(scheduler: Sync, agentId: string, domain = DOMAIN): Lease {
  const picked = scheduler.pick({ domain, pin: [agentId], seed: 1 })
  if (picked.kind === 'exhausted') throw new Error(`${agentId} is not pickable: ${picked.cause}`)
  return picked.lease
}

function tell(scheduler: Sync, agentId: string, kind: OutcomeKind, domain = DOMAIN) {
  return scheduler.report(lease(scheduler, agentId, domain), { kind })
}

const refusal: fc.Arbitrary<Outcome> = fc.constantFrom<Outcome[]>(
  { kind: 'blocked' },
  { kind: 'challenged' },
  { kind: 'rate_limited' },
  { kind: 'rate_limited', retryAfterMs: 500_000 },
)

test('exclusion: after a block no pick, in any process, gives an agent of that exit before untilMs', () => {
  const property = fc.property(
    fc.integer({ min: 2, max: 60 }),
    fc.nat(0xffff_ffff),
    refusal,
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    (size, seed, outcome, part) => {
      const store = memoryStore()
      const clock = new ManualClock(START_MS)
      const here = new Scheduler({ store, clock })
      const there = new Scheduler({ store, clock })
      here.agents.upsert(randomFleet(size, seed))
      there.pick({ domain: DOMAIN, seed })
      const picked = here.pick({ domain: DOMAIN, seed })
      if (picked.kind === 'exhausted') throw new Error('nothing is excluded yet')
      const { record } = here.report(picked.lease, outcome)
      const untilMs = record!.untilMs
      expect(untilMs).toBeGreaterThanOrEqual(START_MS + 30_000)
      clock.set(START_MS + Math.floor((untilMs - 1 - START_MS) * part))
      for (let i = 0; i < 20; i++) {
        for (const scheduler of [here, there]) {
          const next = scheduler.pick({ domain: DOMAIN, seed: (seed + i) >>> 0 })
          if (next.kind === 'picked') expect(next.lease.exit).not.toBe(picked.lease.exit)
        }
      }
    },
  )
  check(property, 150)
})

test('isolation: a report changes no other domain and no other exit', () => {
  const property = fc.property(
    fc.integer({ min: 2, max: 40 }),
    fc.nat(0xffff_ffff),
    outcomeArbitrary,
    (size, seed, outcome) => {
      const { scheduler } = open(0)
      scheduler.agents.upsert(randomFleet(size, seed))
      tell(scheduler, 'a0', 'challenged', OTHER)
      const picked = scheduler.pick({ domain: DOMAIN, seed })
      if (picked.kind === 'exhausted') throw new Error('nothing is excluded yet')
      const others = () => scheduler.health(OTHER, { limit: 1000 })
      const before = others()
      scheduler.report(picked.lease, outcome)
      expect(others()).toEqual(before)
      const touched = scheduler.health(DOMAIN, { limit: 1000 }).agents
      const shared = [...scheduler.agents.values()].filter(
        ({ id, exitIp = id }) => exitIp === picked.lease.exit,
      )
      const excludes = ['blocked', 'challenged', 'rate_limited'].includes(outcome.kind)
      expect(new Set(touched.map(({ id }) => id))).toEqual(
        new Set(excludes ? shared.map(({ id }) => id) : []),
      )
    },
  )
  check(property, 150)
})

test('recovery, exhaustion-truth: every pair is pickable at the instant that is named, not before', () => {
  const event = fc.tuple(
    outcomeArbitrary,
    fc.constantFrom('report', 'late', 'lost'),
    fc.constantFrom(0, 1_000, 60_000, 400_000, 4_000_000),
  )
  const property = fc.property(fc.array(event, { minLength: 1, maxLength: 12 }), (events) => {
    const { clock, scheduler } = open(1)
    const request = { domain: DOMAIN, pin: ['a0'], seed: 1 }
    for (const [outcome, how, laterMs] of events) {
      const picked = scheduler.pick(request)
      if (picked.kind === 'picked' && how !== 'lost') {
        if (how === 'late') clock.set(picked.lease.deadlineMs)
        scheduler.report(picked.lease, outcome)
      }
      clock.advance(laterMs)
    }
    const now = scheduler.explain(request)
    if (now.kind === 'picked') return
    const atMs = now.retryAtMs!
    expect(atMs).toBeLessThanOrEqual(clock.nowMs() + 1.2 * 3_600_000)
    clock.set(atMs - 1)
    expect(scheduler.explain(request).kind).toBe('exhausted')
    clock.set(atMs)
    expect(scheduler.pick(request).kind).toBe('picked')
  })
  check(property, 400)
})

test('recovery: one probe at a time, and probes take at most a tenth of the picks', () => {
  const { clock, scheduler } = open(20)
  for (let i = 0; i < 8; i++) {
    tell(scheduler, `a${i}`, 'blocked')
    // No incident, in which they would only be limited.
    if (i === 3) tell(scheduler, 'a19', 'ok')
  }
  clock.advance(400_000)
  let probes = 0
  const probing = new Set<string>()
  for (let seed = 0; seed < 1_000; seed++) {
    const picked = scheduler.pick({ domain: DOMAIN, seed })
    if (picked.kind === 'exhausted') throw new Error('there are available agents')
    if (picked.probe) {
      expect(seed + 1).toBeGreaterThanOrEqual(10 * ++probes - 9)
      expect(probing.has(picked.agent.id)).toBe(false)
      probing.add(picked.agent.id)
    } else scheduler.report(picked.lease, { kind: 'ok' })
  }
  expect(probes).toBe(8)
  expect(scheduler.health(DOMAIN).counts.unavailable).toBe(8)
})

test('recovery: a lost probe is given anew at its deadline', () => {
  const { clock, scheduler } = open(1)
  tell(scheduler, 'a0', 'blocked')
  clock.advance(400_000)
  const { deadlineMs, probe } = lease(scheduler, 'a0')
  expect(probe).toBe(true)
  clock.set(deadlineMs - 1)
  expect(scheduler.pick({ domain: DOMAIN })).toMatchObject({
    kind: 'exhausted',
    retryAtMs: deadlineMs,
  })
  clock.set(deadlineMs)
  expect(lease(scheduler, 'a0').probe).toBe(true)
})

test('burst, fencing: n leases of one epoch, all refused, are one strike and one exclusion', () => {
  const property = fc.property(
    fc.array(fc.constantFrom<OutcomeKind>('blocked', 'challenged'), {
      minLength: 1,
      maxLength: 20,
    }),
    fc.array(outcomeArbitrary, { maxLength: 5 }),
    (kinds, later) => {
      const { clock, scheduler } = open(1)
      const leases = kinds.map(() => lease(scheduler, 'a0'))
      const others = later.map(() => lease(scheduler, 'a0'))
      const first = scheduler.report(leases[0], { kind: kinds[0] }).record!
      kinds.slice(1).forEach((kind, i) => {
        clock.advance(1)
        const { kind: told, record } = scheduler.report(leases[i + 1], { kind })
        expect([told, record]).toEqual(['stale', first])
      })
      // What older leases bring, an ok among it, makes the pair no more available and adds no strike.
      later.forEach((outcome, i) => {
        expect(scheduler.report(others[i], outcome).record).toEqual(first)
      })
      expect(first.strikes).toBe(1)
    },
  )
  check(property, 200)
})

test('idempotent-report: telling twice is telling once', () => {
  const property = fc.property(outcomeArbitrary, fc.nat(30_000), (outcome, laterMs) => {
    const { clock, scheduler } = open(2)
    const told = lease(scheduler, 'a0')
    const first = scheduler.report(told, outcome)
    const before = scheduler.health(DOMAIN)
    clock.advance(laterMs)
    const second = scheduler.report(told, outcome)
    expect([first.kind, second.kind]).toEqual(['applied', 'stale'])
    expect(second.record).toEqual(first.record)
    const after = scheduler.health(DOMAIN)
    expect(after.agents.map(({ untilMs }) => untilMs)).toEqual(
      before.agents.map(({ untilMs }) => untilMs).filter((untilMs) => untilMs > clock.nowMs()),
    )
  })
  check(property, 200)
})

test('no-panic: pressure never un-excludes; new exclusions are limited ones, and the first ok ends it', () => {
  const property = fc.property(fc.integer({ min: 12, max: 200 }), (size) => {
    const { clock, scheduler } = open(size)
    const excluded = new Map<string, number>()
    let opened = false
    for (let i = 0; i < size - 1; i++) {
      const { record, changes } = tell(scheduler, `a${i}`, 'blocked')
      if (opened) expect(record).toMatchObject({ health: 'limited', strikes: 0 })
      opened ||= changes.incident !== null
      excluded.set(`a${i}`, record!.untilMs)
      clock.advance(1)
      const { counts } = scheduler.health(DOMAIN)
      expect(counts.available).toBe(size - excluded.size)
    }
    expect(opened).toBe(true)
    expect(scheduler.health(DOMAIN).incident).toBeDefined()
    tell(scheduler, `a${size - 1}`, 'ok')
    const { incident, agents } = scheduler.health(DOMAIN, { limit: 1_000 })
    expect(incident).toBeUndefined()
    expect(new Map(agents.map(({ id, untilMs }) => [id, untilMs]))).toEqual(excluded)
  })
  check(property, 30)
})

test('bounded-truth: live exclusions outlive every view', () => {
  const store = memoryStore()
  const clock = new ManualClock(START_MS)
  const scheduler = new Scheduler({ store, clock, maxViews: 1 })
  scheduler.agents.upsert(equalFleet(2))
  const domains = Array.from({ length: 500 }, (_, i) => `shop${i}.example`)
  for (const domain of domains) tell(scheduler, 'a0', 'blocked', domain)
  for (const domain of domains) {
    for (let seed = 0; seed < 3; seed++) {
      const picked = scheduler.pick({ domain, seed })
      expect(picked).toMatchObject({ kind: 'picked', agent: { id: 'a1' } })
      if (picked.kind === 'picked') scheduler.report(picked.lease, { kind: 'neutral' })
    }
  }
})
