import { OstlerError, parseGeo, seededRandom } from '@ostler/core'
import type { ClientsSpec, Scenario } from '../scenario/scenario.ts'
import { Cities } from './cities.ts'
import { mix, Weighted } from './weighted.ts'

/** What a client asks for in every request. */
export interface Hint {
  /** In the grammar of `parseGeo`; null for none. */
  readonly text: string | null
  /** The country that the hint names; null for none and for coordinates. */
  readonly country: string | null
  readonly strict: boolean
  /** Unit vector of where distances are measured from; null without a hint. */
  readonly centre: readonly [x: number, y: number, z: number] | null
}

export interface Client {
  readonly key: string
  readonly tier: string
  readonly hint: Hint
}

const HINTS = ['none', 'soft', 'strict', 'point'] as const

/** The clients of a scenario, busiest first. */
export function hireClients(scenario: Scenario, seed: number): readonly Client[] {
  const { count, tiers, markets, hints } = scenario.clients
  const tierNames = Object.keys(tiers)
  const tierOf = new Weighted(tierNames.map((name) => tiers[name].weight))
  const marketNames = Object.keys(markets)
  const marketOf = new Weighted(marketNames.map((name) => markets[name]))
  const hintOf = new Weighted(HINTS.map((name) => hints[name]))
  const cities = citiesOf(scenario.clients)
  const width = String(count).length
  return Array.from({ length: count }, (_, i) => {
    const random = seededRandom(mix(seed, 41, i))
    const market = marketNames[marketOf.draw(random)]
    const kind = HINTS[hintOf.draw(random)]
    const { lat, lon } = cities.get(market)!.draw(random)
    return {
      key: `ak_live_sim_${String(i + 1).padStart(width, '0')}`,
      tier: tierNames[tierOf.draw(random)],
      hint: hintFor(kind, market, lat, lon),
    }
  })
}

/** The cities of each market. @throws OstlerError INVALID_OPTIONS when a market has none. */
function citiesOf({ markets }: ClientsSpec): ReadonlyMap<string, Cities> {
  return new Map(
    Object.keys(markets).map((market) => {
      const cities = Cities.of(market)
      if (cities !== null) return [market, cities]
      const message = `clients.markets.${market} must be a country with cities, got "${market}"`
      throw new OstlerError('INVALID_OPTIONS', message)
    }),
  )
}

function hintFor(kind: (typeof HINTS)[number], market: string, lat: number, lon: number): Hint {
  switch (kind) {
    case 'none':
      return { text: null, country: null, strict: false, centre: null }
    case 'soft':
      return withCentre(`country:${market}`, market, false)
    case 'strict':
      return withCentre(`country:${market};strict`, market, true)
    case 'point':
      return withCentre(`${lat.toFixed(2)},${lon.toFixed(2)}`, null, false)
    default:
      return kind satisfies never
  }
}

/**
 * `country:DE` and `DE` are one; the long form also fits AF, AS, NA and SA, which are continents as
 * well.
 */
function withCentre(text: string, country: string | null, strict: boolean): Hint {
  const hint = parseGeo(text)
  const { lat, lon } = hint.centre!
  const across = Math.cos((lat * Math.PI) / 180)
  const x = across * Math.cos((lon * Math.PI) / 180)
  const y = across * Math.sin((lon * Math.PI) / 180)
  const z = Math.sin((lat * Math.PI) / 180)
  return { text: hint.text, country, strict, centre: [x, y, z] }
}
