// hot path: every exclusion and every recovery writes here, and picks count and select here while the excluded are few.
import { Directory } from './directory.ts'
import type { CountedBits } from './positions.ts'
import {
  earliestOf,
  firstAfter,
  insert,
  LOCAL_MASK,
  lowerBound,
  Merge,
  MOST,
  resize,
  seekLeast,
  takeOut,
  type Run,
} from './run.ts'

export { COUNTRY_SHIFT, LOCAL_MASK } from './run.ts'

/** A run that has become so short joins a neighbour, if the two fit into one with room to spare. */
const FEW = 32

/** Instants are kept as 32 bits of milliseconds, 49 days: so far before the first of them they begin. */
const BEFORE_FIRST = 2 ** 30
const LATEST = 0xffff_ffff
const BASE_MS = 2 ** 20
/** The beginning moves up when the earliest instant is so far after it: some 25 days. */
const MOVE_UP = 2 ** 31

/**
 * Positions in order, each with an instant: sorted runs of at most 128, and the runs by their earliest instant. Finding, setting and
 * deleting cost O(log n), a rank within m runs O(m); no call moves more than one run, but for the list of runs itself.
 * Some 10 bytes a position, and nothing while it is empty. An instant more than 49 days ahead of the earliest is kept as an earlier one.
 */
export class Runs {
  /** The only one, or the first. */
  #run: Run | null = null
  #directory: Directory | null = null
  #size = 0
  /** Where the instants begin, in units of some 17 minutes: a small integer costs no object of its own. */
  #base = 0

  get size(): number {
    return this.#size
  }

  /** Whether one run holds them all. */
  get isShort(): boolean {
    return this.#directory === null
  }

