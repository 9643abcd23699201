import fc from 'fast-check'
import type { Agent, Outcome, OutcomeKind, PickRequest, Policy } from '@ostler/core'

/** Places far and near, on both sides of the date line, next to a pole, and equally far from 0,25. */
const CITIES: readonly Omit<Agent, 'id'>[] = [
  { country: 'DE', region: 'DE-BE', city: 'Berlin', lat: 52.52, lon: 13.41 },
  { country: 'DE', region: 'DE-BY', city: 'Munich', lat: 48.14, lon: 11.58 },
  { country: 'AT', city: 'Vienna', lat: 48.21, lon: 16.37 },
  { country: 'US', region: 'US-NY', city: 'New York', lat: 40.71, lon: -74.01 },
  { country: 'US', region: 'US-CA', city: 'Los Angeles', lat: 34.05, lon: -118.24 },
  { country: 'FJ', city: 'Suva', lat: -18.14, lon: 178.44 },
  { country: 'FJ', city: 'Lakeba', lat: -18.22, lon: -178.79 },
  { country: 'NO', city: 'Ny-Alesund', lat: 78.92, lon: 11.93 },
  { country: 'CD', lat: 1, lon: 25 },
  { country: 'CD', lat: -1, lon: 25 },
  { country: 'CD', lat: 0, lon: 24 },
  { country: 'CD', lat: 0, lon: 26 },
]

const HINTS: readonly string[] = [
  'DE',
  'AT,DE',
  'AT,EU',
  'US-CA',
  'US-CA,US',
  'EU',
  'OC',
  'EU,-DE',
  '-US',
  '48.21,16.37',
  '-17.5,179.99',
  '89.9,100',
  'DE;strict',
  'AT,DE;strict',
  'EU;strict',
  'US-NY;strict',
  'FR;strict',
  'DE;radius=300',
  '48.21,16.37;radius=400',
  '-18,179.9;radius=400',
  '0,25',
  '0,25;radius=105',
  '0,25;radius=111.196',
]

const TAGS: readonly string[] = ['fast', 'mobile']

/** Every kind: a new one that is missing here does not compile. */
const OUTCOME_KINDS = Object.keys({
  ok: true,
  rate_limited: true,
  challenged: true,
  blocked: true,
  target_error: true,
  agent_error: true,
  neutral: true,
} satisfies Record<OutcomeKind, true>) as readonly OutcomeKind[]

/** Where an agent may be: a city or close by, a country without coordinates, or nowhere. */
export const placeArbitrary: fc.Arbitrary<Omit<Agent, 'id'>> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...CITIES) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...CITIES), fc.integer({ min: -9, max: 9 }))
      .map(([city, tenths]) => ({ ...city, lat: Math.round(city.lat! * 10 + tenths / 4) / 10 })),
  },
  { weight: 1, arbitrary: fc.constantFrom({ country: 'DE' }, { country: 'US' }) },
  { weight: 1, arbitrary: fc.constant({}) },
)

/** An agent of that id: clustered places, few shared exits, tags, small concurrency. */
export function agentArbitrary(id: string): fc.Arbitrary<Agent> {
  return fc
    .tuple(
      placeArbitrary,
      fc.option(fc.constantFrom('198.51.100.1', '198.51.100.2'), { freq: 2 }),
      fc.subarray([...TAGS]),
      fc.constantFrom(1, 1, 1, 2, 0.5),
      fc.constantFrom(1, 2, 3, 1_000),
    )
    .map(([place, exitIp, tags, weight, maxConcurrency]) => ({
      id,
      ...place,
      ...(exitIp !== null && { exitIp }),
      ...(tags.length > 0 && { tags }),
      weight,
      maxConcurrency,
    }))
}

/** A fleet of up to `most` agents, ids `a0` and up. */
export function fleetArbitrary(most: number): fc.Arbitrary<readonly Agent[]> {
  return fc
    .integer({ min: 0, max: most })
    .chain((size) => fc.tuple(...Array.from({ length: size }, (_, i) => agentArbitrary(`a${i}`))))
}

/** A wish of each form of the hint grammar: soft, strict, vetoes, radius, point. */
export const hintArbitrary: fc.Arbitrary<string> = fc.constantFrom(...HINTS)

/** What any report may tell. */
export const outcomeArbitrary: fc.Arbitrary<Outcome> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...OUTCOME_KINDS).map((kind): Outcome => ({ kind })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(0, 500, 29_000, 45_000, 400_000, 9_000_000)
      .map((retryAfterMs): Outcome => ({ kind: 'rate_limited', retryAfterMs })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(20, 100, 250, 300, 900)
      .map((latencyMs): Outcome => ({ kind: 'ok', latencyMs })),
  },
)

/** A policy that small keys soon reach: exact, with its default quantum or another. */
export function policyArbitrary(name: string): fc.Arbitrary<Policy> {
  return fc
    .tuple(
      fc.integer({ min: 0, max: 8 }),
      fc.constantFrom(1, 1_000, 10_000, 60_000),
      fc.option(fc.constantFrom(1, 250, 7_000)),
    )
    .map(([limit, windowMs, quantumMs]) => ({
      name,
      limit,
      windowMs,
      ...(quantumMs !== null && { quantumMs }),
    }))
}

/** Which agents a request may name, and which domains: small sets, so that requests meet. */
export interface RequestPools {
  readonly ids: readonly string[]
  readonly domains: readonly string[]
}

/** A request of any kind but sessions, always with a seed. */
export function requestArbitrary({ ids, domains }: RequestPools): fc.Arbitrary<PickRequest> {
  const some = fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 3 })
  return fc
    .tuple(
      fc.constantFrom(...domains),
      fc.nat(0xffff_ffff),
      fc.option(hintArbitrary, { freq: 2 }),
      fc.nat(19),
      some,
      fc.constantFrom(...TAGS),
    )
    .map(([domain, seed, geo, filters, few, tag]) => ({
      domain,
      seed,
      ...(geo !== null && { geo }),
      ...((filters === 0 || filters === 1) && { avoid: few }),
      ...((filters === 2 || filters === 3) && { pin: few }),
      ...((filters === 4 || filters === 5) && { tags: [tag] }),
    }))
}
