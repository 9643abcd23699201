// hot path: a pick without a hint looks for its country here, among some two hundred.

const COUNTRIES = 256

/** A count for each country, and how many there are below one: a Fenwick tree (P. Fenwick 1994) beside the counts. All O(log countries). */
export class CountryCounts {
  /** The counts, and from COUNTRIES on the tree, which is 1-based. */
  readonly #counts: Uint32Array = new Uint32Array(COUNTRIES * 2 + 1)

  of(country: number): number {
    return this.#counts[country]
  }

  add(country: number, by: number): void {
    const counts = this.#counts
    counts[country] += by
    for (let node = country + 1; node <= COUNTRIES; node += node & -node) {
      counts[COUNTRIES + node] += by
    }
  }

  /** How many are in the countries below one. */
  below(country: number): number {
    let sum = 0
    for (let node = country; node > 0; node &= node - 1) sum += this.#counts[COUNTRIES + node]
    return sum
  }

  /** The country of the k-th (from 0) of those that are not taken; `taken` tells how many below a country are. */
  countryOf(k: number, taken: { countBelow(country: number): number }): number {
    let country = 0
    let rest = k
    let passed = 0
    for (let step = COUNTRIES >>> 1; step > 0; step >>>= 1) {
      const takenBelow = taken.countBelow(country + step)
      const here = this.#counts[COUNTRIES + country + step] - (takenBelow - passed)
      if (here > rest) continue
      rest -= here
      passed = takenBelow
      country += step
    }
    return country
  }
}
