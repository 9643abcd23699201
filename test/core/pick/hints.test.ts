import { Scheduler, memoryStore, seededRandom, type Agent } from '@ostler/core'
import { describe, expect, it } from 'vitest'

const NOW_MS = 1_800_000_000_000
const DOMAIN = 'shop.example'

function fleet(agents: readonly Agent[]): Scheduler {
  const clock = { nowMs: () => NOW_MS }
  const scheduler = new Scheduler({ store: memoryStore(), clock, random: seededRandom(5) })
  scheduler.agents.upsert(agents)
  return scheduler
}

/** Who is picked, or why nobody is. */
function pick(scheduler: Scheduler, geo: string, seed = 1): string {
  const picked = scheduler.pick({ domain: DOMAIN, geo, seed })
  if (picked.kind === 'exhausted') return picked.cause
  scheduler.report(picked.lease, { kind: 'neutral' })
  return picked.agent.id
}

describe('a hint', () => {
  it('that is strict gives nobody from elsewhere, nor from no place', () => {
    const scheduler = fleet([{ id: 'paris', country: 'FR' }, { id: 'nowhere' }])
    expect(pick(scheduler, 'DE;strict')).toBe('geo_empty')
    expect(pick(scheduler, 'DE')).toBe('paris')
  })

  it('keeps a vetoed country out when the walk goes on outward', () => {
    const scheduler = fleet([
      { id: 'munich', country: 'DE', lat: 48.14, lon: 11.58 },
      { id: 'paris', country: 'FR', lat: 48.86, lon: 2.35 },
    ])
    expect(pick(scheduler, 'AT')).toBe('munich')
    expect(pick(scheduler, 'AT,-DE')).toBe('paris')
    expect(pick(scheduler, 'AT,-DE,-FR')).toBe('geo_empty')
  })

  it('of a radius counts from the agent itself, and not from its place', () => {
    const scheduler = fleet([{ id: 'a', country: 'DE', lat: 50.049, lon: 10 }])
    expect(pick(scheduler, '50,10;radius=6')).toBe('a')
    expect(pick(scheduler, '50,10;radius=5')).toBe('geo_empty')
  })

  it('takes the nearer of two places that are a hundred metres apart in distance', () => {
    const scheduler = fleet([
      { id: 'west', country: 'DE', lat: 50, lon: 10 },
      { id: 'east', country: 'DE', lat: 50, lon: 10.2 },
    ])
    expect(pick(scheduler, '50,10.101')).toBe('east')
    expect(pick(scheduler, '50,10.099')).toBe('west')
  })

  it('takes the nearest place on the other side of the date line', () => {
    const scheduler = fleet([
      { id: 'lakeba', country: 'FJ', lat: -18.22, lon: -178.79 },
      { id: 'nadi', country: 'FJ', lat: -17.76, lon: 177.44 },
    ])
    expect(pick(scheduler, '-18.2,179.95')).toBe('lakeba')
  })

  it('finds a far place again after all of it was excluded', () => {
    const agents = Array.from({ length: 400 }, (_, i) => ({
      id: `a${i}`,
      country: 'BR',
      lat: -40 + i / 5,
      lon: -50,
    }))
    const scheduler = fleet(agents)
    const nearest = (): string => pick(scheduler, '-40,-50')
    for (let i = 0; i < 399; i++) scheduler.exclude(`a${i}`, DOMAIN, NOW_MS + 60_000)
    expect(nearest()).toBe('a399')
    for (const i of [350, 200, 100, 3]) {
      scheduler.restore(`a${i}`, DOMAIN)
      expect(nearest()).toBe(`a${i}`)
    }
  })
})

describe('explain', () => {
  it('explain-is-pick: without a seed it names the agent of the pick to come', () => {
    const scheduler = fleet(Array.from({ length: 30 }, (_, i) => ({ id: `a${i}` })))
    for (let i = 0; i < 100; i++) {
      const first = scheduler.explain({ domain: DOMAIN })
      const again = scheduler.explain({ domain: DOMAIN })
      const picked = scheduler.pick({ domain: DOMAIN })
      if (first.kind !== 'picked' || again.kind !== 'picked' || picked.kind !== 'picked') {
        throw new Error('every agent is free')
      }
      expect([first.agent.id, again.agent.id]).toEqual([picked.agent.id, picked.agent.id])
    }
  })
})
