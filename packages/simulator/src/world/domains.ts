import { seededRandom } from '@ostler/core'
import type { DomainKind, Scenario } from '../scenario/scenario.ts'
import { Cities } from './cities.ts'
import type { Fleet } from './fleet.ts'
import { mix } from './weighted.ts'

/** A target domain and what it has against whom. */
export interface Domain {
  readonly name: string
  readonly kind: DomainKind
  /** Unit vector of where it is served from. */
  readonly x: number
  readonly y: number
  readonly z: number
  /** By network and by country: 1 where denied. */
  readonly deniedNetworks: Uint8Array | null
  readonly deniedCountries: Uint8Array | null
  /** Stretches in which it answers nobody, in order: start and end, ms from the beginning. */
  readonly outages: readonly (readonly [startMs: number, endMs: number])[]
}

const RADIANS = Math.PI / 180

// A low-discrepancy sequence: its first n points are spread evenly for every n, so each stretch of
// ranks has the kinds in nearly the proportion of their weights, whatever the seed.
const GOLDEN = 0.6180339887498949

/** The domains of a scenario, most wanted first. */
export function layDomains(scenario: Scenario, fleet: Fleet, seed: number): readonly Domain[] {
  const { count, kinds } = scenario.domains
  const cities = Cities.all(100)
  const width = String(count).length
  const total = kinds.reduce((sum, kind) => sum + kind.weight, 0)
  return Array.from({ length: count }, (_, rank) => {
    const random = seededRandom(mix(seed, 23, rank))
    const kind = kindAt(kinds, ((0.5 + rank * GOLDEN) % 1) * total)
    const { lat, lon } = cities.draw(random)
    const across = Math.cos(lat * RADIANS)
    return {
      name: `${kind.name}-${String(rank + 1).padStart(width, '0')}.example`,
      kind,
      x: across * Math.cos(lon * RADIANS),
      y: across * Math.sin(lon * RADIANS),
      z: Math.sin(lat * RADIANS),
      deniedNetworks: deniedNetworks(scenario, fleet, kind, mix(seed, 29, rank)),
      deniedCountries: deniedCountries(fleet, kind, mix(seed, 31, rank)),
      outages: outages(kind, scenario.durationMs, mix(seed, 37, rank)),
    }
  })
}

function kindAt(kinds: readonly DomainKind[], target: number): DomainKind {
  let sum = 0
  for (const kind of kinds) {
    sum += kind.weight
    if (target < sum) return kind
  }
  return kinds.findLast((kind) => kind.weight > 0)!
}

function deniedNetworks(
  scenario: Scenario,
  fleet: Fleet,
  { bans }: DomainKind,
  seed: number,
): Uint8Array | null {
  if (bans === undefined || bans.networkShare === 0) return null
  const random = seededRandom(seed)
  return Uint8Array.from(fleet.networkFleet, (index) =>
    random() < bans.networkShare && bans.fleets.includes(scenario.fleets[index].name) ? 1 : 0,
  )
}

function deniedCountries(fleet: Fleet, { bans }: DomainKind, seed: number): Uint8Array | null {
  const share = bans?.countryShare ?? 0
  if (share === 0) return null
  const random = seededRandom(seed)
  return Uint8Array.from(fleet.countries, () => (random() < share ? 1 : 0))
}

/** Stretches begin at random moments; those that meet are one. */
function outages({ outages: spec }: DomainKind, durationMs: number, seed: number) {
  if (spec === undefined || spec.perHour === 0) return []
  const random = seededRandom(seed)
  const merged: [number, number][] = []
  let atMs = 0
  for (;;) {
    atMs += Math.ceil((-Math.log(1 - random()) * 3_600_000) / spec.perHour)
    if (atMs >= durationMs) return merged
    const last = merged.at(-1)
    if (last !== undefined && atMs <= last[1]) last[1] = atMs + spec.lengthMs
    else merged.push([atMs, atMs + spec.lengthMs])
  }
}
