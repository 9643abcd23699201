import { checkKey, type ResolvedPolicy } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import { Due } from '../file/due.ts'
import type { Hasher } from '../file/hasher.ts'
import type { Later } from '../file/later.ts'
import type { Read, Write } from '../file/sql.ts'
import type { Counters } from './counters.ts'
import { ExactCounters } from './exact.ts'
import { Names } from './names.ts'
import { Rows, type Row } from './rows.ts'
import { SmoothCounters } from './smooth.ts'

const LANE_BYTES = 2
/** 1,024 lanes a policy: ten bits of the key's hash. */
const LANE_MASK = 0x03
const BYTES = 'latin1'
/** Rows looked at in passing for each that was written, and before a newcomer is sent to a lane. */
const SWEPT_A_ROW = 2
const SWEPT_FOR_ROOM = 64
/** When what is known takes so much, all of it is let go. */
const MOST_KNOWN_BYTES = 100_000_000
/** Measured: a row and its key, without what it counts. */
const BYTES_A_ROW = 200
/** Policy names that are known, in use or only asked about. */
const MOST_NAMES = 4_096

/**
 * The rows of all keys, by policy: at most `maxKeys` a policy have one of their own. Rows are deleted only when nothing of them
 * counts. A key that comes when all rows count is counted in one of 1,024 lanes, that of its hash, together with others: a lane may
 * deny too much, never admit too much. While anything in a lane counts, the keys of that lane without a row stay in it, for their
 * history is there.
 *
 * A row is read once and then known, until another connection changes the file or nothing of the row counts any more: from then on
 * it may be deleted. What has changed is written when the transaction ends.
 */
export class Windows implements Later {
  readonly #connection: Connection
  readonly #hasher: Hasher
  readonly #names: Names
  readonly #maxKeys: number
  readonly #mostKnownBytes: number
  readonly #due: Due
  readonly #exact = new Map<string, Rows>()
  readonly #smooth = new Map<string, Rows>()
  readonly #exactCounters: Counters<ResolvedPolicy> = new ExactCounters()
  readonly #smoothCounters: Counters<ResolvedPolicy> = new SmoothCounters()
  /** So much is known that it is to be let go. */
  #isMuch = false
  /** The last policy that was asked about, and its rows: mostly it is the next one too. */
  #last: ResolvedPolicy | null = null
  #lastRows: Rows | null = null
  /** Another number after rows may have been deleted. */
  sweeps = 0
  /** What is to be written: rows, and of which policy they are. */
  readonly #changed: Row[] = []
  readonly #changedOf: Rows[] = []
  readonly #find: Read<[id: number, state: Buffer]>
  readonly #update: Write
  readonly #insert: Write
  readonly #delete: Write
  readonly #oldest: Read<[id: number, policy: string, lane: number, idleMs: number, lookMs: number]>
  readonly #lookLater: Write

