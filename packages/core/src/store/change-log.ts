import { LongList } from '../list.ts'
import { hash32 } from '../random.ts'
import { roomFor } from '../room.ts'
import { AHEAD, HandleTable } from '../table.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1
const HASHES = new Uint32Array(AHEAD)
const ENTRIES = new Int32Array(AHEAD)
/** So many dead entries are remembered beside as many as live. */
const MOST_DEAD = 1_024

/** Where a log keeps its values, by entry: small integers. */
export interface Shelf<T> {
  isLive(entry: number): boolean
  /** The live value of an entry, or null. */
  get(entry: number): T | null
  /** The key of an entry, live or dead. */
  idOf(entry: number): string
  /** Reads what setting an entry will read: a number of no meaning. */
  touch(entry: number): number
  set(entry: number, value: T): void
  /** Keeps the key of a dead one. */
  bury(entry: number, key: string): void
  clear(entry: number): void
}

/** Values as they are: an object each. */
class Objects<T extends object> implements Shelf<T> {
  /** By entry: its value, or the key of a dead one. */
  readonly #values: LongList<T | string> = new LongList()
  readonly #keyOf: (value: T) => string

  constructor(keyOf: (value: T) => string) {
    this.#keyOf = keyOf
  }

  isLive(entry: number): boolean {
    return typeof this.#values.get(entry) !== 'string'
  }

  get(entry: number): T | null {
    const value = this.#values.get(entry)
    return typeof value === 'string' ? null : value
  }

  idOf(entry: number): string {
    const value = this.#values.get(entry) as T | string
    return typeof value === 'string' ? value : this.#keyOf(value)
  }

  touch(entry: number): number {
    return this.idOf(entry).length
  }

  set(entry: number, value: T): void {
    this.#values.set(entry, value)
  }

  bury(entry: number, key: string): void {
    this.#values.set(entry, key)
  }

  clear(entry: number): void {
    this.#values.set(entry, null)
  }
}

/**
 * Values by key, in the order of their last change, so that "what changed since" costs what it answers.
 * A dead entry (its value is gone) is kept for those who have yet to hear of it; the oldest go first, and raise `floor`:
 * who has seen nothing since before the floor must start anew. A value knows its own key, so that none is kept beside it.
 * About 35 bytes an entry; no call is slower than O(1), amortised.
 */
export class ChangeLog<T extends object> {
  readonly #table = new HandleTable()
  readonly #values: Shelf<T>
  readonly #versions: Float64Array[] = []
  /** Per entry: the one before and the one after it in order of change, plus one. */
  readonly #links: Uint32Array[] = []
  #first = -1
  #last = -1
  #live = 0
  #floor = 0
  /** Dead entries with the version of their death, oldest from `#deadFrom` on. */
  #dead: number[] = []
  #deadFrom = 0
  /** A sum of no meaning: what came to nothing the engine would not read. */
  ahead = 0

  /** A value says its own key; `shelf`: where values are kept, if not as they are. */
  constructor(keyOf: (value: T) => string, shelf: Shelf<T> = new Objects(keyOf)) {
    this.#values = shelf
  }

  /** Live entries. */
  get size(): number {
    return this.#live
  }

  /** Changes up to this version may be forgotten. */
  get floor(): number {
    return this.#floor
  }

