// hot path: every pick of a domain that excludes anybody counts and selects here.
import { COUNTRIES, CountryCounts } from './country-counts.ts'
import { CountedBits, selectDifference } from './positions.ts'
import { COUNTRY_SHIFT, LOCAL_MASK, Runs } from './runs.ts'

export { COUNTRY_SHIFT, LOCAL_MASK } from './runs.ts'

/** Beyond this share of a country's range, and this many, a bitmap is kept as well: it counts and selects faster. */
const DENSE_SHARE = 1 / 256
const LEAST_DENSE = 32

/**
 * A domain's set of positions, each with the instant of its next change: sorted runs, and for each country where they are many a counted
 * bitmap beside them. Every position in it must be up in the fleet: the fleet's counts less these are the healthy.
 * One object and not two, for there is one a domain.
 */
export class PositionSet extends Runs {
  #dense: Map<number, CountedBits> | null = null
  /** By country; made when one run no longer holds them all. */
  #counts: CountryCounts | null = null

  override has(position: number): boolean {
    const dense = this.#denseIn(position >>> COUNTRY_SHIFT)
    return dense === undefined ? super.has(position) : dense.has(position & LOCAL_MASK)
  }

  /** Adds a position of a country whose range is `rangeLength` long, or sets its instant. Answers whether it is new. */
  put(position: number, atMs: number, rangeLength: number, nowMs: number): boolean {
    if (!this.set(position, atMs, nowMs)) return false
    const country = position >>> COUNTRY_SHIFT
    if (this.#counts !== null) this.#counts.add(country, 1)
    else if (!this.isShort) this.#countAll()
    const dense = this.#denseIn(country)
    if (dense !== undefined) dense.add(position & LOCAL_MASK)
    else if (this.#counts !== null) this.#promoteIfMany(country, rangeLength)
    return true
  }

  /** Takes a position out. Answers whether it was in. */
  override delete(position: number): boolean {
    if (!super.delete(position)) return false
    const country = position >>> COUNTRY_SHIFT
    if (this.#counts !== null) this.#counts.add(country, -1)
    const dense = this.#denseIn(country)
    if (dense !== undefined) {
      dense.delete(position & LOCAL_MASK)
      if (dense.count === 0) this.#dense?.delete(country)
    }
    if (this.size === 0) this.clear()
    return true
  }

  override clear(): void {
    super.clear()
    this.#dense = null
    this.#counts = null
  }

  /** How many are in a country. */
  countIn(country: number): number {
    if (this.#counts !== null) return this.#counts.of(country)
    if (this.size === 0) return 0
    const from = this.shortBelow(country * 0x1000000, 0, this.size)
    return this.shortBelow((country + 1) * 0x1000000, from, this.size) - from
  }

  /** The country of the k-th (from 0) that `all` counts and this set has not; sets the rest of `all`. */
  countryOutside(all: CountryCounts, k: number): number {
    if (this.#counts !== null || this.size === 0) return all.countryOf(k, this.#counts)
    let country = 0
    let rest = k
    let passed = 0
    let most = this.size
    // As the tree is descended, what is left to search of the one run shrinks with it.
    for (let step = COUNTRIES >>> 1; step > 0; step >>>= 1) {
      const through = this.shortBelow((country + step) * 0x1000000, passed, most)
      const here = all.covered(country + step) - (through - passed)
      if (here > rest) most = through
      else {
        rest -= here
        passed = through
        country += step
      }
    }
    all.rest = rest
    return country
  }

  /** How many are in a country from `start` to below `end`. */
  countBetween(country: number, start: number, end: number): number {
    const dense = this.#denseIn(country)
    if (dense !== undefined) return dense.rank(end) - dense.rank(start)
    if (this.#counts !== null && this.#counts.of(country) === 0) return 0
    return this.count(country * 0x1000000 + start, country * 0x1000000 + end)
  }

  /** The k-th (from 0) of a country that `all` has and this set has not, as its place in the country's range. */
  selectOutside(all: CountedBits, country: number, k: number): number {
    const dense = this.#denseIn(country)
    if (dense !== undefined) return selectDifference(all, dense, k)
    if (this.#counts === null && this.size > 0) {
      const from = this.shortBelow(country * 0x1000000, 0, this.size)
      const to = this.shortBelow((country + 1) * 0x1000000, from, this.size)
      return all.select(from === to ? k : k + this.shortBefore(all, from, to, k))
    }
    const count = this.countIn(country)
    return all.select(count === 0 ? k : k + this.countBefore(all, country * 0x1000000, count, k))
  }

  /** The k-th (from 0) of a country in this set, as its place in the country's range. */
  select(country: number, k: number): number {
    const dense = this.#denseIn(country)
    if (dense !== undefined) return dense.select(k)
    return this.nth(country * 0x1000000, k) & LOCAL_MASK
  }

  /** Every position in it, in order. */
  positions(): Generator<number> {
    return this.between(0, Infinity)
  }

  #denseIn(country: number): CountedBits | undefined {
    return this.#dense === null ? undefined : this.#dense.get(country)
  }

  #countAll(): void {
    const counts = (this.#counts = new CountryCounts())
    for (const position of this.positions()) counts.add(position >>> COUNTRY_SHIFT, 1)
  }

  #promoteIfMany(country: number, rangeLength: number): void {
    const count = this.countIn(country)
    if (count <= LEAST_DENSE || count <= rangeLength * DENSE_SHARE) return
    const bits = new CountedBits()
    // The last one first: the bitmap grows once.
    bits.add(this.nth(country * 0x1000000, count - 1) & LOCAL_MASK)
    for (const position of this.between(country * 0x1000000, (country + 1) * 0x1000000)) {
      bits.add(position & LOCAL_MASK)
    }
    ;(this.#dense ??= new Map()).set(country, bits)
  }
}
