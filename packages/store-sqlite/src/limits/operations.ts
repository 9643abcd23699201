import { OstlerError, type Verdict } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import { Due } from '../file/due.ts'
import type { Hasher } from '../file/hasher.ts'
import type { Head } from '../file/head.ts'
import type { Read, Write } from '../file/sql.ts'

/** Operations past their time that a write deletes. */
const SWEPT_A_CALL = 8

export interface Operation {
  readonly verdict: Verdict
  readonly cost: number
}

/** Admitted operations by their opId, each until its longest window is over: at most `maxOps` at once. */
export class Operations {
  readonly #head: Head
  readonly #hasher: Hasher
  readonly #maxOps: number
  readonly #due: Due
  readonly #find: Read<[verdict: string, cost: number]>
  readonly #put: Write
  readonly #delete: Write
  readonly #ended: Read<[id: Buffer, untilMs: number]>

  constructor(connection: Connection, maxOps: number) {
    const { sql, head, hasher } = connection
    this.#head = head
    this.#hasher = hasher
    this.#maxOps = maxOps
    this.#due = new Due(connection)
    this.#find = sql.read('SELECT verdict, cost FROM operations WHERE id = ? AND until_ms > ?')
    this.#put = sql.write(
      'INSERT INTO operations (id, until_ms, cost, verdict) VALUES (?, ?, ?, ?)',
    )
    this.#delete = sql.write('DELETE FROM operations WHERE id = ?')
    this.#ended = sql.read('SELECT id, until_ms FROM operations ORDER BY until_ms LIMIT ?')
  }

  find(key: string, opId: string, nowMs: number): Operation | null {
    const row = this.#find.one(this.#idOf(key, opId), nowMs)
    return row === undefined ? null : { verdict: JSON.parse(row[0]) as Verdict, cost: row[1] }
  }

  /** Makes sure that one more can be remembered, before anything is written. @throws OstlerError STORE_FULL */
  makeRoom(nowMs: number): void {
    if (this.#due.isDue(nowMs)) this.#sweep(nowMs)
    if (this.#head.count('operations') < this.#maxOps) return
    const message = `at most ${this.#maxOps} operations with an opId (maxOps) can be live at once`
    throw new OstlerError('STORE_FULL', message)
  }

  /** Remembers one that `find` does not know; after `makeRoom`. */
  add(key: string, opId: string, operation: Operation, untilMs: number): void {
    const id = this.#idOf(key, opId)
    // One of this name whose time is over may not have been deleted yet.
    this.#drop(id)
    this.#put.run(id, untilMs, operation.cost, JSON.stringify(operation.verdict))
    this.#head.add('operations', 1)
    this.#due.added(untilMs)
  }

  forget(key: string, opId: string): void {
    this.#drop(this.#idOf(key, opId))
  }

  #idOf(key: string, opId: string): Buffer {
    return this.#hasher.of('operation', key, opId)
  }

  #drop(id: Buffer): void {
    if (this.#delete.run(id) > 0) this.#head.add('operations', -1)
  }

  #sweep(nowMs: number): void {
    const rows = this.#ended.all(SWEPT_A_CALL + 1)
    this.#due.next(rows.length > SWEPT_A_CALL ? rows[SWEPT_A_CALL][1] : Infinity)
    for (const [id, untilMs] of rows.slice(0, SWEPT_A_CALL)) {
      if (untilMs > nowMs) return this.#due.next(untilMs)
      this.#drop(id)
    }
  }
}
