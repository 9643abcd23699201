// hot path: every settle that changes a pair, and every acquire in a domain with exclusions, reads and writes here.
import type { ExclusionReason, Health, PairRecord, Probe } from '../health/record.ts'
import type { Domain, Domains } from './domains.ts'
import { Names } from './names.ts'
import type { Change } from './store.ts'
import { HandleTable } from '../table.ts'

const CHUNK_BITS = 9
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

// A chunk's columns lie side by side, so that a record is three cache lines, and growth is one chunk at a time.
const INSTANTS = 3
const UNTIL = 0
const STRIKE_AT = 1
const VERSION = 2
const WORDS = 6
const EXIT = 0
const DOMAIN = 1
const EPOCH = 2
const FORGET_MINUTE = 3
const BEFORE = 4
const AFTER = 5
const BYTES = 5
const STRIKES = 0
const RUNG = 1
const OK_STREAK = 2
const LIMITED_STREAK = 3
const FLAGS = 4

const HEALTHS: readonly Health[] = ['available', 'limited', 'unavailable']
const REASONS: readonly ExclusionReason[] = ['rate_limited', 'challenged', 'blocked', 'manual']
const HAS_PROBE = 16
const HAS_MANUAL = 32
const LIVE = 64
const MINUTE_MS = 60_000

interface Chunk {
  readonly instants: Float64Array
  readonly words: Uint32Array
  readonly bytes: Uint8Array
}

/**
 * The truth of all pairs, packed: 64 bytes a record, its index included, the exit's name aside (once an exit, 24 bytes more).
 * A record is known by (exit, domain), and stands in its domain's list in order of change. Every call is O(1), growth included.
 * Probes and manual exclusions are few, and stand aside.
 */
export class Records {
  readonly #exits = new Names()
  /** Records of each exit, by its handle. */
  readonly #uses: Uint32Array[] = []
  readonly #table = new HandleTable()
  readonly #chunks: Chunk[] = []
  readonly #probes = new Map<number, Probe>()
  readonly #manuals = new Map<number, { readonly untilMs: number }>()
  #cursor = 0

  get size(): number {
    return this.#table.size
  }

  /** The pair's record, or -1. */
  find(exit: string, domain: Domain): number {
    if (domain.records === 0) return -1
    const exitHandle = this.#exits.find(exit)
    if (exitHandle < 0) return -1
    const table = this.#table
    const hash = pairHash(exitHandle, domain.handle)
    for (let handle = table.first(hash); handle >= 0; handle = table.next(handle)) {
      if (table.hashOf(handle) !== hash) continue
      const { words } = this.#chunks[handle >>> CHUNK_BITS]
      const at = (handle & IN_CHUNK) * WORDS
      if (words[at + EXIT] === exitHandle && words[at + DOMAIN] === domain.handle) return handle
    }
    return -1
  }

