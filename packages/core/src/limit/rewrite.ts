import type { Arena } from './arena.ts'
import {
  ARENA_BITS,
  ARENA_MASK,
  BASE_STEP_MS,
  BLOCK,
  CLASS,
  META,
  NEWEST,
  PAIRS,
  RING,
  SUM,
} from './layout.ts'
import { MAX_LOG_ENTRIES, UNIT_LIMIT } from './policy.ts'

/**
 * The rare writes of a hit log: to grow, to convert, to put a hit before another one, to take one
 * back. The log is read into runs of (time, cost), changed there, and written anew into a block of
 * the right size. O(entries), at most 4,096.
 */

/** One more than a log may hold; shared, for every rewrite ends before the next begins. */
const timesMs = new Float64Array(MAX_LOG_ENTRIES + 1)
const costs = new Float64Array(MAX_LOG_ENTRIES + 1)

/** Adds `cost` at the effective time `atMs`, wherever it belongs. */
export function rewriteWith(
  arena: Arena,
  words: Uint32Array,
  start: number,
  atMs: number,
  cost: number,
  pairs: boolean,
): void {
  let runs = readRuns(arena, words, start)
  let i = runs
  while (i > 0 && timesMs[i - 1] >= atMs) i--
  if (i < runs && timesMs[i] === atMs) costs[i] += cost
  else {
    timesMs.copyWithin(i + 1, i, runs)
    costs.copyWithin(i + 1, i, runs)
    timesMs[i] = atMs
    costs[i] = cost
    runs++
  }
  if (runs > MAX_LOG_ENTRIES) {
    // Only quanta that change from call to call get here: the oldest hit then counts as long as the
    // next one.
    costs[1] += costs[0]
    timesMs.copyWithin(0, 1, runs)
    costs.copyWithin(0, 1, runs)
    runs--
  }
  writeRuns(arena, words, start, runs, words[start + SUM] + cost, pairs)
}

/** Takes `cost` from the run at `atMs`; false where there is less, and then nothing changes. */
export function rewriteWithout(
  arena: Arena,
  words: Uint32Array,
  start: number,
  atMs: number,
  cost: number,
): boolean {
  let runs = readRuns(arena, words, start)
  const i = timesMs.subarray(0, runs).indexOf(atMs)
  if (i < 0 || costs[i] < cost) return false
  costs[i] -= cost
  if (costs[i] === 0) {
    timesMs.copyWithin(i, i + 1, runs)
    costs.copyWithin(i, i + 1, runs)
    runs--
  }
  writeRuns(
    arena,
    words,
    start,
    runs,
    words[start + SUM] - cost,
    (words[start + META] & PAIRS) !== 0,
  )
  return true
}

/** Reads a log into the runs, oldest first; how many. */
function readRuns(arena: Arena, words: Uint32Array, start: number): number {
  const meta = words[start + META]
  const baseMs = (meta >>> 5) * BASE_STEP_MS
  const count = words[start + RING] & 0xffff
  if ((meta & CLASS) === 0) {
    timesMs[0] = baseMs + words[start + NEWEST]
    costs[0] = words[start + SUM]
    return count
  }
  const address = words[start + BLOCK]
  const block = arena.segments[address >>> ARENA_BITS]
  const offset = address & ARENA_MASK
  const width = (meta & PAIRS) >>> 4
  const mask = (1 << ((meta & CLASS) - width)) - 1
  const head = words[start + RING] >>> 16
  let sum = 0
  if (width === 1) {
    const total = block[offset + (((head + count - 1) & mask) << 1) + 1]
    sum = (total - words[start + SUM]) >>> 0
  }
  let runs = 0
  for (let i = 0; i < count; i++) {
    const entry = offset + (((head + i) & mask) << width)
    const atMs = baseMs + block[entry]
    const cost = width === 0 ? 1 : (block[entry + 1] - sum) >>> 0
    if (width === 1) sum = block[entry + 1]
    if (runs > 0 && timesMs[runs - 1] === atMs) costs[runs - 1] += cost
    else {
      timesMs[runs] = atMs
      costs[runs++] = cost
    }
  }
  return runs
}

/** Writes the runs, of `sum` cost, as a slot's whole log. */
function writeRuns(
  arena: Arena,
  words: Uint32Array,
  start: number,
  runs: number,
  sum: number,
  pairs: boolean,
): void {
  const size = words[start + META] & CLASS
  const width = pairs || sum > UNIT_LIMIT ? 1 : 0
  const entries = width === 1 ? runs : sum
  const wanted = runs < 2 ? 0 : Math.max(2, 32 - Math.clz32((entries << width) - 1))
  if (size !== wanted) {
    if (size !== 0) arena.give(words[start + BLOCK], size)
    if (wanted !== 0) words[start + BLOCK] = arena.take(wanted)
  }
  const step = runs === 0 ? 0 : Math.floor(timesMs[0] / BASE_STEP_MS)
  const baseMs = step * BASE_STEP_MS
  words[start + META] = (step << 5) | (width << 4) | wanted
  words[start + RING] = wanted === 0 ? runs : entries
  words[start + SUM] = sum
  words[start + NEWEST] = runs === 0 ? 0 : timesMs[runs - 1] - baseMs
  if (wanted === 0) return
  const address = words[start + BLOCK]
  const block = arena.segments[address >>> ARENA_BITS]
  let next = address & ARENA_MASK
  let total = 0
  for (let i = 0; i < runs; i++) {
    total += costs[i]
    if (width === 1) {
      block[next++] = timesMs[i] - baseMs
      block[next++] = total
    } else for (let j = 0; j < costs[i]; j++) block[next++] = timesMs[i] - baseMs
  }
}
