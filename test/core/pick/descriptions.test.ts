import { describe, expect, test } from 'vitest'
import type { StoredAgent } from '../../../packages/core/src/pick/agent.ts'
import { Descriptions } from '../../../packages/core/src/pick/descriptions.ts'

const whole: Required<StoredAgent> = {
  id: 'whole',
  country: 'US',
  region: 'US-CA',
  city: 'Fresno',
  lat: -0,
  lon: -119.77,
  exitIp: '192.0.2.1',
  asn: 64_500,
  tags: ['fast'],
  weight: 2,
  maxConcurrency: 7,
  url: 'http://agent.example',
  drained: true,
}

describe('Descriptions', () => {
  test.each<[string, StoredAgent]>([
    ['says who it is alone', { id: 'a' }],
    ['says its country', { id: 'a', country: 'XK' }],
    ['says its coordinates', { id: 'a', lat: 0, lon: 180 }],
    ['stands at the poles', { id: 'a', country: 'AQ', lat: -90, lon: -180 }],
    ['names a country that only another version knows', { id: 'a', country: 'QQ', lat: 1, lon: 2 }],
    ['names half of its coordinates, in a store that others share', { id: 'a', lat: 1 }],
    ['says everything', whole],
    ['says one thing more', { id: 'a', country: 'DE', lat: 1, lon: 2, url: 'http://a.example' }],
  ])('gives back an agent that %s', (_, agent) => {
    const agents = new Descriptions()
    agents.set(2_500, { id: 'before', country: 'FR', region: 'FR-IDF', lat: 3, lon: 4 })
    agents.clear(2_500)
    agents.set(2_500, agent)
    expect(agents.get(2_500)).toStrictEqual(agent)
    expect(agents.exitOf(2_500)).toBe(agent.exitIp ?? agent.id)
  })

  test('forgets what an agent no longer says, and describes nobody else', () => {
    const agents = new Descriptions()
    agents.set(1, whole)
    agents.set(1, { id: 'whole', country: 'DE' })
    expect(agents.get(1)).toStrictEqual({ id: 'whole', country: 'DE' })
    expect(agents.get(0)).toBeNull()
    agents.set(1_030, { id: 'other' })
    agents.set(1, whole)
    expect(agents.get(1_030)).toStrictEqual({ id: 'other' })
    expect(new Descriptions().length).toBe(0)
  })

  test('keeps the id of who is gone, and gives an object of its own each time', () => {
    const agents = new Descriptions()
    agents.set(3, whole)
    expect(agents.get(3)).not.toBe(agents.get(3))
    agents.bury(3, 'whole')
    expect([agents.get(3), agents.isLive(3), agents.idOf(3)]).toEqual([null, false, 'whole'])
    agents.clear(3)
    expect(agents.idOf(3)).toBe('')
  })
})
