import { describe, expect, test } from 'vitest'
import { countryIndex, parseGeo, type Agent } from '@ostler/core'
import type { Fleet } from '../../../packages/core/src/pick/fleet.ts'
import { bitOf, type Cell, type DeadKids } from '../../../packages/core/src/pick/localities.ts'
import { nameOf, Steps } from '../../../packages/core/src/pick/steps.ts'
import { fleetOf, put } from './rig.ts'

const AGENTS: readonly Agent[] = [
  { id: 'berlin', country: 'DE', region: 'DE-BE', city: 'Berlin', lat: 52.52, lon: 13.41 },
  { id: 'munich', country: 'DE', region: 'DE-BY', city: 'Munich', lat: 48.14, lon: 11.58 },
  { id: 'vienna', country: 'AT', city: 'Vienna', lat: 48.21, lon: 16.37 },
  { id: 'paris', country: 'FR', city: 'Paris', lat: 48.86, lon: 2.35 },
  { id: 'la', country: 'US', region: 'US-CA', city: 'Los Angeles', lat: 34.05, lon: -118.24 },
  { id: 'ny', country: 'US', region: 'US-NY', lat: 40.71, lon: -74.01 },
  { id: 'suva', country: 'FJ', city: 'Suva', lat: -18.14, lon: 178.44 },
  { id: 'ship', lat: -18.2, lon: -178.8 },
  { id: 'unknown' },
]

function stepsOf(fleet: Fleet, geo: string | null, dead: DeadKids | null = null): string[] {
  const steps = new Steps(fleet)
  const names: string[] = []
  // Twice: what the first walk remembers must not change the second.
  for (let turn = 0; turn < 2; turn++) {
    names.length = 0
    steps.start(geo === null ? null : parseGeo(geo), dead)
    for (let step = steps.next(); step !== null; step = steps.next())
      names.push(nameOf(fleet, step))
    expect(steps.next()).toBeNull()
  }
  return names
}

const OUT_OF_VIENNA = ['AT/Vienna', 'DE/Munich', 'DE/Berlin', 'FR/Paris']

/** A hint (null: none), and the steps that it walks. */
const CASES: readonly (readonly [string, string | null, readonly string[]])[] = [
  ['no hint: the whole fleet at once', null, ['anywhere']],
  ['vetoes alone: the whole fleet but these', '-DE,-US', ['anywhere']],
  [
    'a country, then outward from its centre, the nowhere last',
    'AT',
    [
      'AT',
      'DE/Munich',
      'DE/Berlin',
      'FR/Paris',
      'US/40.7,-74',
      'US/Los Angeles',
      'FJ/Suva',
      '-18.2,-178.8',
      'nowhere',
    ],
  ],
  [
    'countries in the order they are wished, then outward from the first',
    'AT,FR',
    [
      'AT',
      'FR',
      'DE/Munich',
      'DE/Berlin',
      'US/40.7,-74',
      'US/Los Angeles',
      'FJ/Suva',
      '-18.2,-178.8',
      'nowhere',
    ],
  ],
  [
    'a point: no step of its own',
    '48.21,16.37',
    [...OUT_OF_VIENNA, 'US/40.7,-74', 'US/Los Angeles', 'FJ/Suva', '-18.2,-178.8', 'nowhere'],
  ],
  [
    'a point next to the date line: over it',
    '-18.2,179.9',
    [
      '-18.2,-178.8',
      'FJ/Suva',
      'US/Los Angeles',
      'US/40.7,-74',
      'DE/Berlin',
      'AT/Vienna',
      'DE/Munich',
      'FR/Paris',
      'nowhere',
    ],
  ],
  [
    'a region, then the rest of its country by distance like all others',
    'US-CA',
    [
      'US-CA',
      'US/40.7,-74',
      '-18.2,-178.8',
      'FJ/Suva',
      'FR/Paris',
      'DE/Berlin',
      'DE/Munich',
      'AT/Vienna',
      'nowhere',
    ],
  ],
  ['a region, then its country', 'US-CA,US;strict', ['US-CA', 'US']],
  ['a strict country: nothing else', 'DE;strict', ['DE']],
  ['strict wishes: these, in order', 'FR,DE;strict', ['FR', 'DE']],
  ['a strict continent', 'EU;strict', ['EU']],
  ['a strict country without agents: one empty step', 'IT;strict', ['IT']],
  [
    'a vetoed country outward of a wish',
    'AT,-DE,-US,-FJ',
    ['AT', 'FR/Paris', '-18.2,-178.8', 'nowhere'],
  ],
  ['a vetoed country of a continent', 'EU,-DE;strict', ['EU']],
  [
    'a radius around a point: places no farther',
    '48.21,16.37;radius=450',
    ['AT/Vienna', 'DE/Munich'],
  ],
  [
    'a radius around a point: the next one farther',
    '48.21,16.37;radius=540',
    ['AT/Vienna', 'DE/Munich', 'DE/Berlin'],
  ],
  ['a radius of a country: that country', 'DE;radius=300', ['DE']],
]