  /** Adds a pair that `find` does not know; `write` must follow. */
  add(exit: string, domain: Domain): number {
    const exitHandle = this.#useExit(exit)
    const handle = this.#table.add(pairHash(exitHandle, domain.handle))
    if (handle >>> CHUNK_BITS === this.#chunks.length) {
      this.#chunks.push({
        instants: new Float64Array(CHUNK * INSTANTS),
        words: new Uint32Array(CHUNK * WORDS),
        bytes: new Uint8Array(CHUNK * BYTES),
      })
    }
    const { words, bytes } = this.#chunks[handle >>> CHUNK_BITS]
    const at = (handle & IN_CHUNK) * WORDS
    words[at + EXIT] = exitHandle
    words[at + DOMAIN] = domain.handle
    bytes[(handle & IN_CHUNK) * BYTES + FLAGS] = LIVE
    this.#append(handle, domain)
    domain.records++
    return handle
  }

  read(handle: number): PairRecord {
    const { instants, words, bytes } = this.#chunks[handle >>> CHUNK_BITS]
    const instant = (handle & IN_CHUNK) * INSTANTS
    const word = (handle & IN_CHUNK) * WORDS
    const byte = (handle & IN_CHUNK) * BYTES
    const flags = bytes[byte + FLAGS]
    const record: Mutable<PairRecord> = {
      health: HEALTHS[flags & 3],
      rung: bytes[byte + RUNG],
      untilMs: instants[instant + UNTIL],
      epoch: words[word + EPOCH],
      strikes: bytes[byte + STRIKES],
      strikeAtMs: instants[instant + STRIKE_AT],
      okStreak: bytes[byte + OK_STREAK],
      limitedStreak: bytes[byte + LIMITED_STREAK],
      reason: REASONS[(flags >> 2) & 3],
      forgetAtMs: words[word + FORGET_MINUTE] * MINUTE_MS,
    }
    if ((flags & HAS_PROBE) !== 0) record.probe = this.#probes.get(handle) as Probe
    if ((flags & HAS_MANUAL) !== 0) record.manual = this.#manuals.get(handle) as { untilMs: number }
    return record
  }

  /** Writes a record as the domain's newest change. */
  write(handle: number, record: PairRecord, domain: Domain, version: number): void {
    const { instants, words, bytes } = this.#chunks[handle >>> CHUNK_BITS]
    const instant = (handle & IN_CHUNK) * INSTANTS
    const word = (handle & IN_CHUNK) * WORDS
    const byte = (handle & IN_CHUNK) * BYTES
    let flags = LIVE | HEALTHS.indexOf(record.health) | (REASONS.indexOf(record.reason) << 2)
    const before = bytes[byte + FLAGS]
    if (record.probe !== undefined) {
      flags |= HAS_PROBE
      this.#probes.set(handle, record.probe)
    } else if ((before & HAS_PROBE) !== 0) this.#probes.delete(handle)
    if (record.manual !== undefined) {
      flags |= HAS_MANUAL
      this.#manuals.set(handle, record.manual)
    } else if ((before & HAS_MANUAL) !== 0) this.#manuals.delete(handle)
    bytes[byte + STRIKES] = record.strikes
    bytes[byte + RUNG] = record.rung
    bytes[byte + OK_STREAK] = record.okStreak
    bytes[byte + LIMITED_STREAK] = record.limitedStreak
    bytes[byte + FLAGS] = flags
    words[word + EPOCH] = record.epoch
    words[word + FORGET_MINUTE] = record.forgetAtMs / MINUTE_MS
    instants[instant + UNTIL] = record.untilMs
    instants[instant + STRIKE_AT] = record.strikeAtMs
    instants[instant + VERSION] = version
    if (domain.last !== handle) {
      this.#unlink(handle, domain)
      this.#append(handle, domain)
    }
    domain.version = version
  }

  /** The epoch of a pair that a dispatch may go to as if it had no record, or -1: a look without building the record. */
  clearEpoch(handle: number, nowMs: number): number {
    const { instants, words, bytes } = this.#chunks[handle >>> CHUNK_BITS]
    const flags = bytes[(handle & IN_CHUNK) * BYTES + FLAGS]
    const word = (handle & IN_CHUNK) * WORDS
    if (nowMs >= words[word + FORGET_MINUTE] * MINUTE_MS) return 0
    if ((flags & 3) === 2 || (flags & HAS_MANUAL) !== 0) return -1
    if ((flags & 3) === 1 && nowMs < instants[(handle & IN_CHUNK) * INSTANTS + UNTIL]) return -1
    return words[word + EPOCH]
  }

  /** What changed in a domain after `version`, oldest first; from 0 on without what is forgotten. O(changes). */
  changesSince(domain: Domain, version: number, nowMs: number): Change[] {
    const changes: Change[] = []
    for (let handle = domain.last; handle >= 0; handle = this.#word(handle, BEFORE) - 1) {
      const { instants } = this.#chunks[handle >>> CHUNK_BITS]
      if (instants[(handle & IN_CHUNK) * INSTANTS + VERSION] <= version) break
      const record = this.read(handle)
      const forgotten = nowMs >= record.forgetAtMs
      if (forgotten && version === 0) continue
      const exit = this.#exits.at(this.#word(handle, EXIT))
      changes.push({ exit, record: forgotten ? null : record })
    }
    return changes.reverse()
  }

  /** Looks at the next `steps` places, and drops what is forgotten. Gives the number of records dropped. */
  sweep(steps: number, nowMs: number, domains: Domains): number {
    let dropped = 0
    const { handles } = this.#table
    for (let i = 0; i < steps && i < handles; i++) {
      if (this.#cursor >= handles) this.#cursor = 0
      const handle = this.#cursor++
      const { bytes } = this.#chunks[handle >>> CHUNK_BITS]
      if ((bytes[(handle & IN_CHUNK) * BYTES + FLAGS] & LIVE) === 0) continue
      if (nowMs < this.#word(handle, FORGET_MINUTE) * MINUTE_MS) continue
      this.#drop(handle, domains.at(this.#word(handle, DOMAIN)))
      dropped++
    }
    return dropped
  }

  #drop(handle: number, domain: Domain): void {
    const { bytes, instants } = this.#chunks[handle >>> CHUNK_BITS]
    // Who has not seen the record's last change would never hear of it now, and must start anew.
    const version = instants[(handle & IN_CHUNK) * INSTANTS + VERSION]
    domain.floor = Math.max(domain.floor, version - 1)
    bytes[(handle & IN_CHUNK) * BYTES + FLAGS] = 0
    this.#probes.delete(handle)
    this.#manuals.delete(handle)
    this.#unlink(handle, domain)
    domain.records--
    const exit = this.#word(handle, EXIT)
    if (--this.#uses[exit >>> CHUNK_BITS][exit & IN_CHUNK] === 0) this.#exits.remove(exit)
    this.#table.remove(handle)
  }

  #useExit(exit: string): number {
    let handle = this.#exits.find(exit)
    if (handle < 0) handle = this.#exits.add(exit)
    if (handle >>> CHUNK_BITS === this.#uses.length) this.#uses.push(new Uint32Array(CHUNK))
    this.#uses[handle >>> CHUNK_BITS][handle & IN_CHUNK]++
    return handle
  }

  #word(handle: number, column: number): number {
    return this.#chunks[handle >>> CHUNK_BITS].words[(handle & IN_CHUNK) * WORDS + column]
  }

  #setWord(handle: number, column: number, value: number): void {
    this.#chunks[handle >>> CHUNK_BITS].words[(handle & IN_CHUNK) * WORDS + column] = value
  }

  #append(handle: number, domain: Domain): void {
    this.#setWord(handle, BEFORE, domain.last + 1)
    this.#setWord(handle, AFTER, 0)
    if (domain.last >= 0) this.#setWord(domain.last, AFTER, handle + 1)
    domain.last = handle
  }

  #unlink(handle: number, domain: Domain): void {
    const before = this.#word(handle, BEFORE) - 1
    const after = this.#word(handle, AFTER) - 1
    if (before >= 0) this.#setWord(before, AFTER, after + 1)
    if (after < 0) domain.last = before
    else this.#setWord(after, BEFORE, before + 1)
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Mixes two small integers, each times an odd constant, then one round of multiply and shift: neighbours spread. */
function pairHash(exit: number, domain: number): number {
  let hash = Math.imul(exit, 0x9e3779b1) ^ Math.imul(domain, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35)
  return (hash ^ (hash >>> 15)) >>> 0
}