  /** The earliest instant, or Infinity. */
  get firstAtMs(): number {
    if (this.#directory !== null) return this.#directory.firstAtMs
    return this.#size === 0 ? Infinity : this.#firstOf(this.#at(0))
  }

  /** The position of the earliest instant; there must be one. */
  get first(): number {
    const run = this.#directory === null ? this.#at(0) : this.#directory.first
    return run.words[run.least]
  }

  has(position: number): boolean {
    if (this.#size === 0) return false
    const run = this.#at(this.#runOf(position))
    const at = lowerBound(run, position)
    return at < run.size && run.words[at] === position
  }

  /**
   * Sets a position's instant, which is after `nowMs`, and is kept as one after it. Answers whether the position is new.
   * Instants up to `nowMs` may be kept as others up to it, where they are weeks ago.
   */
  set(position: number, atMs: number, nowMs: number = -Infinity): boolean {
    if (this.#size === 0) this.#begin(atMs)
    const offset = this.#offset(atMs, nowMs)
    const at = this.#runOf(position)
    const run = this.#at(at)
    const place = lowerBound(run, position)
    if (place < run.size && run.words[place] === position) {
      this.#move(run, place, offset)
      return false
    }
    this.#size++
    if (run.size < MOST) this.#insert(run, place, position, offset)
    else {
      this.#split(at, position)
      const half = this.#at(this.#runOf(position))
      this.#insert(half, lowerBound(half, position), position, offset)
    }
    return true
  }

  /** Takes a position out. Answers whether it was in. */
  delete(position: number): boolean {
    if (this.#size === 0) return false
    const at = this.#runOf(position)
    const run = this.#at(at)
    const place = lowerBound(run, position)
    if (place === run.size || run.words[place] !== position) return false
    if (--this.#size === 0) {
      this.#run = null
      this.#directory = null
      return true
    }
    if (takeOut(run, place)) this.#seekLeast(run)
    if (run.size < FEW) this.#shorten(at, run)
    return true
  }

  clear(): void {
    this.#run = null
    this.#directory = null
    this.#size = 0
  }

  /** How many are from `start` to below `end`. */
  count(start: number, end: number): number {
    if (this.#size === 0) return 0
    const from = this.#runOf(start)
    const to = this.#runOf(end)
    let count = lowerBound(this.#at(to), end) - lowerBound(this.#at(from), start)
    for (let i = from; i < to; i++) count += this.#at(i).size
    return count
  }

  /** How many are below a position, of no more than one run; it is known to be from `least` to `most`. */
  protected shortBelow(position: number, least: number, most: number): number {
    return lowerBound(this.#at(0), position, least, most)
  }

  /** The k-th (from 0) at or after `start`. */
  nth(start: number, k: number): number {
    let at = this.#runOf(start)
    let rest = lowerBound(this.#at(at), start) + k
    while (rest >= this.#at(at).size) rest -= this.#at(at++).size
    return this.#at(at).words[rest]
  }

  /**
   * How many of the `count` from `start` on stand before the k-th (from 0) place that `all` has and this has not.
   * All from `start` on up to there must be in `all`. O(log n) ranks.
   */
  countBefore(all: CountedBits, start: number, count: number, k: number): number {
    if (count === 0) return 0
    let at = this.#runOf(start)
    // all.rank(p_j) - j others stand before the j-th: it grows with j, so the last one of k or fewer is searched for.
    let passed = -lowerBound(this.#at(at), start)
    let last = this.#runOf(this.nth(start, count - 1))
    while (at < last) {
      const middle = (at + last) >>> 1
      let through = passed
      for (let i = at; i <= middle; i++) through += this.#at(i).size
      const { words, size } = this.#at(middle)
      if (through === 0 || all.rank(words[size - 1] & LOCAL_MASK) - (through - 1) <= k) {
        passed = through
        at = middle + 1
      } else last = middle
    }
    const run = this.#at(at)
    const end = Math.min(run.size, count - passed)
    return passed + firstAfter(run, Math.max(0, -passed), end, passed, all, k)
  }

  /** The same within one run, of those from the `from`-th to below the `to`-th: all of a country. */
  protected shortBefore(all: CountedBits, from: number, to: number, k: number): number {
    return firstAfter(this.#at(0), from, to, -from, all, k) - from
  }

  /** The positions from `start` to below `end`, in order. They must not change meanwhile. */
  *between(start: number, end: number): Generator<number> {
    if (this.#size === 0) return
    const count = this.#directory === null ? 1 : this.#directory.runs.length
    let at = this.#runOf(start)
    for (let i = lowerBound(this.#at(at), start); at < count; at++, i = 0) {
      const { words, size } = this.#at(at)
      for (; i < size; i++) {
        if (words[i] >= end) return
        yield words[i]
      }
    }
  }

  /** The first position from `start` to below `end` whose instant has come, or -1. O(runs there). */
  firstDue(start: number, end: number, nowMs: number): number {
    if (this.#size === 0) return -1
    const to = this.#runOf(end)
    for (let at = this.#runOf(start); at <= to; at++) {
      const run = this.#at(at)
      if (this.#firstOf(run) > nowMs) continue
      const { words, size } = run
      const latest = nowMs - this.#baseMs
      for (let i = lowerBound(run, start); i < size && words[i] < end; i++) {
        if (words[(words.length >>> 1) + i] <= latest) return words[i]
      }
    }
    return -1
  }

  /** Visits positions from the earliest instant on, until `visit` answers false. */
  inOrder(visit: (position: number, atMs: number) => boolean): void {
    if (this.#size === 0) return
    const merge = new Merge(this.#baseMs, visit)
    if (this.#directory === null) merge.open(this.#at(0))
    else {
      let goesOn = true
      this.#directory.inOrder((run, atMs) => {
        goesOn = merge.goTo(atMs)
        if (goesOn) merge.open(run)
        return goesOn
      })
      if (!goesOn) return
    }
    merge.goTo(Infinity)
  }

  #at(at: number): Run {
    return this.#directory === null ? (this.#run as Run) : this.#directory.runs[at]
  }

  get #baseMs(): number {
    return this.#base * BASE_MS
  }

  /** The run that a position is in, or would be. */
  #runOf(position: number): number {
    return this.#directory === null ? 0 : this.#directory.find(position)
  }

  #begin(atMs: number): void {
    this.#base = baseFor(atMs)
    this.#run = { words: new Uint32Array(16), size: 0, least: 0, handle: 0 }
  }

  #firstOf(run: Run): number {
    return this.#baseMs + earliestOf(run)
  }

  #offset(atMs: number, nowMs: number): number {
    let offset = atMs - this.#baseMs
    if (offset < 0) this.#rebase(baseFor(atMs))
    else if (offset > LATEST && this.#size > 0) {
      // However long ago something has fallen due, what is still to come may not be kept as due.
      const firstMs = Math.max(Math.min(this.firstAtMs, atMs), nowMs)
      if (firstMs - this.#baseMs >= MOVE_UP) this.#rebase(baseFor(firstMs))
    }
    offset = atMs - this.#baseMs
    return offset > LATEST ? LATEST : offset
  }

  /** O(n), once in weeks: instants stay what they are, but for those that become too late to keep. */
  #rebase(base: number): void {
    const by = (this.#base - base) * BASE_MS
    this.#base = base
    const count = this.#directory === null ? 1 : this.#directory.runs.length
    for (let at = 0; at < count; at++) {
      const run = this.#at(at)
      const half = run.words.length >>> 1
      for (let i = half; i < half + run.size; i++) {
        run.words[i] = Math.max(0, Math.min(run.words[i] + by, LATEST))
      }
      this.#seekLeast(run)
    }
  }

  #insert(run: Run, place: number, position: number, offset: number): void {
    if (insert(run, place, position, offset)) this.#rank(run)
  }

  /** Gives a position that is in another instant. */
  #move(run: Run, place: number, offset: number): void {
    const { words } = run
    const half = words.length >>> 1
    const before = words[half + place]
    words[half + place] = offset
    if (offset < words[half + run.least]) {
      run.least = place
      this.#rank(run)
    } else if (place === run.least && offset !== before) this.#seekLeast(run)
  }

  #seekLeast(run: Run): void {
    seekLeast(run)
    this.#rank(run)
  }

  /** Ranks a run among the others, after its earliest instant has changed. */
  #rank(run: Run): void {
    if (this.#directory !== null) this.#directory.rank(run, this.#firstOf(run))
  }

  /** Makes room in a full run: its upper half becomes one, or a new one begins where the position comes after all of it. */
  #split(at: number, position: number): void {
    const run = this.#at(at)
    const { words } = run
    const kept = position > words[MOST - 1] ? MOST : MOST >>> 1
    const upper: Run = { words: new Uint32Array(MOST * 2), size: MOST - kept, least: 0, handle: 0 }
    upper.words.set(words.subarray(kept, MOST))
    upper.words.set(words.subarray(MOST + kept, MOST * 2), MOST)
    this.#directory ??= new Directory(run, this.#firstOf(run))
    this.#directory.add(at, upper, kept === MOST ? position : upper.words[0])
    run.size = kept
    if (kept === MOST) return
    this.#seekLeast(run)
    this.#seekLeast(upper)
  }

  /** Of a run that has become short: joins it to a neighbour, or gives its room back. */
  #shorten(at: number, run: Run): void {
    if (this.#directory === null) {
      if (run.size * 8 < run.words.length && run.size >= 8) resize(run, run.size * 2)
      return
    }
    const { runs } = this.#directory
    const lower = at > 0 ? at - 1 : at
    if (runs[lower].size + runs[lower + 1].size <= MOST - FEW || run.size === 0) {
      this.#join(lower, this.#directory)
    }
  }

  /** Moves all of the run after `at` into it. */
  #join(at: number, directory: Directory): void {
    const run = directory.runs[at]
    const { words, size } = directory.runs[at + 1]
    if (run.words.length < MOST * 2) resize(run, MOST)
    run.words.set(words.subarray(0, size), run.size)
    run.words.set(words.subarray(words.length >>> 1, (words.length >>> 1) + size), MOST + run.size)
    run.size += size
    directory.remove(at + 1)
    this.#seekLeast(run)
    if (directory.runs.length === 1) this.#directory = null
  }
}

/** Where instants begin of which this is the first. */
function baseFor(atMs: number): number {
  return Math.floor((atMs - BEFORE_FIRST) / BASE_MS)
}
