import { OstlerError } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import { Due } from '../file/due.ts'
import type { Head } from '../file/head.ts'
import type { Read, Write } from '../file/sql.ts'
import type { Domain, Domains } from './domains.ts'

/** Leases past their deadline that a call lets go; before a count that should be right, and before a refusal for want of room. */
const DRAINED_A_CALL = 64
const DRAINED_TO_COUNT = 4_096

/** A lease that is out, and what a repeat of its request is answered. */
export interface HeldLease {
  readonly id: string
  readonly domain: number
  readonly epoch: number
  readonly index: number
  readonly probe: boolean
}

/** Dispatches on their way, at most `maxLeases`. One past its deadline is as good as gone. */
export class Leases {
  readonly #head: Head
  readonly #domains: Domains
  readonly #maxLeases: number
  readonly #due: Due
  readonly #find: Read<
    [domain: number, deadlineMs: number, epoch: number, index: number, probe: number]
  >
  readonly #busy: Read<[deadlineMs: number]>
  readonly #insert: Write
  readonly #delete: Write
  readonly #ended: Read<[id: string, domain: number, deadlineMs: number]>

  constructor(connection: Connection, domains: Domains, maxLeases: number) {
    const { sql, head } = connection
    this.#head = head
    this.#domains = domains
    this.#maxLeases = maxLeases
    this.#due = new Due(connection)
    this.#find = sql.read(
      'SELECT domain, deadline_ms, epoch, choice, probe FROM leases WHERE id = ?',
    )
    this.#busy = sql.read(
      `SELECT deadline_ms FROM leases WHERE agent = ? AND deadline_ms > ?
       ORDER BY deadline_ms DESC LIMIT 1 OFFSET ?`,
    )
    this.#insert = sql.write(
      `INSERT INTO leases (id, agent, domain, deadline_ms, epoch, choice, probe)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#delete = sql.write('DELETE FROM leases WHERE id = ?')
    this.#ended = sql.read(
      'SELECT id, domain, deadline_ms FROM leases ORDER BY deadline_ms LIMIT ?',
    )
  }

  /** The lease, if it is out. */
  find(id: string, nowMs: number): HeldLease | null {
    const row = this.#find.one(id)
    if (row === undefined) return null
    const [domain, deadlineMs, epoch, index, probe] = row
    const lease = { id, domain, epoch, index, probe: probe === 1 }
    if (nowMs < deadlineMs) return lease
    this.free(lease)
    return null
  }

  /**
   * 0 when the agent has a free slot of `most`; else the instant from which it has, if nothing else happens: with k more leases than
   * slots, that is when k + 1 have ended. O(leases of the agent).
   */
  busyUntilMs(agent: string, most: number, nowMs: number): number {
    return this.#busy.one(agent, nowMs, most - 1)?.[0] ?? 0
  }

  /** Takes a slot of the agent. @throws OstlerError STORE_FULL, before anything is written: `makeRoom` */
  take(lease: HeldLease, agent: string, domain: Domain, deadlineMs: number): void {
    const { id, epoch, index, probe } = lease
    this.#insert.run(id, agent, domain.id, deadlineMs, epoch, index, probe ? 1 : 0)
    this.#head.add('leases', 1)
    this.#domains.took(domain)
    this.#due.added(deadlineMs)
  }

  free(lease: HeldLease): void {
    this.#drop(lease.id, lease.domain)
  }

  /** Makes sure that one more can be taken. @throws OstlerError STORE_FULL */
  makeRoom(nowMs: number): void {
    if (this.#head.count('leases') < this.#maxLeases) return
    this.drainToCount(nowMs)
    if (this.#head.count('leases') < this.#maxLeases) return
    throw new OstlerError('STORE_FULL', `the file holds maxLeases = ${this.#maxLeases} leases`)
  }

  /** Lets a few of those past their deadline go. */
  drain(nowMs: number): void {
    if (this.#due.isDue(nowMs)) this.#drain(DRAINED_A_CALL, nowMs)
  }

  /** Lets all of them go, but for a flood; true where there were any. */
  drainToCount(nowMs: number): boolean {
    return this.#due.isDue(nowMs) && this.#drain(DRAINED_TO_COUNT, nowMs)
  }

  #drain(most: number, nowMs: number): boolean {
    const rows = this.#ended.all(most + 1)
    let drained = false
    this.#due.next(rows.length > most ? rows[most][2] : Infinity)
    for (const [id, domain, deadlineMs] of rows.slice(0, most)) {
      if (deadlineMs > nowMs) {
        this.#due.next(deadlineMs)
        break
      }
      this.#drop(id, domain)
      drained = true
    }
    return drained
  }

  #drop(id: string, domain: number): void {
    this.#delete.run(id)
    this.#head.add('leases', -1)
    this.#domains.freed(domain)
  }
}