  get(key: string): T | null {
    if (this.#live === 0) return null
    const entry = this.#find(key, hash32(key))
    return entry < 0 ? null : this.#values.get(entry)
  }

  /** Whether a key has a live value. */
  has(key: string): boolean {
    if (this.#live === 0) return false
    const entry = this.#find(key, hash32(key))
    return entry >= 0 && this.#values.isLive(entry)
  }

  /** The live value that has not changed for longest. O(dead entries before it). */
  oldest(): { readonly key: string; readonly value: T } | null {
    for (let entry = this.#first; entry >= 0; entry = this.#after(entry)) {
      const value = this.#values.get(entry)
      if (value !== null) return { key: this.#values.idOf(entry), value }
    }
    return null
  }

  /**
   * Reads what setting up to {@link AHEAD} keys will read, and changes nothing. In a log of a million a key that is set waits for
   * memory ten times, one after the other; read ahead for many keys, the waits overlap.
   */
  lookAhead(keys: readonly string[]): void {
    for (let i = 0; i < keys.length; i++) HASHES[i] = hash32(keys[i])
    this.#table.findEach(HASHES, ENTRIES, keys.length)
    let read = 0
    for (let i = 0; i < keys.length; i++) {
      const entry = ENTRIES[i]
      if (entry < 0) continue
      read ^= this.#versions[entry >>> CHUNK_BITS][entry & IN_CHUNK] ^ this.#before(entry)
      read += this.#values.touch(entry)
    }
    for (let i = 0; i < keys.length; i++) {
      const entry = ENTRIES[i]
      if (entry < 0) continue
      const before = this.#before(entry)
      const after = this.#after(entry)
      if (before >= 0) read += this.#after(before)
      if (after >= 0) read += this.#before(after)
    }
    this.ahead = read & 1
  }

  /** Sets a value, or with null ends it, as the newest change. Versions must rise. */
  set(key: string, value: T | null, version: number): void {
    const hash = hash32(key)
    let entry = this.#find(key, hash)
    if (entry < 0) entry = this.#add(key, hash)
    else this.#unlink(entry)
    this.#live += (value === null ? 0 : 1) - (this.#values.isLive(entry) ? 1 : 0)
    if (value === null) this.#values.bury(entry, key)
    else this.#values.set(entry, value)
    this.#versions[entry >>> CHUNK_BITS][entry & IN_CHUNK] = version
    this.#append(entry)
    if (value !== null) return
    this.#dead.push(entry, version)
    this.#prune()
  }

  /** Visits what changed after `version`, newest first; null values are the dead. O(visited). */
  since(version: number, visit: (key: string, value: T | null, version: number) => void): void {
    for (let entry = this.#last; entry >= 0; entry = this.#before(entry)) {
      const changed = this.#versions[entry >>> CHUNK_BITS][entry & IN_CHUNK]
      if (changed <= version) return
      visit(this.#values.idOf(entry), this.#values.get(entry), changed)
    }
  }

  #find(key: string, hash: number): number {
    const table = this.#table
    for (let entry = table.first(hash); entry >= 0; entry = table.next(entry)) {
      if (table.isOf(entry, hash) && this.#values.idOf(entry) === key) return entry
    }
    return -1
  }

  #add(key: string, hash: number): number {
    const entry = this.#table.add(hash)
    if (entry >>> CHUNK_BITS === this.#versions.length) {
      const { length } = this.#versions
      this.#versions.push(new Float64Array(roomFor(CHUNK * 8, length)))
      this.#links.push(new Uint32Array(roomFor(CHUNK * 8, length)))
    }
    this.#values.bury(entry, key)
    return entry
  }

  /** Forgets a dead entry. */
  #remove(entry: number): void {
    this.#unlink(entry)
    this.#values.clear(entry)
    this.#versions[entry >>> CHUNK_BITS][entry & IN_CHUNK] = 0
    this.#table.remove(entry)
  }

  #prune(): void {
    const dead = this.#dead
    while ((dead.length - this.#deadFrom) / 2 > this.#live + MOST_DEAD) {
      const entry = dead[this.#deadFrom]
      const version = dead[this.#deadFrom + 1]
      this.#deadFrom += 2
      // Versions are never repeated: another one means that the entry has changed since.
      if (this.#versions[entry >>> CHUNK_BITS][entry & IN_CHUNK] !== version) continue
      this.#remove(entry)
      this.#floor = version
    }
    if (this.#deadFrom > MOST_DEAD && this.#deadFrom * 2 > dead.length) {
      this.#dead = dead.slice(this.#deadFrom)
      this.#deadFrom = 0
    }
  }

  #before(entry: number): number {
    return this.#links[entry >>> CHUNK_BITS][(entry & IN_CHUNK) << 1] - 1
  }

  #after(entry: number): number {
    return this.#links[entry >>> CHUNK_BITS][((entry & IN_CHUNK) << 1) | 1] - 1
  }

  #join(before: number, after: number): void {
    if (before < 0) this.#first = after
    else this.#links[before >>> CHUNK_BITS][((before & IN_CHUNK) << 1) | 1] = after + 1
    if (after < 0) this.#last = before
    else this.#links[after >>> CHUNK_BITS][(after & IN_CHUNK) << 1] = before + 1
  }

  #unlink(entry: number): void {
    this.#join(this.#before(entry), this.#after(entry))
  }

  #append(entry: number): void {
    const last = this.#last
    this.#join(last, entry)
    this.#join(entry, -1)
    if (last < 0) this.#first = entry
  }
}
