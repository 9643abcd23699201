import { describe, expect, test } from 'vitest'
import type { StoredAgent } from '../../../packages/core/src/pick/agent.ts'
import { fleetOf, put } from './rig.ts'

const at = (id: string, lat: number, lon: number): StoredAgent => ({ id, country: 'DE', lat, lon })

/** Agents of one country, each at a place of its own. */
const apart = (count: number): StoredAgent[] =>
  Array.from({ length: count }, (_, i) => at(`a${i}`, 47 + (i % 70) / 10, 6 + (i - (i % 70)) / 700))

const crowd = (count: number): StoredAgent[] =>
  Array.from({ length: count }, (_, i) => at(`b${i}`, 54.5, 13.4))

describe('the positions of a country', () => {
  test('lie together again for a crowd, after places were left one by one', () => {
    const fleet = fleetOf(apart(3_000))
    for (let i = 0; i < 3_000; i++) fleet.remove(`a${i}`)
    put(fleet, ...crowd(3_000))
    const place = fleet.placeOf(fleet.find('b0'))
    expect([place.starts.length, place.up]).toEqual([1, 3_000])
    expect(fleet.ranges.open(place.country).length).toBe(3_000)
  })

  test('are taken from scattered ones too, while most of them are vacant', () => {
    const fleet = fleetOf(apart(1_000))
    for (let i = 0; i < 1_000; i++) if (i % 4 !== 0) fleet.remove(`a${i}`)
    put(fleet, ...crowd(400))
    expect(fleet.ranges.open(fleet.placeOf(fleet.find('b0')).country).length).toBeLessThan(1_400)
    const positions = [...fleet.values()].map(({ id }) => fleet.positionOf(fleet.find(id)))
    expect([fleet.up, new Set(positions).size]).toEqual([650, 650])
  })
})
