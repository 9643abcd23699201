// hot path: every settle that changes a pair, and every acquire in a domain with exclusions, reads and writes here.
import type { ExclusionReason, Health, PairRecord } from '../health/record.ts'
import type { Domain, Domains } from './domains.ts'
import { Names } from './names.ts'
import type { Change } from './store.ts'
import { hash32 } from '../random.ts'
import { roomFor } from '../room.ts'
import { HandleTable } from '../table.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

// A record's words stand behind its link in the table, so that it is one or two cache lines, and growth is one chunk at a time.
const OWN_WORDS = 9
const WORDS = OWN_WORDS + 1
const EXIT = 1
const DOMAIN = 2
const FORGET_MINUTE = 3
/** How long before the record is forgotten its untilMs is (or its manual exclusion's), and its strikeAtMs; NEVER for an instant of 0. */
const UNTIL_BACK = 4
const STRIKE_BACK = 5
/** The lowest 32 bits: enough to tell how many changes ago it was. */
const VERSION = 6
const BEFORE = 7
const AFTER = 8
const BITS = 9

// What is small shares a word: health 2 bits, reason 2, flags 3, rung 5, okStreak 4, strikes 8, limitedStreak 8.
const HEALTHS: readonly Health[] = ['available', 'limited', 'unavailable']
const REASONS: readonly ExclusionReason[] = ['rate_limited', 'challenged', 'blocked', 'manual']
const REASON_SHIFT = 2
const LIVE = 1 << 4
/** UNTIL_BACK is of the manual exclusion: there is no other. */
const MANUAL = 1 << 5
/** The record does not fit, and stands aside: one with a probe, with exclusions of both kinds, of unheard-of length or number. */
const ASIDE = 1 << 6
const RUNG_SHIFT = 7
const MOST_RUNG = 31
const OK_SHIFT = 12
const MOST_OKS = 15
const STRIKES_SHIFT = 16
const LIMITED_SHIFT = 24
const MOST_SHORT_EPOCH = 0xffff
const NEVER = 0xffff_ffff
const MINUTE_MS = 60_000
const MOST_MINUTES = 0xffff_ffff

/** The exit's handle has not been looked for. */
const UNKNOWN = -2

interface Chunk {
  readonly words: Uint32Array
  readonly epochs: Uint16Array
  aside: (PairRecord | null)[] | null
}

/**
 * The truth of all pairs, packed: 46 bytes a record, its index included, the exit's name aside (once an exit, 24 bytes more).
 * A record is known by (exit, domain), and stands in its domain's list in order of change. Every call is O(1), growth included.
 * What does not fit (probes, above all) is kept whole, and rare.
 */
export class Records {
  readonly #exits = new Names()
  /** Records of each exit, by its handle. */
  readonly #uses: Uint32Array[] = []
  readonly #chunks: Chunk[] = []
  readonly #table = new HandleTable(
    (handle) => pairHash(this.#exits.hashOf(this.#word(handle, EXIT)), this.#word(handle, DOMAIN)),
    OWN_WORDS,
  )
  #cursor = 0
  /** The exit that was asked for last, its hash, and its handle once that was looked for: one decision asks for the same one several times. */
  #asked: string | null = null
  #askedHash = 0
  #askedHandle = UNKNOWN

  get size(): number {
    return this.#table.size
  }