describe('the steps of', () => {
  test.each(CASES)('%s', (_, geo, names) => {
    expect(stepsOf(fleetOf(AGENTS), geo)).toEqual(names)
  })

  test('a country and a continent of one code are told apart', () => {
    const fleet = fleetOf([
      { id: 'us', country: 'US' },
      { id: 'nam', country: 'NA' },
    ])
    const steps = new Steps(fleet)
    const first = (geo: string) => {
      steps.start(parseGeo(geo), null)
      return steps.next()
    }
    expect(first('NA;strict')).toMatchObject({ label: 'NA', countries: [countryIndex('US')] })
    const namibia = { label: 'country:NA', countries: [countryIndex('NA')] }
    expect(first('country:NA;strict')).toMatchObject(namibia)
  })

  test('a walk hold no agent of a vetoed country', () => {
    const fleet = fleetOf(AGENTS)
    for (const geo of ['-DE', 'EU,-DE', 'AT,-DE', '48,16,-DE']) {
      const steps = new Steps(fleet)
      steps.start(parseGeo(geo), null)
      for (let step = steps.next(); step !== null; step = steps.next()) {
        expect(step.countries).not.toContain(fleet.placeOf(fleet.find('berlin')).country)
      }
    }
  })

  test('a walk follow the agents that come, go and are drained', () => {
    const fleet = fleetOf(AGENTS)
    const steps = new Steps(fleet)
    const hint = parseGeo('48.21,16.37;radius=400')
    const names = (): string[] => {
      const found: string[] = []
      steps.start(hint, null)
      for (let step = steps.next(); step !== null; step = steps.next())
        found.push(nameOf(fleet, step))
      return found
    }
    expect(names()).toEqual(['AT/Vienna', 'DE/Munich'])
    put(fleet, { id: 'linz', country: 'AT', city: 'Linz', lat: 48.3, lon: 14.29 })
    expect(names()).toEqual(['AT/Vienna', 'AT/Linz', 'DE/Munich'])
    put(fleet, { ...AGENTS[2], drained: true })
    expect(names()).toEqual(['AT/Linz', 'DE/Munich'])
    fleet.remove('linz')
    fleet.remove('munich')
    expect(names()).toEqual([])
  })

  test('a walk of more places than are remembered are each place once, nearest first', () => {
    const fleet = fleetOf(
      Array.from({ length: 50 }, (_, i) => ({
        id: `a${i}`,
        city: `${(i * 37) % 50}`,
        lat: ((i * 37) % 50) / 2,
        lon: 0,
      })),
    )
    expect(stepsOf(fleet, '0,0')).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`))
  })

  test('a walk pass over dead squares beyond the places that are remembered', () => {
    const fleet = fleetOf(
      Array.from({ length: 40 }, (_, i) => ({ id: `a${i}`, city: `${i}`, lat: i * 2, lon: 0 })),
    )
    const far = fleet.placeOf(35).cell as Cell
    expect(stepsOf(fleet, '0,0', new Map([[far.parent as Cell, bitOf(far)]]))).toEqual(
      Array.from({ length: 40 }, (_, i) => `${i}`).filter((name) => name !== '35'),
    )
  })
})
