import {
  OstlerError,
  stateAt,
  type Change,
  type ExclusionReason,
  type Health,
  type PairRecord,
} from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import { Due } from '../file/due.ts'
import type { Head } from '../file/head.ts'
import type { Read, Write } from '../file/sql.ts'
import type { Domain, Domains } from './domains.ts'

/** What `epochToGo` answers for a pair that is excluded, and for one that only a probe may try. */
export const REFUSED = -2
export const ON_PROBATION = -1

/** Forgotten records that a write deletes, and that one deletes which needs room. */
const SWEPT_A_CALL = 2
const SWEPT_FOR_ROOM = 64

const FIELDS =
  'health, rung, until_ms, epoch, strikes, strike_at_ms, ok_streak, limited_streak, reason, ' +
  'forget_at_ms, probe_lease, probe_deadline_ms, manual_until_ms'

type Row = [
  health: Health,
  rung: number,
  untilMs: number,
  epoch: number,
  strikes: number,
  strikeAtMs: number,
  okStreak: number,
  limitedStreak: number,
  reason: ExclusionReason,
  forgetAtMs: number,
  probeLease: string | null,
  probeDeadlineMs: number | null,
  manualUntilMs: number | null,
]

/** The records of all pairs, at most `maxRecords`. One past its `forgetAtMs` is as good as none; no other is ever deleted. */
export class Pairs {
  readonly #head: Head
  readonly #domains: Domains
  readonly #maxRecords: number
  readonly #due: Due
  readonly #find: Read<Row>
  readonly #since: Read<[exit: string, ...Row]>
  readonly #update: Write
  readonly #insert: Write
  readonly #delete: Write
  readonly #forgotten: Read<[domain: number, exit: string, version: number, forgetAtMs: number]>

  constructor(connection: Connection, domains: Domains, maxRecords: number) {
    const { sql, head } = connection
    const columns = FIELDS.split(', ')
    this.#head = head
    this.#domains = domains
    this.#maxRecords = maxRecords
    this.#due = new Due(connection)
    this.#find = sql.read(`SELECT ${FIELDS} FROM pairs WHERE domain = ? AND exit = ?`)
    this.#since = sql.read(
      `SELECT exit, ${FIELDS} FROM pairs WHERE domain = ? AND version > ? ORDER BY version`,
    )
    this.#update = sql.write(
      `UPDATE pairs SET ${columns.map((name) => `${name} = ?`).join(', ')}, version = ?
       WHERE domain = ? AND exit = ?`,
    )
    this.#insert = sql.write(
      `INSERT INTO pairs (${FIELDS}, version, domain, exit)
       VALUES (${columns.map(() => '?').join(', ')}, ?, ?, ?)`,
    )
    this.#delete = sql.write('DELETE FROM pairs WHERE domain = ? AND exit = ?')
    this.#forgotten = sql.read(
      'SELECT domain, exit, version, forget_at_ms FROM pairs ORDER BY forget_at_ms LIMIT ?',
    )
  }

  record(exit: string, domain: Domain | undefined, nowMs: number): PairRecord | null {
    if (domain === undefined || domain.pairs === 0) return null
    const row = this.#find.one(domain.id, exit)
    if (row === undefined) return null
    const record = recordOf(row)
    return nowMs >= record.forgetAtMs ? null : record
  }

  /** The epoch under which a dispatch may go, ON_PROBATION if only as a probe, or REFUSED. */
  epochToGo(exit: string, domain: Domain | undefined, nowMs: number): number {
    const record = this.record(exit, domain, nowMs)
    if (record === null) return 0
    const state = stateAt(record, nowMs)
    if (state.health === 'available') return record.epoch
    return state.health === 'unavailable' && state.phase === 'probation' ? ON_PROBATION : REFUSED
  }

  /**
   * Makes sure that the pair's record can be written, deleting what is forgotten if it must.
   * @throws OstlerError STORE_FULL where all records still count
   */
  makeRoom(exit: string, domain: Domain | undefined, nowMs: number): void {
    if (this.#head.count('pairs') < this.#maxRecords) return
    if (domain !== undefined && this.#find.one(domain.id, exit) !== undefined) return
    this.#sweep(SWEPT_FOR_ROOM, nowMs)
    if (this.#head.count('pairs') < this.#maxRecords) return
    const message = `the file holds maxRecords = ${this.#maxRecords} pairs that still count`
    throw new OstlerError('STORE_FULL', message)
  }

  /** Writes a record as its domain's newest change; `makeRoom` comes before. */
  write(exit: string, domain: Domain, record: PairRecord): void {
    const version = this.#head.nextVersion()
    const row = rowOf(record)
    const isNew = this.#update.run(...row, version, domain.id, exit) === 0
    if (isNew) {
      this.#insert.run(...row, version, domain.id, exit)
      this.#head.add('pairs', 1)
    }
    this.#domains.changed(domain, version, isNew)
    this.#due.added(record.forgetAtMs)
  }

  /** What changed in a domain after `version`, oldest first; from 0 on without what is forgotten. O(changes). */
  changesSince(domain: Domain, version: number, nowMs: number): Change[] {
    const changes: Change[] = []
    for (const [exit, ...row] of this.#since.all(domain.id, version)) {
      const record = recordOf(row)
      if (nowMs < record.forgetAtMs) changes.push({ exit, record })
      else if (version > 0) changes.push({ exit, record: null })
    }
    return changes
  }

  /** Deletes a few of the records that are forgotten: unasked, for to a view they are available already. */
  tidy(nowMs: number): void {
    if (this.#due.isDue(nowMs)) this.#sweep(SWEPT_A_CALL, nowMs)
  }

  #sweep(most: number, nowMs: number): void {
    const rows = this.#forgotten.all(most + 1)
    this.#due.next(rows.length > most ? rows[most][3] : Infinity)
    for (const [domain, exit, version, forgetAtMs] of rows.slice(0, most)) {
      if (forgetAtMs > nowMs) {
        this.#due.next(forgetAtMs)
        break
      }
      this.#delete.run(domain, exit)
      this.#head.add('pairs', -1)
      this.#domains.lost(domain, version)
    }
  }
}

function recordOf(row: Row): PairRecord {
  const probeDeadlineMs = row[11]
  const manualUntilMs = row[12]
  return {
    health: row[0],
    rung: row[1],
    untilMs: row[2],
    epoch: row[3],
    strikes: row[4],
    strikeAtMs: row[5],
    okStreak: row[6],
    limitedStreak: row[7],
    reason: row[8],
    forgetAtMs: row[9],
    ...(probeDeadlineMs !== null && {
      probe: { leaseId: row[10] as string, deadlineMs: probeDeadlineMs },
    }),
    ...(manualUntilMs !== null && { manual: { untilMs: manualUntilMs } }),
  }
}

function rowOf(record: PairRecord): Row {
  return [
    record.health,
    record.rung,
    record.untilMs,
    record.epoch,
    record.strikes,
    record.strikeAtMs,
    record.okStreak,
    record.limitedStreak,
    record.reason,
    record.forgetAtMs,
    record.probe?.leaseId ?? null,
    record.probe?.deadlineMs ?? null,
    record.manual?.untilMs ?? null,
  ]
}
