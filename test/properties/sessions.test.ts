import type { PickRequest, Scheduler } from '@ostler/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalFleet, randomFleet } from './fleets.ts'
import { check } from './replay.ts'
import { openWorld } from './rig.ts'

const DOMAIN = 'shop.example'

/** Picks and gives the slot back at once; null where there is nobody. */
function pickedBy(scheduler: Scheduler<'sync'>, request: PickRequest): string | null {
  const picked = scheduler.pick(request)
  if (picked.kind === 'exhausted') return null
  scheduler.report(picked.lease, { kind: 'neutral' })
  return picked.agent.id
}

const requests = fc.record(
  {
    domain: fc.constant(DOMAIN),
    session: fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' }),
    geo: fc.constantFrom('DE', 'AT,DE', 'US', 'EU;strict', '-18,179.9'),
  },
  { requiredKeys: ['domain', 'session'] },
)

test('session: keeps its agent while that is eligible, and moves when it is not', () => {
  const property = fc.property(
    fc.integer({ min: 2, max: 200 }),
    fc.nat(0xffff_ffff),
    requests,
    fc.array(fc.nat(199), { maxLength: 30 }),
    (size, seed, request, others) => {
      const { scheduler, clock } = openWorld(randomFleet(size, seed))
      const own = pickedBy(scheduler, request)
      if (own === null) return
      const untilMs = clock.nowMs() + 60_000
      const exitOf = (id: string) => scheduler.agents.get(id)!.exitIp ?? id
      for (const other of others) {
        const id = `a${other % size}`
        if (exitOf(id) === exitOf(own)) continue
        scheduler.exclude(id, DOMAIN, untilMs)
        expect(pickedBy(scheduler, request)).toBe(own)
      }
      scheduler.exclude(own, DOMAIN, untilMs)
      expect(pickedBy(scheduler, request)).not.toBe(own)
      scheduler.restore(own, DOMAIN)
      expect(pickedBy(scheduler, request)).toBe(own)
    },
  )
  check(property, 150)
})

test('session: keeps its agent while a pair of another is on probation', () => {
  const { scheduler, clock } = openWorld(equalFleet(5))
  const request = { domain: DOMAIN, session: 'basket' }
  const own = pickedBy(scheduler, request)
  const other = own === 'a0' ? 'a1' : 'a0'
  const blocked = scheduler.pick({ domain: DOMAIN, pin: [other] })
  if (blocked.kind === 'exhausted') throw new Error('nothing is excluded yet')
  scheduler.report(blocked.lease, { kind: 'blocked' })
  clock.advance(400_000)
  for (let i = 0; i < 30; i++) expect(pickedBy(scheduler, request)).toBe(own)
})

test('session: few sessions move when the fleet grows, and they spread over it', () => {
  const { scheduler } = openWorld(equalFleet(100))
  const sessions = Array.from({ length: 400 }, (_, i) => `s${i}`)
  const place = () =>
    new Map(sessions.map((session) => [session, pickedBy(scheduler, { domain: DOMAIN, session })]))
  const before = place()
  expect(new Set(before.values()).size).toBeGreaterThan(60)
  scheduler.agents.upsert(equalFleet(110).slice(100))
  const after = place()
  const moved = sessions.filter((session) => before.get(session) !== after.get(session))
  expect(moved.length).toBeLessThan(sessions.length / 4)
})
