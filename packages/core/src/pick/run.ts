// hot path: where an exclusion is written and found.
import { ExpiryHeap } from './expiry.ts'
import type { CountedBits } from './positions.ts'

/** A position: the index of a country in the high byte, a place in its range in the low 24 bits. */
export const COUNTRY_SHIFT = 24
export const LOCAL_MASK = 0xffffff

/** Positions of one run at most: finding, moving and looking for the earliest all stay within a few cache lines. */
export const MOST = 128

/** Positions in ascending order, and behind all of them the instants of their next change, in the same order. */
export interface Run {
  words: Uint32Array<ArrayBuffer>
  size: number
  /** Where the earliest instant stands. */
  least: number
  /** Its handle among the runs by earliest instant. */
  handle: number
}

/** Its earliest instant. */
export function earliestOf({ words, least }: Run): number {
  return words[(words.length >>> 1) + least]
}

/** Where a position is in a run, or would be; it is known to be from `least` to `most`. */
export function lowerBound(run: Run, position: number, least = 0, most: number = run.size): number {
  const { words } = run
  let low = least
  let high = most
  while (low < high) {
    const middle = (low + high) >>> 1
    if (words[middle] < position) low = middle + 1
    else high = middle
  }
  return low
}

/** The first place from `low` to below `high` that stands after the k-th that `all` has and the run has not; `passed` more stand before the run. */
export function firstAfter(
  { words }: Run,
  low: number,
  high: number,
  passed: number,
  all: CountedBits,
  k: number,
): number {
  let least = low
  let most = high
  while (least < most) {
    const middle = (least + most) >>> 1
    if (all.rank(words[middle] & LOCAL_MASK) - (passed + middle) <= k) least = middle + 1
    else most = middle
  }
  return least
}

/** Puts a position that is not in it at its place. Answers whether its instant is now the earliest. */
export function insert(run: Run, place: number, position: number, instant: number): boolean {
  if (run.size * 2 === run.words.length) resize(run, run.size + (run.size >>> 4) + 4)
  const { words, size } = run
  const half = words.length >>> 1
  for (let i = size; i > place; i--) {
    words[i] = words[i - 1]
    words[half + i] = words[half + i - 1]
  }
  words[place] = position
  words[half + place] = instant
  run.size++
  if (size > 0 && place <= run.least) run.least++
  const earliest = words[half + run.least]
  if (size > 0 && (instant > earliest || (instant === earliest && place > run.least))) return false
  run.least = place
  return true
}

/** Takes out what is at a place. Answers whether its instant was the earliest: `seekLeast` must follow. */
export function takeOut(run: Run, place: number): boolean {
  const { words, size } = run
  const half = words.length >>> 1
  for (let i = place + 1; i < size; i++) {
    words[i - 1] = words[i]
    words[half + i - 1] = words[half + i]
  }
  run.size--
  if (place < run.least) run.least--
  else if (place === run.least) return true
  return false
}

/** Finds the earliest instant; of equal ones the first. */
export function seekLeast(run: Run): void {
  const { words, size } = run
  const half = words.length >>> 1
  let least = 0
  let earliest = words[half]
  for (let i = 1; i < size; i++) {
    if (words[half + i] >= earliest) continue
    least = i
    earliest = words[half + i]
  }
  run.least = least
}

/** Gives a run room for so many positions, but for no more than a run may have. */
export function resize(run: Run, room: number): void {
  const { words, size } = run
  const most = Math.min(room, MOST)
  const next = new Uint32Array(most * 2)
  const half = words.length >>> 1
  next.set(words.subarray(0, size))
  next.set(words.subarray(half, half + size), most)
  run.words = next
}

/** Its places by instant. */
function placesInOrder({ words, size }: Run): number[] {
  const half = words.length >>> 1
  const places = Array.from({ length: size }, (_, place) => place)
  return places.sort((a, b) => words[half + a] - words[half + b])
}

/** The positions of several runs by instant: runs are opened as their earliest instant comes. */
export class Merge {
  readonly #baseMs: number
  readonly #visit: (position: number, atMs: number) => boolean
  readonly #open: { readonly run: Run; readonly order: readonly number[]; next: number }[] = []
  readonly #waiting = new ExpiryHeap()

  constructor(baseMs: number, visit: (position: number, atMs: number) => boolean) {
    this.#baseMs = baseMs
    this.#visit = visit
  }

  open(run: Run): void {
    const handle = this.#open.push({ run, order: placesInOrder(run), next: 0 }) - 1
    this.#waiting.set(handle, this.#baseMs + earliestOf(run))
  }

  /** Visits what comes up to an instant in the runs that are open; false once the visitor has answered so. */
  goTo(atMs: number): boolean {
    while (this.#waiting.size > 0 && this.#waiting.firstAtMs <= atMs) {
      const handle = this.#waiting.first
      const cursor = this.#open[handle]
      const { words } = cursor.run
      const half = words.length >>> 1
      const place = cursor.order[cursor.next++]
      if (!this.#visit(words[place], this.#baseMs + words[half + place])) return false
      if (cursor.next === cursor.order.length) this.#waiting.remove(handle)
      else this.#waiting.set(handle, this.#baseMs + words[half + cursor.order[cursor.next]])
    }
    return true
  }
}
