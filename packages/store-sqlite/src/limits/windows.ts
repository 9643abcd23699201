import type { ResolvedPolicy } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import { Due } from '../file/due.ts'
import type { Hasher } from '../file/hasher.ts'
import type { Later } from '../file/later.ts'
import type { Read, Write } from '../file/sql.ts'
import { Names } from './names.ts'
import { Row, Rows } from './rows.ts'

const LANE_BYTES = 2
/** 1,024 lanes a policy: ten bits of the key's hash. */
const LANE_MASK = 0x03
/** Rows looked at in passing for each that was written, and before a newcomer is sent to a lane. */
const SWEPT_A_ROW = 2
const SWEPT_FOR_ROOM = 64
/** So much is read and added before what was not looked at since is let go: twice as much is known at most. */
const MOST_KNOWN_BYTES = 50_000_000
/** Measured: a row with its first hit, and each hit more, which takes four bytes or so in the file. */
const BYTES_A_ROW = 1_000
const BYTES_A_HIT = 24
const BYTES_A_PACKED = 6
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
  readonly #due: Due
  readonly #exact = new Map<string, Rows>()
  readonly #smooth = new Map<string, Rows>()
  #knownBytes = 0
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

  constructor(connection: Connection, maxKeys: number) {
    const { sql } = connection
    this.#connection = connection
    this.#hasher = connection.hasher
    this.#names = new Names(connection)
    this.#maxKeys = maxKeys
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

  /**
   * Before a call that looks at policies: lets go of names where there have been many, which may only have been asked about. What is
   * to be written stays known.
   */
  forgetNames(): void {
    if (this.#exact.size + this.#smooth.size < MOST_NAMES / 2) return
    const written = new Set(this.#changedOf)
    for (const all of [this.#exact, this.#smooth]) {
      for (const [name, rows] of all) {
        if (!written.has(rows) && !this.#names.isWaiting(rows)) all.delete(name)
      }
    }
  }

  /** What is known of a policy's rows. Exact and smooth ones of one name are strangers: one that changes its kind starts anew. */
  of({ kind, name }: ResolvedPolicy): Rows {
    return (kind === 'exact' ? this.#exact : this.#smooth).get(name) ?? this.#add(kind, name)
  }

  /** The key's own row, else its lane if anything there counts, else a row of its own that has yet to be made. */
  find(rows: Rows, key: string, nowMs: number): Row {
    const own = this.own(rows, key, nowMs)
    if (own.id !== 0 || own.changed) return own
    const lane = this.#lane(rows, own.hashed, nowMs)
    return lane.counter.idleMs > nowMs ? lane : own
  }

  /** The key's own row; where there is none, nothing is counted in it. */
  own(rows: Rows, key: string, nowMs: number): Row {
    let row = rows.get(key)
    if (row === undefined) {
      this.#forgetSome()
      row = rows.add(key, this.#hasher.of('key', key))
      this.#knownBytes += BYTES_A_ROW
    } else if (this.#isTrue(row, nowMs)) return row
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
    return this.#lane(rows, row.hashed, nowMs)
  }

  /** A row has changed. It is in memory alone until `write`. */
  change(rows: Rows, row: Row): void {
    this.#connection.changed = true
    this.#knownBytes += BYTES_A_HIT
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

  #isTrue(row: Row, nowMs: number): boolean {
    return row.changed || (row.stamp === this.#connection.stamp && row.counter.idleMs > nowMs)
  }

  #read(rows: Rows, row: Row): void {
    row.stamp = 0
    const found = this.#find.one(rows.policy, row.hashed)
    row.id = found === undefined ? 0 : found[0]
    row.counter.load(found === undefined ? null : found[1])
    row.stamp = this.#connection.stamp
    if (found !== undefined) this.#knownBytes += found[1].length * BYTES_A_PACKED
  }

  #lane(rows: Rows, hashed: Buffer, nowMs: number): Row {
    const high = hashed[0] & LANE_MASK
    const number = high * 256 + hashed[1]
    let lane = rows.lanes.get(number)
    if (lane === undefined) {
      lane = new Row(rows.kind, Buffer.of(high, hashed[1]), true)
      rows.lanes.set(number, lane)
    } else if (this.#isTrue(lane, nowMs)) return lane
    this.#read(rows, lane)
    return lane
  }

  #writeRows(nowMs: number): void {
    const changed = this.#changed
    for (let i = 0; i < changed.length; i++) {
      const row = changed[i]
      const { counter } = row
      if (counter.idleMs <= nowMs && !row.lane) this.#remove(this.#changedOf[i], row)
      else if (row.id !== 0) this.#update.run(counter.idleMs, counter.pack(), row.id)
      else this.#insertRow(this.#changedOf[i], row)
      row.changed = false
    }
    changed.length = 0
    this.#changedOf.length = 0
  }

  #insertRow({ policy }: Rows, row: Row): void {
    const { idleMs } = row.counter
    row.id = this.#insert.add(policy, row.hashed, idleMs, idleMs, row.counter.pack())
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
    const rows = new Rows(kind, `${kind}:${name}`)
    if (this.#exact.size + this.#smooth.size >= MOST_NAMES) this.#names.refuse(rows)
    const all = kind === 'exact' ? this.#exact : this.#smooth
    all.set(name, rows)
    return rows
  }

  /** What is to be written stays known. */
  #forgetSome(): void {
    if (this.#knownBytes < MOST_KNOWN_BYTES || this.#changed.length > 0) return
    for (const rows of this.#exact.values()) rows.age()
    for (const rows of this.#smooth.values()) rows.age()
    this.#knownBytes = 0
  }
}
