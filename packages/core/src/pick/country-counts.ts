// hot path: a pick without a hint looks for its country here, among some two hundred.

export const COUNTRIES = 256

const NOBODY = new Uint32Array(COUNTRIES * 2 + 1)

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

  /** The country of the k-th (from 0) of those that are here and not in `taken`, which must be a part of them. */
  countryOf(k: number, taken: CountryCounts | null): number {
    const counts = this.#counts
    const minus = taken === null ? NOBODY : taken.#counts
    let rest = k
    let node = COUNTRIES
    // Which way it goes can't be foretold: masks in place of ifs.
    for (let step = COUNTRIES >>> 1; step > 0; step >>>= 1) {
      const here = counts[node + step] - minus[node + step]
      const beyond = (here - rest - 1) >> 31
      rest -= here & beyond
      node += step & beyond
    }
    return node - COUNTRIES
  }

  /** How many are in the countries that a node of the tree covers: the last so many up to the one below it, by its lowest set bit. */
  covered(node: number): number {
    return this.#counts[COUNTRIES + node]
  }
}
