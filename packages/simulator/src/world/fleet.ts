import { seededRandom, type Agent, type Random } from '@ostler/core'
import type { FleetSpec, Scenario } from '../scenario/scenario.ts'
import { Cities, type City } from './cities.ts'
import { mix, Weighted, zipfWeights } from './weighted.ts'

/**
 * Agents as the scheduler is given them, and the same in columns for the world. Indexes are agents'
 * unless named otherwise.
 */
export interface Fleet {
  readonly agents: readonly Agent[]
  readonly exitOf: Int32Array
  readonly exits: number
  /** Index of the network; `networkFleet` says which fleet it belongs to. */
  readonly networkOf: Int32Array
  readonly networkFleet: readonly number[]
  readonly fleetOf: Uint8Array
  readonly countryOf: Uint16Array
  readonly countries: readonly string[]
  /** Unit vectors of the agents' places. */
  readonly x: Float64Array
  readonly y: Float64Array
  readonly z: Float64Array
}

// Private use (RFC 6996), and the shared address space (RFC 6598): nothing real is meant.
const FIRST_ASN = 4_200_000_000
const FIRST_EXIT = (100 << 24) | (64 << 16)

const RADIANS = Math.PI / 180

/** Places every fleet of a scenario. Deterministic for a seed. O(agents * log cities). */
export function placeFleet(scenario: Scenario, seed: number): Fleet {
  const builder = new Builder(scenario.fleets.reduce((sum, { agents }) => sum + agents, 0))
  scenario.fleets.forEach((spec, fleet) => {
    const random = seededRandom(mix(seed, 11, fleet))
    const cities = Cities.all(spec.cities)
    const networks = new Networks(builder, spec, fleet)
    const exits = new Exits(builder, spec)
    for (let n = 1; n <= spec.agents; n++) {
      const city = cities.draw(random)
      const exit = exits.take(city, networks, random)
      builder.add(`${spec.name}-${n}`, fleet, city, exit, spec.maxConcurrency)
    }
  })
  return builder.fleet()
}

interface Exit {
  readonly index: number
  readonly network: number
  readonly shared: boolean
}

class Builder {
  readonly #agents: Agent[] = []
  readonly #countries = new Map<string, number>()
  readonly #networkFleet: number[] = []
  readonly #exitOf: Int32Array
  readonly #networkOf: Int32Array
  readonly #fleetOf: Uint8Array
  readonly #countryOf: Uint16Array
  readonly #x: Float64Array
  readonly #y: Float64Array
  readonly #z: Float64Array
  #exits = 0

  constructor(size: number) {
    this.#exitOf = new Int32Array(size)
    this.#networkOf = new Int32Array(size)
    this.#fleetOf = new Uint8Array(size)
    this.#countryOf = new Uint16Array(size)
    this.#x = new Float64Array(size)
    this.#y = new Float64Array(size)
    this.#z = new Float64Array(size)
  }

  addNetwork(fleet: number): number {
    return this.#networkFleet.push(fleet) - 1
  }

  addExit(): number {
    return this.#exits++
  }

  add(id: string, fleet: number, city: City, exit: Exit, maxConcurrency?: number): void {
    const i = this.#agents.length
    this.#exitOf[i] = exit.index
    this.#networkOf[i] = exit.network
    this.#fleetOf[i] = fleet
    let country = this.#countries.get(city.country)
    if (country === undefined) this.#countries.set(city.country, (country = this.#countries.size))
    this.#countryOf[i] = country
    const across = Math.cos(city.lat * RADIANS)
    this.#x[i] = across * Math.cos(city.lon * RADIANS)
    this.#y[i] = across * Math.sin(city.lon * RADIANS)
    this.#z[i] = Math.sin(city.lat * RADIANS)
    this.#agents.push({
      id,
      country: city.country,
      city: city.name,
      lat: city.lat,
      lon: city.lon,
      asn: FIRST_ASN + exit.network,
      ...(exit.shared ? { exitIp: addressOf(exit.index) } : {}),
      ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    })
  }

  fleet(): Fleet {
    return {
      agents: this.#agents,
      exitOf: this.#exitOf,
      exits: this.#exits,
      networkOf: this.#networkOf,
      networkFleet: this.#networkFleet,
      fleetOf: this.#fleetOf,
      countryOf: this.#countryOf,
      countries: [...this.#countries.keys()],
      x: this.#x,
      y: this.#y,
      z: this.#z,
    }
  }
}

/**
 * Deals out networks: the first of a country (or of the world) has the most agents, by Zipf's law.
 */
class Networks {
  readonly #builder: Builder
  readonly #fleet: number
  readonly #count: number
  readonly #everywhere: boolean
  readonly #weighted: Weighted
  readonly #byCountry = new Map<string, number[]>()

  constructor(builder: Builder, spec: FleetSpec, fleet: number) {
    this.#builder = builder
    this.#fleet = fleet
    this.#everywhere = 'worldwide' in spec.networks
    this.#count = 'worldwide' in spec.networks ? spec.networks.worldwide : spec.networks.perCountry
    this.#weighted = new Weighted(zipfWeights(this.#count, 1))
  }

  draw(country: string, random: Random): number {
    const group = this.#everywhere ? '' : country
    let networks = this.#byCountry.get(group)
    if (networks === undefined) {
      networks = Array.from({ length: this.#count }, () => this.#builder.addNetwork(this.#fleet))
      this.#byCountry.set(group, networks)
    }
    return networks[this.#weighted.draw(random)]
  }
}

/** Gives each agent an exit of its own, or a place behind one that agents of its city share. */
class Exits {
  readonly #builder: Builder
  readonly #share: number
  readonly #agentsPerExit: number
  readonly #open = new Map<City, { readonly exit: Exit; left: number }>()

  constructor(builder: Builder, spec: FleetSpec) {
    this.#builder = builder
    this.#share = spec.sharedExits?.share ?? 0
    this.#agentsPerExit = spec.sharedExits?.agentsPerExit ?? 1
  }

  take(city: City, networks: Networks, random: Random): Exit {
    if (random() >= this.#share) return this.#add(city, networks, random, false)
    const open = this.#open.get(city)
    if (open !== undefined && open.left > 0) {
      open.left--
      return open.exit
    }
    const exit = this.#add(city, networks, random, true)
    this.#open.set(city, { exit, left: this.#agentsPerExit - 1 })
    return exit
  }

  #add(city: City, networks: Networks, random: Random, shared: boolean): Exit {
    const network = networks.draw(city.country, random)
    return { index: this.#builder.addExit(), network, shared }
  }
}

function addressOf(exit: number): string {
  const address = FIRST_EXIT + exit
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}
