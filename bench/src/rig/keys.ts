import { seededRandom } from '@ostler/core'
import { zipfRanks } from './random.ts'

/** Which keys come, in which order, and what came of them. Each contender has one of its own. */
export interface Calls<Limiter> {
  readonly limiter: Limiter
  readonly keys: string[]
  /** Indexes of `keys`; a power of two of them, taken round and round. */
  readonly order: Uint32Array
  at: number
  allowed: number
  made: number
}

/** A load that every contender of a table is put under. */
export interface Load {
  /** How many keys there are in all. */
  readonly keyCount: number
  /** By how much an injected clock moves on with each call: so that 60 a minute are seldom too few. */
  readonly stepMs: number
  /** Each key once: what a limiter has seen before it is timed. */
  everyKey(): Iterable<string>
  calls<Limiter>(limiter: Limiter): Calls<Limiter>
  /** Makes the strings of the next calls anew, as they would come off a socket. */
  refresh?(calls: Calls<unknown>): void
}

const DRAWS = 1 << 16

export const oneKey: Load = {
  keyCount: 1,
  stepMs: 1_000,
  everyKey: () => ['ak_live_7Q2xM'],
  calls: (limiter) => callsOf(limiter, ['ak_live_7Q2xM'], new Uint32Array(DRAWS)),
}

export const zipfKeys: Load = {
  keyCount: 10_000,
  stepMs: 120,
  everyKey: () => keyNames(10_000),
  calls: (limiter) => callsOf(limiter, keyNames(10_000), zipfRanks(10_000, DRAWS, 3)),
}

/** So few that all of them lie in the nearest cache. */
export const fewKeys: Load = {
  keyCount: 64,
  stepMs: 1_000,
  everyKey: () => keyNames(64),
  calls: (limiter) => callsOf(limiter, keyNames(64), zipfRanks(64, DRAWS, 3)),
}

const FRESH = 1_000_000
const KEY_BYTES = 15
/** Strings that are made at a time: as many as one sample uses up. */
const PORTION = 1_024

/** A million keys, each call with a string that nobody has hashed yet. */
export const freshKeys: Load = {
  keyCount: FRESH,
  stepMs: 1,
  *everyKey() {
    const { bytes } = (source ??= freshSource())
    for (let from = 0; from < bytes.length; from += KEY_BYTES) {
      yield bytes.toString('latin1', from, from + KEY_BYTES)
    }
  },
  calls(limiter) {
    const calls = callsOf(
      limiter,
      [],
      Uint32Array.from({ length: PORTION }, (_, i) => i),
    )
    this.refresh?.(calls)
    return calls
  },
  refresh({ keys }) {
    const { bytes, random } = (source ??= freshSource())
    for (let i = 0; i < PORTION; i++) {
      const from = Math.floor(random() * FRESH) * KEY_BYTES
      keys[i] = bytes.toString('latin1', from, from + KEY_BYTES)
    }
  },
}

interface Source {
  readonly bytes: Buffer
  readonly random: () => number
}
let source: Source | null = null

function freshSource(): Source {
  return { bytes: Buffer.from(keyNames(FRESH).join('')), random: seededRandom(5) }
}

/** `ak_live_0000000`: all of one length. */
export function keyNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => keyName(i))
}

function keyName(i: number): string {
  return `ak_live_${String(i).padStart(7, '0')}`
}

/**
 * The same, flat and in no need of another's memory, as they would come off a socket. Those that are
 * put together are flattened when they are first read, by whom they are counted against.
 */
export function flatKeyNames(count: number): string[] {
  const bytes = Buffer.from(keyNames(count).join(''))
  return Array.from({ length: count }, (_, i) =>
    bytes.toString('latin1', i * KEY_BYTES, (i + 1) * KEY_BYTES),
  )
}

/** The same a portion at a time, each made when it is wanted: none is held for long but by who is given it. */
export function* keyPortions(count: number): Generator<readonly string[]> {
  for (let from = 0; from < count; from += PORTION) {
    const names: string[] = []
    for (let i = from; i < Math.min(from + PORTION, count); i++) names.push(keyName(i))
    const bytes = Buffer.from(names.join(''))
    yield names.map((_, i) => bytes.toString('latin1', i * KEY_BYTES, (i + 1) * KEY_BYTES))
  }
}

function callsOf<Limiter>(limiter: Limiter, keys: string[], order: Uint32Array): Calls<Limiter> {
  return { limiter, keys, order, at: 0, allowed: 0, made: 0 }
}
