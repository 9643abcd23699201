// hot path: a pick without a hint looks for its country here, among some two hundred.

export const COUNTRIES = 256

const NOBODY = new Int32Array(COUNTRIES * 2 + 1)

/** A count for each country, and a Fenwick tree (P. Fenwick 1994) of them, to find the country of one of all. All O(log countries). */
export class CountryCounts {
  /** The counts, and from COUNTRIES on the tree, which is 1-based. */
  readonly #counts: Int32Array = new Int32Array(COUNTRIES * 2 + 1)
  /** Of the k-th that was looked for last: the how-manieth of its country it is, from 0. */
  rest = 0

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

  /** The country of the k-th (from 0) of those that are here and not in `taken`, which must be a part of them; sets `rest`. */
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
    this.rest = rest
    return node - COUNTRIES
  }

  /** How many are in the countries that a node of the tree covers: the last so many up to the one below it, by its lowest set bit. */
  covered(node: number): number {
    return this.#counts[COUNTRIES + node]
  }
}
