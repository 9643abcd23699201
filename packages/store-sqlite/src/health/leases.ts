import { OstlerError } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import type { Later } from '../file/later.ts'
import type { Domain } from './domains.ts'
import { leaseOf, LogRows, type HeldLease, type LogRow } from './log-rows.ts'
import { Outstanding } from './outstanding.ts'

/** Leases past their deadline that a call lets go; before a count that should be right, and before a refusal for want of room. */
const DRAINED_A_CALL = 64
const DRAINED_TO_COUNT = 4_096
/** The log may be longer by so much than twice the leases that are out; then so many rows in front are gone through, and twice those added. */
const SPARED = 1_024
const TIDIED = 64

/**
 * Dispatches on their way, at most `maxLeases`: known here, and kept in the file as a log that each process follows. A lease that is
 * taken is one row more, and so is one that has come back: a page each, wherever it stands. One past its deadline is as good as gone,
 * which nobody needs to be told. Rows are added when the transaction ends: a lease that came back before needs none.
 */
export class Leases implements Later {
  readonly #connection: Connection
  readonly #maxLeases: number
  readonly #rows: LogRows
  readonly #out = new Outstanding()
  /** The log as far as it is known. */
  #first = 1
  #last = 0
  /** What is to be added: leases, and the numbers of those that have come back. */
  readonly #taken: HeldLease[] = []
  readonly #ended: number[] = []
  /** The transaction that rows were last added in. */
  #addedIn = 0
  /** When the log was read, by the connection's stamp. */
  #stamp = 0

  constructor(connection: Connection, maxLeases: number) {
    this.#connection = connection
    this.#maxLeases = maxLeases
    this.#rows = new LogRows(connection.sql)
    connection.later.push(this)
  }

  get waiting(): number {
    return this.#taken.length + this.#ended.length
  }

  /** Learns what other connections have taken and freed: before any decision. O(their rows) */
  follow(): void {
    const { stamp } = this.#connection
    if (this.#stamp === stamp) return
    if (!this.#followFrom(this.#last)) {
      // Rows that were not seen have been deleted.
      this.#forget()
      this.#followFrom(0)
    }
    this.#stamp = stamp
  }

  /** The lease, if it is out. */
  find(id: string, nowMs: number): HeldLease | null {
    const lease = this.#out.find(id)
    if (lease === undefined) return null
    if (nowMs < lease.deadlineMs) return lease
    this.#out.remove(id)
    return null
  }

  /** How many are on their way to a domain. */
  inFlight({ id }: Domain): number {
    return this.#out.inFlight(id)
  }

  busyUntilMs(agent: string, most: number, nowMs: number): number {
    return this.#out.busyUntilMs(agent, most, nowMs)
  }

  /** Takes a slot of the agent; after `makeRoom`. */
  take(lease: HeldLease): void {
    this.#connection.changed = true
    this.#taken.push(lease)
    this.#out.add(0, lease)
  }

  free({ id }: HeldLease): void {
    this.#connection.changed = true
    const n = this.#out.numberOf(id)
    if (n > 0) this.#ended.push(n)
    this.#out.remove(id)
  }

  /** Makes sure that one more can be taken. @throws OstlerError STORE_FULL */
  makeRoom(nowMs: number): void {
    if (this.#out.size < this.#maxLeases) return
    this.drainToCount(nowMs)
    if (this.#out.size < this.#maxLeases) return
    throw new OstlerError('STORE_FULL', `the file holds maxLeases = ${this.#maxLeases} leases`)
  }

  /** Lets a few of those past their deadline go. */
  drain(nowMs: number): void {
    this.#out.drain(DRAINED_A_CALL, nowMs)
  }

  /** Lets all of them go, but for a flood. */
  drainToCount(nowMs: number): void {
    this.#out.drain(DRAINED_TO_COUNT, nowMs)
  }

  write(): void {
    this.#addedIn = this.#connection.transaction
    const before = this.#last
    for (const ends of this.#ended) {
      this.#rows.end(this.#last + 1, ends)
      this.#last++
    }
    for (const lease of this.#taken) if (this.#out.find(lease.id) === lease) this.#add(lease)
    this.#taken.length = 0
    this.#ended.length = 0
    if (this.#last - this.#first > SPARED + 2 * this.#out.size) {
      this.#tidy(TIDIED + 2 * (this.#last - before))
    }
  }

  drop(): void {
    const isKnown = this.waiting === 0 && this.#addedIn !== this.#connection.transaction
    if (!isKnown) this.#forget()
  }

  /** False where the row that was the last is not there any more: then those after it may be missing as well. */
  #followFrom(last: number): boolean {
    let n = 0
    for (const row of this.#rows.since(last)) {
      const isFirst = n === 0
      n = row[0]
      if (isFirst && last === 0) this.#first = n
      else if (isFirst && n !== last) return false
      if (n > last) this.#learn(n, row[1], row)
    }
    if (n === 0 && last !== 0) return false
    this.#last = n
    return true
  }

  #learn(n: number, ends: number | null, row: LogRow): void {
    if (ends === null) {
      this.#out.add(n, leaseOf(row))
      return
    }
    const lease = this.#out.at(ends)
    if (lease !== undefined) this.#out.remove(lease.id)
  }

  #add(lease: HeldLease): void {
    this.#rows.take(this.#last + 1, lease)
    this.#last++
    this.#out.number(lease.id, this.#last)
  }

  /** The log is read anew before the next decision. */
  #forget(): void {
    this.#out.clear()
    this.#taken.length = 0
    this.#ended.length = 0
    this.#first = 1
    this.#last = 0
    this.#stamp = 0
  }

  /** Deletes the front of the log; what of it is out is added anew. */
  #tidy(most: number): void {
    const oldest = this.#rows.oldest(most + 1)
    const next = oldest.pop() as number
    for (const n of oldest) {
      const lease = this.#out.at(n)
      if (lease !== undefined) this.#add(lease)
    }
    this.#rows.deleteBefore(next)
    this.#first = next
  }
}