  constructor(connection: Connection, maxKeys: number, mostKnownBytes: number = MOST_KNOWN_BYTES) {
    const { sql } = connection
    this.#connection = connection
    this.#hasher = connection.hasher
    this.#names = new Names(connection)
    this.#maxKeys = maxKeys
    this.#mostKnownBytes = mostKnownBytes
    this.#due = new Due(connection)
    this.#find = sql.read('SELECT id, state FROM windows WHERE policy = ? AND key = ?')
    this.#update = sql.write('UPDATE windows SET idle_at_ms = ?, state = ? WHERE id = ?')
    this.#insert = sql.write(
      'INSERT INTO windows (policy, key, idle_at_ms, look_at_ms, state) VALUES (?, ?, ?, ?, ?)',
    )
    this.#delete = sql.write('DELETE FROM windows WHERE id = ?')
    this.#oldest = sql.read(
      `SELECT id, policy, length(key) = ${LANE_BYTES}, idle_at_ms, look_at_ms FROM windows
       ORDER BY look_at_ms LIMIT ?`,
    )
    this.#lookLater = sql.write('UPDATE windows SET look_at_ms = ? WHERE id = ?')
    connection.later.push(this)
  }

  get waiting(): number {
    return this.#changed.length + this.#names.waiting
  }

  /** What is known takes about so much memory. */
  get knownBytes(): number {
    const exact = this.#exactCounters
    const smooth = this.#smoothCounters
    return (exact.places + smooth.places) * BYTES_A_ROW + exact.bytes + smooth.bytes
  }

  /**
   * Before a call that looks at policies: lets go of what is known where it has become much. Of names, which may only have been asked
   * about, those go of which nothing is to be written; of rows, all, where none is.
   */
  makeWay(): void {
    if (this.#exact.size + this.#smooth.size >= MOST_NAMES / 2) this.#forgetNames()
    if (this.#isMuch && this.#changed.length === 0) this.#forgetRows()
  }

  /** What is known of a policy's rows. Exact and smooth ones of one name are strangers: one that changes its kind starts anew. */
  of(policy: ResolvedPolicy): Rows {
    if (policy === this.#last) return this.#lastRows as Rows
    const { kind, name } = policy
    const rows = (kind === 'exact' ? this.#exact : this.#smooth).get(name) ?? this.#add(kind, name)
    this.#last = policy
    this.#lastRows = rows
    return rows
  }

  /** The key's own row, else its lane if anything there counts, else a row of its own that has yet to be made. */
  find(rows: Rows, key: string, nowMs: number): Row {
    const own = this.own(rows, key, nowMs)
    if (own.id !== 0 || own.changed) return own
    const lane = this.#lane(rows, own, nowMs)
    return rows.counters.idleMs(lane.place) > nowMs ? lane : own
  }

  /** The key's own row; where there is none, nothing is counted in it. @throws OstlerError INVALID_KEY */
  own(rows: Rows, key: string, nowMs: number): Row {
    rows.counters.nowMs = nowMs
    let row = rows.get(key)
    if (row === undefined) {
      checkKey(key)
      row = rows.add(key, this.#hasher.of('key', key).toString(BYTES))
    } else if (this.#isTrue(rows, row, nowMs)) return row
    this.#read(rows, row)
    return row
  }

  /** Sweeps, if a row that `find` gave is to be made and has no room. @throws OstlerError STORE_FULL for one policy name too many */
  makeRoom(rows: Rows, row: Row, nowMs: number): void {
    if (row.id !== 0 || row.changed) return
    if (this.#names.keys(rows) >= this.#maxKeys) this.#sweep(SWEPT_FOR_ROOM, nowMs)
    if (this.#names.hasRoom(rows)) return
    this.#sweep(SWEPT_FOR_ROOM, nowMs)
    if (!this.#names.hasRoom(rows)) this.#names.refuse(rows)
  }

  /** Where a call is to be counted: in the row that `find` gave, or in the key's lane where there is no room for a new one. */
  place(rows: Rows, row: Row, nowMs: number): Row {
    if (row.id !== 0 || row.changed || this.#names.keys(rows) < this.#maxKeys) return row
    return this.#lane(rows, row, nowMs)
  }

  /** A row has changed. It is in memory alone until `write`. */
  change(rows: Rows, row: Row): void {
    this.#connection.changed = true
    if (row.changed) return
    if (row.id === 0 && !row.lane) this.#names.count(rows, 1)
    row.changed = true
    this.#changed.push(row)
    this.#changedOf.push(rows)
  }

  /** Writes what has changed, and deletes a few of the rows of which nothing counts any more. */
  write(nowMs: number): void {
    const most = this.#changed.length * SWEPT_A_ROW
    this.#writeRows(nowMs)
    if (this.#due.isDue(nowMs)) this.#sweep(most, nowMs)
    this.#names.write()
  }

  drop(): void {
    for (const row of this.#changed) row.changed = false
    this.#changed.length = 0
    this.#changedOf.length = 0
    this.#names.drop()
  }

  #isTrue(rows: Rows, row: Row, nowMs: number): boolean {
    if (row.changed) return true
    return row.stamp === this.#connection.stamp && rows.counters.idleMs(row.place) > nowMs
  }

  #read(rows: Rows, row: Row): void {
    row.stamp = 0
    const found = this.#find.one(rows.policy, Buffer.from(row.hashed, BYTES))
    row.id = found === undefined ? 0 : found[0]
    rows.counters.load(row.place, found === undefined ? null : found[1])
    row.stamp = this.#connection.stamp
    this.#weigh()
  }

  #weigh(): void {
    this.#isMuch = this.knownBytes >= this.#mostKnownBytes
  }

  /** The lane of a key that has no row. */
  #lane(rows: Rows, { hashed }: Row, nowMs: number): Row {
    const high = hashed.charCodeAt(0) & LANE_MASK
    const lane = rows.lane(String.fromCharCode(high, hashed.charCodeAt(1)))
    if (!this.#isTrue(rows, lane, nowMs)) this.#read(rows, lane)
    return lane
  }

  #writeRows(nowMs: number): void {
    const changed = this.#changed
    for (let i = 0; i < changed.length; i++) {
      const row = changed[i]
      const rows = this.#changedOf[i]
      const { counters } = rows
      const idleMs = counters.idleMs(row.place)
      if (idleMs <= nowMs && !row.lane) this.#remove(rows, row)
      else if (row.id !== 0) this.#update.run(idleMs, counters.pack(row.place), row.id)
      else this.#insertRow(rows, row, idleMs)
      row.changed = false
    }
    changed.length = 0
    this.#changedOf.length = 0
    this.#weigh()
  }

  #insertRow({ policy, counters }: Rows, row: Row, idleMs: number): void {
    const key = Buffer.from(row.hashed, BYTES)
    row.id = this.#insert.add(policy, key, idleMs, idleMs, counters.pack(row.place))
    row.stamp = this.#connection.stamp
    this.#due.added(idleMs)
  }

  /** Deletes a key's own row of which nothing counts any more. */
  #remove(rows: Rows, row: Row): void {
    if (row.id !== 0) this.#delete.run(row.id)
    row.id = 0
    this.#names.count(rows, -1)
  }

  #sweep(most: number, nowMs: number): void {
    this.sweeps++
    // It is the file that is swept: it is to say what is known here.
    this.#writeRows(nowMs)
    const rows = this.#oldest.all(most + 1)
    // No look before the first row that is left is due.
    this.#due.next(rows.length > most ? rows[most][4] : Infinity)
    for (const [id, policy, lane, idleMs, lookMs] of rows.slice(0, most)) {
      if (lookMs > nowMs) {
        this.#due.next(lookMs)
        break
      }
      if (idleMs > nowMs) {
        this.#lookLater.run(idleMs, id)
        this.#due.added(idleMs)
        continue
      }
      this.#delete.run(id)
      if (lane === 0) this.#names.count(this.#named(policy), -1)
    }
  }

  #named(policy: string): Rows {
    const at = policy.indexOf(':')
    const kind = policy.slice(0, at) as ResolvedPolicy['kind']
    const name = policy.slice(at + 1)
    return (kind === 'exact' ? this.#exact : this.#smooth).get(name) ?? this.#add(kind, name)
  }

  #add(kind: ResolvedPolicy['kind'], name: string): Rows {
    const isExact = kind === 'exact'
    const rows = new Rows(`${kind}:${name}`, isExact ? this.#exactCounters : this.#smoothCounters)
    if (this.#exact.size + this.#smooth.size >= MOST_NAMES) this.#names.refuse(rows)
    ;(isExact ? this.#exact : this.#smooth).set(name, rows)
    return rows
  }

  #forgetNames(): void {
    this.#last = null
    const written = new Set(this.#changedOf)
    for (const all of [this.#exact, this.#smooth]) {
      for (const [name, rows] of all) {
        if (written.has(rows) || this.#names.isWaiting(rows)) continue
        rows.give()
        all.delete(name)
      }
    }
  }

  /** Not one by one: to give back so many places would take some ten milliseconds. */
  #forgetRows(): void {
    for (const all of [this.#exact, this.#smooth]) for (const rows of all.values()) rows.clear()
    this.#exactCounters.clear()
    this.#smoothCounters.clear()
    this.#isMuch = false
  }
}
