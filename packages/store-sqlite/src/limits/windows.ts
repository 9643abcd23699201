import { OstlerError } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import { Due } from '../file/due.ts'
import type { Read, Write } from '../file/sql.ts'

/** Policy names are written by people; more than this many are a mistake. */
const MAX_NAMES = 1_024
const LANE_BYTES = 2
/** 1,024 lanes a policy: ten bits of the key's hash. */
const LANE_MASK = 0x03
/** Rows looked at in passing, and before a newcomer is sent to a lane. */
const SWEPT_A_CALL = 2
const SWEPT_FOR_ROOM = 64

/** What is kept of a key and a policy; `id` 0: nothing. */
export interface Place {
  readonly id: number
  /** Shared with other keys that found no room: it counts them together, and never gives back. */
  readonly lane: boolean
  /** Its packed state, or null where nothing is kept. */
  readonly state: Buffer | null
}

const NOWHERE: Place = { id: 0, lane: false, state: null }

/**
 * The rows of all keys, by policy: at most `maxKeys` a policy have one of their own. Rows are deleted only when nothing of them
 * counts. A key that comes when all rows count is counted in one of 1,024 lanes, that of its hash, together with others: a lane may
 * deny too much, never admit too much. While anything in a lane counts, the keys of that lane without a row stay in it, for their
 * history is there.
 */
export class Windows {
  readonly #maxKeys: number
  readonly #due: Due
  readonly #find: Read<[id: number, state: Buffer]>
  readonly #findLane: Read<[id: number, state: Buffer]>
  readonly #update: Write
  readonly #insert: Write
  readonly #delete: Write
  readonly #oldest: Read<[id: number, policy: string, lane: number, idleMs: number, lookMs: number]>
  readonly #lookLater: Write
  readonly #keysOf: Read<[keys: number]>
  readonly #names: Read<[names: number]>
  readonly #setKeys: Write
  readonly #forgetName: Write

  constructor(connection: Connection, maxKeys: number) {
    const { sql } = connection
    this.#maxKeys = maxKeys
    this.#due = new Due(connection)
    this.#find = sql.read('SELECT id, state FROM windows WHERE policy = ? AND key = ?')
    this.#findLane = sql.read(
      'SELECT id, state FROM windows WHERE policy = ? AND key = ? AND idle_at_ms > ?',
    )
    this.#update = sql.write('UPDATE windows SET idle_at_ms = ?, state = ? WHERE id = ?')
    this.#insert = sql.write(
      `INSERT INTO windows (policy, key, idle_at_ms, look_at_ms, state) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (policy, key) DO UPDATE
       SET idle_at_ms = excluded.idle_at_ms, state = excluded.state`,
    )
    this.#delete = sql.write('DELETE FROM windows WHERE id = ?')
    this.#oldest = sql.read(
      `SELECT id, policy, length(key) = ${LANE_BYTES}, idle_at_ms, look_at_ms FROM windows
       ORDER BY look_at_ms LIMIT ?`,
    )
    this.#lookLater = sql.write('UPDATE windows SET look_at_ms = ? WHERE id = ?')
    this.#keysOf = sql.read('SELECT keys FROM policies WHERE policy = ?')
    this.#names = sql.read('SELECT count(*) FROM policies')
    this.#setKeys = sql.write(
      `INSERT INTO policies (policy, keys) VALUES (?, ?)
       ON CONFLICT (policy) DO UPDATE SET keys = excluded.keys`,
    )
    this.#forgetName = sql.write('DELETE FROM policies WHERE policy = ?')
  }

  /** The key's own row, else its lane if anything there counts. */
  find(policy: string, key: Buffer, nowMs: number): Place {
    const own = this.own(policy, key)
    if (own.id !== 0) return own
    const lane = this.#findLane.one(policy, laneOf(key), nowMs)
    return lane === undefined ? NOWHERE : { id: lane[0], lane: true, state: lane[1] }
  }

  /** The key's own row alone. */
  own(policy: string, key: Buffer): Place {
    const own = this.#find.one(policy, key)
    return own === undefined ? NOWHERE : { id: own[0], lane: false, state: own[1] }
  }

  /** @throws OstlerError STORE_FULL for one policy name too many: before anything is written */
  checkName(policy: string, nowMs: number): void {
    if (this.#keysOf.one(policy) !== undefined) return
    if ((this.#names.one() as [number])[0] < MAX_NAMES) return
    this.#sweep(SWEPT_FOR_ROOM, nowMs)
    if ((this.#names.one() as [number])[0] < MAX_NAMES) return
    const message = `at most ${MAX_NAMES} policy names can be in use, got one more: ${policy}`
    throw new OstlerError('STORE_FULL', message)
  }

  /** Keeps a state in the row or lane that `find` gave; where it gave none, in a new row, or in the key's lane. */
  keep(
    place: Place,
    policy: string,
    key: Buffer,
    state: Buffer,
    idleMs: number,
    nowMs: number,
  ): void {
    if (place.id !== 0) this.#update.run(idleMs, state, place.id)
    else this.#claim(policy, key, state, idleMs, nowMs)
  }

  /** Changes a row of its own, as a refund does. */
  change(place: Place, state: Buffer, idleMs: number): void {
    this.#update.run(idleMs, state, place.id)
  }

  /** Deletes a key's own row. */
  drop(place: Place, policy: string): void {
    this.#delete.run(place.id)
    this.#count(policy, -1)
  }

  /** Deletes a few of the rows of which nothing counts any more. */
  tidy(nowMs: number): void {
    if (this.#due.isDue(nowMs)) this.#sweep(SWEPT_A_CALL, nowMs)
  }

  #claim(policy: string, key: Buffer, state: Buffer, idleMs: number, nowMs: number): void {
    // The state is packed in a buffer that sweeping leaves alone.
    if (this.#keys(policy) >= this.#maxKeys) this.#sweep(SWEPT_FOR_ROOM, nowMs)
    const keys = this.#keys(policy)
    const own = keys < this.#maxKeys
    this.#insert.run(policy, own ? key : laneOf(key), idleMs, idleMs, state)
    if (own) this.#setKeys.run(policy, keys + 1)
    this.#due.added(idleMs)
  }

  #sweep(most: number, nowMs: number): void {
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
      if (lane === 0) this.#count(policy, -1)
    }
  }

  #keys(policy: string): number {
    return this.#keysOf.one(policy)?.[0] ?? 0
  }

  #count(policy: string, by: number): void {
    const keys = this.#keys(policy) + by
    if (keys > 0) this.#setKeys.run(policy, keys)
    else this.#forgetName.run(policy)
  }
}

function laneOf(key: Buffer): Buffer {
  return Buffer.of(key[0] & LANE_MASK, key[1])
}
