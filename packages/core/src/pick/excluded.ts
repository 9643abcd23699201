import { CountryCounts } from './country-counts.ts'
import { CountedBits, selectDifference } from './positions.ts'

/** A position: the index of a country in the high byte, a place in its range in the low 24 bits. */
export const COUNTRY_SHIFT = 24
export const LOCAL_MASK = 0xffffff

/** Sparse countries cost 4 bytes a position; beyond this share of the country's range a bitmap costs less to change. */
const DENSE_SHARE = 1 / 128
const LEAST_DENSE = 256

/**
 * A domain's set of positions: one sorted list while they are few, a counted bitmap for each country where they are many.
 * Every position in it must be up in the fleet: the fleet's counts less these are the healthy.
 */
export class PositionSet {
  #sorted = new Uint32Array(8)
  #length = 0
  readonly #dense: Map<number, CountedBits> = new Map()
  #size = 0
  /** By country; made with the first position. */
  #counts: CountryCounts | null = null

  get size(): number {
    return this.#size
  }

  has(position: number): boolean {
    const dense = this.#dense.get(position >>> COUNTRY_SHIFT)
    if (dense !== undefined) return dense.has(position & LOCAL_MASK)
    const at = this.#lowerBound(position)
    return at < this.#length && this.#sorted[at] === position
  }

  /** Adds a position of a country whose range is `rangeLength` long. */
  add(position: number, rangeLength: number): void {
    const country = position >>> COUNTRY_SHIFT
    const dense = this.#dense.get(country)
    if (dense !== undefined) {
      if (dense.add(position & LOCAL_MASK)) this.#count(country, 1)
      return
    }
    const at = this.#lowerBound(position)
    if (at < this.#length && this.#sorted[at] === position) return
    if (this.#length === this.#sorted.length) this.#sorted = resized(this.#sorted, this.#length * 2)
    this.#sorted.copyWithin(at + 1, at, this.#length)
    this.#sorted[at] = position
    this.#length++
    this.#count(country, 1)
    if (this.#length > LEAST_DENSE) this.#promoteIfMany(country, rangeLength)
  }

  delete(position: number): void {
    const country = position >>> COUNTRY_SHIFT
    const dense = this.#dense.get(country)
    if (dense !== undefined) {
      if (!dense.delete(position & LOCAL_MASK)) return
      this.#count(country, -1)
      if (dense.count === 0) this.#dense.delete(country)
      return
    }
    const at = this.#lowerBound(position)
    if (at >= this.#length || this.#sorted[at] !== position) return
    this.#sorted.copyWithin(at, at + 1, this.#length)
    this.#length--
    this.#count(country, -1)
    if (this.#length < this.#sorted.length >>> 2 && this.#length >= 8) {
      this.#sorted = resized(this.#sorted, this.#length * 2)
    }
  }

  clear(): void {
    this.#sorted = new Uint32Array(8)
    this.#length = 0
    this.#dense.clear()
    this.#size = 0
    this.#counts = null
  }

  /** How many are in a country. */
  countIn(country: number): number {
    return this.#counts === null ? 0 : this.#counts.of(country)
  }

  /** How many are in the countries below one. */
  countBelow(country: number): number {
    return this.#counts === null ? 0 : this.#counts.below(country)
  }

  /** How many are in a country from `start` to below `end`. */
  countBetween(country: number, start: number, end: number): number {
    const dense = this.#dense.get(country)
    if (dense !== undefined) return dense.rank(end) - dense.rank(start)
    if (this.#length === 0) return 0
    const from = this.#lowerBound(country * 0x1000000 + start)
    if (from === this.#length) return 0
    return this.#lowerBound(country * 0x1000000 + end) - from
  }

  /** The k-th (from 0) of a country that `all` has and this set has not, as its place in the country's range. */
  selectOutside(all: CountedBits, country: number, k: number): number {
    const dense = this.#dense.get(country)
    if (dense !== undefined) return selectDifference(all, dense, k)
    const from = this.#lowerBound(country * 0x1000000)
    const to = this.#lowerBound((country + 1) * 0x1000000)
    // all.rank(p_j) - j healthy ones stand before the j-th excluded: it grows with j, so search for the last one <= k.
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      if (all.rank(this.#sorted[middle] & LOCAL_MASK) - (middle - from) <= k) low = middle + 1
      else high = middle
    }
    return all.select(k + (low - from))
  }

  /** The k-th (from 0) of a country in this set, as its place in the country's range. */
  select(country: number, k: number): number {
    const dense = this.#dense.get(country)
    if (dense !== undefined) return dense.select(k)
    return this.#sorted[this.#lowerBound(country * 0x1000000) + k] & LOCAL_MASK
  }

  /** Every position in it, in no particular order. */
  *positions(): Generator<number> {
    for (let i = 0; i < this.#length; i++) yield this.#sorted[i]
    for (const [country, dense] of this.#dense) {
      for (const local of dense.between(0, Infinity)) yield country * 0x1000000 + local
    }
  }

  #count(country: number, by: number): void {
    this.#counts ??= new CountryCounts()
    this.#counts.add(country, by)
    this.#size += by
  }

  #promoteIfMany(country: number, rangeLength: number): void {
    const from = this.#lowerBound(country * 0x1000000)
    const to = this.#lowerBound((country + 1) * 0x1000000)
    if (to - from <= LEAST_DENSE || to - from <= rangeLength * DENSE_SHARE) return
    const bits = new CountedBits()
    for (let i = to - 1; i >= from; i--) bits.add(this.#sorted[i] & LOCAL_MASK)
    this.#sorted.copyWithin(from, to, this.#length)
    this.#length -= to - from
    this.#dense.set(country, bits)
  }

  #lowerBound(position: number): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sorted[middle] < position) low = middle + 1
      else high = middle
    }
    return low
  }
}

function resized(array: Uint32Array<ArrayBuffer>, size: number): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(Math.max(size, 8))
  next.set(array.length > size ? array.subarray(0, size) : array)
  return next
}
