import { expect, it } from 'vitest'
import { memoryStore, Scheduler, seededRandom } from '@ostler/core'

it('gives an agent of the wished country, and another one after a block', () => {
  let nowMs = 1_000_000
  const scheduler = new Scheduler({
    store: memoryStore(),
    clock: { nowMs: () => nowMs },
    random: seededRandom(7),
    tiers: { free: { policies: [{ name: 'free', limit: 2, windowMs: 60_000 }], permits: 5 } },
  })
  scheduler.agents.upsert([
    { id: 'de1', country: 'DE', lat: 50.11, lon: 8.68 },
    { id: 'de2', country: 'DE', lat: 52.52, lon: 13.4 },
    { id: 'fr1', country: 'FR', lat: 48.85, lon: 2.35 },
  ])
  expect(scheduler.admit({ key: 'k', tier: 'free' }).allowed).toBe(true)
  expect(scheduler.admit({ key: 'k', tier: 'free' }).allowed).toBe(true)
  expect(scheduler.admit({ key: 'k', tier: 'free' })).toMatchObject({
    allowed: false,
    retryAfterMs: 60_000,
  })
  const seen: string[] = []
  for (let i = 0; i < 3; i++) {
    const request = { url: 'https://shop.example/p/1', geo: 'DE' }
    const explained = scheduler.explain(request)
    const pick = scheduler.pick(request)
    if (pick.kind !== 'picked' || explained.kind !== 'picked') throw new Error('nobody')
    expect(explained.agent).toEqual(pick.agent)
    seen.push(pick.agent.id)
    scheduler.report(pick.lease, { kind: 'blocked', evidence: 'challenge page' })
  }
  expect(seen.slice(0, 2).sort()).toEqual(['de1', 'de2'])
  expect(seen[2]).toBe('fr1')
  const none = scheduler.pick({ url: 'https://shop.example/p/1', geo: 'DE' })
  if (none.kind !== 'exhausted') throw new Error('somebody')
  expect(none.cause).toBe('all_excluded')
  nowMs = (none.retryAtMs as number) - 1
  expect(scheduler.pick({ url: 'https://shop.example/p/1', geo: 'DE' }).kind).toBe('exhausted')
  nowMs++
  expect(scheduler.pick({ url: 'https://shop.example/p/1', geo: 'DE' })).toMatchObject({
    kind: 'picked',
    probe: true,
  })
  expect(scheduler.health('shop.example').counts).toEqual({
    available: 0,
    limited: 0,
    unavailable: 3,
  })
})
