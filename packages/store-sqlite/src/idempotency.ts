import { OstlerError, type BeginRequest, type Begun, type CompleteRequest } from '@ostler/core'
import type { Connection } from './file/connection.ts'
import { Due } from './file/due.ts'
import type { Hasher } from './file/hasher.ts'
import type { Head } from './file/head.ts'
import type { Read, Write } from './file/sql.ts'

/** Records past their time that a write deletes. */
const SWEPT_A_CALL = 8

/**
 * Idempotency records, at most `maxRecords`. A running one frees itself at `runUntilMs`, when its holder must have crashed; a
 * completed one answers until `expiresAtMs` of its begin.
 */
export class Idempotency {
  readonly #head: Head
  readonly #hasher: Hasher
  readonly #maxRecords: number
  readonly #due: Due
  readonly #find: Read<
    [fingerprint: string, value: string | null, untilMs: number, expiresAtMs: number]
  >
  readonly #insert: Write
  readonly #complete: Write
  readonly #delete: Write
  readonly #ended: Read<[id: Buffer, untilMs: number]>

  constructor(connection: Connection, maxRecords: number) {
    const { sql, head, hasher } = connection
    this.#head = head
    this.#hasher = hasher
    this.#maxRecords = maxRecords
    this.#due = new Due(connection)
    this.#find = sql.read(
      `SELECT fingerprint, value, until_ms, expires_at_ms FROM idempotency
       WHERE id = ? AND until_ms > ?`,
    )
    this.#insert = sql.write(
      `INSERT INTO idempotency (id, fingerprint, value, until_ms, expires_at_ms)
       VALUES (?, ?, NULL, ?, ?)`,
    )
    this.#complete = sql.write('UPDATE idempotency SET value = ?, until_ms = ? WHERE id = ?')
    this.#delete = sql.write('DELETE FROM idempotency WHERE id = ?')
    this.#ended = sql.read('SELECT id, until_ms FROM idempotency ORDER BY until_ms LIMIT ?')
  }

  /** Starts an operation, or says how an earlier one of this id stands. @throws OstlerError STORE_FULL when every record is live */
  begin(request: BeginRequest, nowMs: number): Begun {
    const { fingerprint, runUntilMs, expiresAtMs } = request
    const id = this.#hasher.of('idempotency', request.id)
    const known = this.#find.one(id, nowMs)
    if (known !== undefined) {
      const [itsFingerprint, value, untilMs] = known
      if (itsFingerprint !== fingerprint) return { kind: 'mismatch' }
      return value === null ? { kind: 'running', untilMs } : { kind: 'done', value }
    }
    this.#drop(id)
    this.#makeRoom(nowMs)
    const untilMs = Math.min(runUntilMs, expiresAtMs)
    this.#insert.run(id, fingerprint, untilMs, expiresAtMs)
    this.#head.add('idempotency', 1)
    this.#due.added(untilMs)
    return { kind: 'started' }
  }

  /** Ends a running operation: with what repeats are given, or with null, so that a repeat starts anew. */
  complete(request: CompleteRequest, nowMs: number): boolean {
    const { fingerprint, value } = request
    const id = this.#hasher.of('idempotency', request.id)
    const known = this.#find.one(id, nowMs)
    if (known === undefined) return false
    const [itsFingerprint, itsValue, , expiresAtMs] = known
    if (itsValue !== null || itsFingerprint !== fingerprint) return false
    if (value === null) this.#drop(id)
    else this.#complete.run(value, expiresAtMs, id)
    return true
  }

  #makeRoom(nowMs: number): void {
    if (this.#due.isDue(nowMs)) this.#sweep(nowMs)
    if (this.#head.count('idempotency') < this.#maxRecords) return
    const message = `at most ${this.#maxRecords} idempotency records can be live at once`
    throw new OstlerError('STORE_FULL', `${message} (maxIdempotencyRecords)`)
  }

  #drop(id: Buffer): void {
    if (this.#delete.run(id) > 0) this.#head.add('idempotency', -1)
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