  /** The pair's record, or -1. */
  find(exit: string, domain: Domain): number {
    if (domain.records === 0) return -1
    const table = this.#table
    const hash = pairHash(this.#hashOf(exit), domain.handle)
    // Most picks go to pairs without a record: in a large table each further look is a cache miss.
    if (!table.mayHold(hash)) return -1
    const exitHandle = this.#find(exit)
    if (exitHandle < 0) return -1
    const first = table.first(hash)
    for (let handle = first; handle >= 0; handle = table.next(handle)) {
      const { words } = this.#chunks[handle >>> CHUNK_BITS]
      const at = (handle & IN_CHUNK) * WORDS
      if (words[at + EXIT] === exitHandle && words[at + DOMAIN] === domain.handle) return handle
    }
    return -1
  }

  /** Adds a pair that `find` does not know; `write` must follow. */
  add(exit: string, domain: Domain): number {
    const exitHandle = this.#useExit(exit)
    const handle = this.#table.add(pairHash(this.#askedHash, domain.handle))
    if (handle >>> CHUNK_BITS === this.#chunks.length) {
      const words = this.#table.rows[handle >>> CHUNK_BITS]
      this.#chunks.push({
        words,
        epochs: new Uint16Array(roomFor(CHUNK * 2, handle >>> CHUNK_BITS)),
        aside: null,
      })
    }
    const { words } = this.#chunks[handle >>> CHUNK_BITS]
    const at = (handle & IN_CHUNK) * WORDS
    words[at + EXIT] = exitHandle
    words[at + DOMAIN] = domain.handle
    words[at + BITS] = LIVE
    this.#append(handle, domain)
    domain.records++
    return handle
  }

  read(handle: number): PairRecord {
    const { words, epochs, aside } = this.#chunks[handle >>> CHUNK_BITS]
    const at = (handle & IN_CHUNK) * WORDS
    const bits = words[at + BITS]
    if ((bits & ASIDE) !== 0) return { ...(aside?.[handle & IN_CHUNK] as PairRecord) }
    const forgetAtMs = words[at + FORGET_MINUTE] * MINUTE_MS
    const untilBack = words[at + UNTIL_BACK]
    const strikeBack = words[at + STRIKE_BACK]
    const untilMs = untilBack === NEVER ? 0 : forgetAtMs - untilBack
    const isManual = (bits & MANUAL) !== 0
    const record: Mutable<PairRecord> = {
      health: HEALTHS[bits & 3],
      rung: (bits >>> RUNG_SHIFT) & MOST_RUNG,
      untilMs: isManual ? 0 : untilMs,
      epoch: epochs[handle & IN_CHUNK],
      strikes: (bits >>> STRIKES_SHIFT) & 255,
      strikeAtMs: strikeBack === NEVER ? 0 : forgetAtMs - strikeBack,
      okStreak: (bits >>> OK_SHIFT) & MOST_OKS,
      limitedStreak: bits >>> LIMITED_SHIFT,
      reason: REASONS[(bits >>> REASON_SHIFT) & 3],
      forgetAtMs,
    }
    if (isManual) record.manual = { untilMs }
    return record
  }

  /** Writes a record as the domain's newest change. */
  write(handle: number, record: PairRecord, domain: Domain, version: number): void {
    const chunk = this.#chunks[handle >>> CHUNK_BITS]
    const { words, epochs } = chunk
    const place = handle & IN_CHUNK
    const at = place * WORDS
    if ((words[at + BITS] & ASIDE) !== 0 && chunk.aside !== null) chunk.aside[place] = null
    const { manual, strikes, limitedStreak, rung, okStreak, epoch } = record
    const forgetMinute = Math.min(Math.floor(record.forgetAtMs / MINUTE_MS), MOST_MINUTES)
    const forgetAtMs = forgetMinute * MINUTE_MS
    const untilBack = backFrom(forgetAtMs, manual === undefined ? record.untilMs : manual.untilMs)
    const strikeBack = backFrom(forgetAtMs, record.strikeAtMs)
    const fits =
      untilBack >= 0 &&
      strikeBack >= 0 &&
      record.probe === undefined &&
      (manual === undefined || record.untilMs === 0) &&
      epoch <= MOST_SHORT_EPOCH &&
      rung <= MOST_RUNG &&
      okStreak <= MOST_OKS
    let bits =
      LIVE | HEALTHS.indexOf(record.health) | (REASONS.indexOf(record.reason) << REASON_SHIFT)
    if (!fits) {
      bits |= ASIDE
      chunk.aside ??= new Array<PairRecord | null>(CHUNK).fill(null)
      chunk.aside[place] = { ...record, forgetAtMs }
    } else {
      if (manual !== undefined) bits |= MANUAL
      bits |= (rung << RUNG_SHIFT) | (okStreak << OK_SHIFT)
      bits |= (strikes << STRIKES_SHIFT) | (limitedStreak << LIMITED_SHIFT)
    }
    words[at + BITS] = bits
    words[at + UNTIL_BACK] = untilBack
    words[at + STRIKE_BACK] = strikeBack
    words[at + FORGET_MINUTE] = forgetMinute
    words[at + VERSION] = version
    epochs[place] = epoch
    if (domain.last !== handle) {
      this.#unlink(handle, domain)
      this.#append(handle, domain)
    }
    domain.version = version
  }

  /** The epoch of a pair that a dispatch may go to as if it had no record, or -1: a look without building the record. */
  clearEpoch(handle: number, nowMs: number): number {
    const { words, epochs } = this.#chunks[handle >>> CHUNK_BITS]
    const at = (handle & IN_CHUNK) * WORDS
    const bits = words[at + BITS]
    const forgetAtMs = words[at + FORGET_MINUTE] * MINUTE_MS
    if (nowMs >= forgetAtMs) return 0
    if ((bits & 3) === 2 || (bits & (MANUAL | ASIDE)) !== 0) return -1
    if ((bits & 3) === 1 && nowMs < forgetAtMs - words[at + UNTIL_BACK]) return -1
    return epochs[handle & IN_CHUNK]
  }

  /** What changed in a domain after `version`, oldest first; from 0 on without what is forgotten. O(changes). */
  changesSince(domain: Domain, version: number, nowMs: number): Change[] {
    const changes: Change[] = []
    const behind = domain.version - version
    for (let handle = domain.last; handle >= 0; handle = this.#word(handle, BEFORE) - 1) {
      if (this.#age(handle, domain) >= behind) break
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
      if ((this.#word(handle, BITS) & LIVE) === 0) continue
      if (nowMs < this.#word(handle, FORGET_MINUTE) * MINUTE_MS) continue
      this.#drop(handle, domains.at(this.#word(handle, DOMAIN)))
      dropped++
    }
    return dropped
  }

  #drop(handle: number, domain: Domain): void {
    // Who has not seen the record's last change would never hear of it now, and must start anew.
    const version = domain.version - this.#age(handle, domain)
    domain.floor = Math.max(domain.floor, version - 1)
    this.#setWord(handle, BITS, 0)
    const { aside } = this.#chunks[handle >>> CHUNK_BITS]
    if (aside !== null) aside[handle & IN_CHUNK] = null
    this.#unlink(handle, domain)
    domain.records--
    const exit = this.#word(handle, EXIT)
    // While the exit is known: its hash is asked for.
    this.#table.remove(handle)
    if (--this.#uses[exit >>> CHUNK_BITS][exit & IN_CHUNK] === 0) this.#removeExit(exit)
  }

  /** How many versions a record is behind its domain, modulo 2^32: beyond that it only seems newer, and is told once more. */
  #age(handle: number, domain: Domain): number {
    return ((domain.version >>> 0) - this.#word(handle, VERSION)) >>> 0
  }

  #hashOf(exit: string): number {
    if (exit !== this.#asked) {
      this.#asked = exit
      this.#askedHash = hash32(exit)
      this.#askedHandle = UNKNOWN
    }
    return this.#askedHash
  }

  /** The exit's handle, or -1. */
  #find(exit: string): number {
    const hash = this.#hashOf(exit)
    if (this.#askedHandle === UNKNOWN) this.#askedHandle = this.#exits.find(exit, hash)
    return this.#askedHandle
  }

  #useExit(exit: string): number {
    let handle = this.#find(exit)
    if (handle < 0) handle = this.#askedHandle = this.#exits.add(exit)
    if (handle >>> CHUNK_BITS === this.#uses.length) {
      this.#uses.push(new Uint32Array(roomFor(CHUNK * 4, this.#uses.length)))
    }
    this.#uses[handle >>> CHUNK_BITS][handle & IN_CHUNK]++
    return handle
  }

  #removeExit(handle: number): void {
    this.#exits.remove(handle)
    if (handle === this.#askedHandle) this.#askedHandle = -1
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

/** How long before `forgetAtMs` an instant is: NEVER for 0, and -1 where that does not fit into 32 bits. */
function backFrom(forgetAtMs: number, atMs: number): number {
  if (atMs === 0) return NEVER
  const backMs = forgetAtMs - atMs
  return backMs >= 0 && backMs < NEVER ? backMs : -1
}

/** Mixes a hash and a small integer, each times an odd constant, then one round of multiply and shift: neighbours spread. */
function pairHash(exit: number, domain: number): number {
  let hash = Math.imul(exit, 0x9e3779b1) ^ Math.imul(domain, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35)
  return (hash ^ (hash >>> 15)) >>> 0
}
