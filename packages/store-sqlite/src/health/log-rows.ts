import type { Read, Sql, Write } from '../file/sql.ts'

/** A dispatch on its way, and what a repeat of its request is answered. */
export interface HeldLease {
  readonly id: string
  readonly agent: string
  /** Its domain's number. */
  readonly domain: number
  readonly deadlineMs: number
  readonly epoch: number
  readonly index: number
  readonly probe: boolean
}

/** A row: a lease, taken; or, by its number, one that has come back. */
export type LogRow = [
  n: number,
  ends: number | null,
  id: string,
  agent: string,
  domain: number,
  deadlineMs: number,
  epoch: number,
  index: number,
  probe: number,
]

const COLUMNS = 'n, ends, id, agent, domain, deadline_ms, epoch, choice, probe'

/** The log of leases as it stands in the file: rows are added behind, and deleted in front. */
export class LogRows {
  readonly #since: Read<LogRow>
  readonly #oldest: Read<[n: number]>
  readonly #take: Write
  readonly #end: Write
  readonly #delete: Write

  constructor(sql: Sql) {
    this.#since = sql.read(`SELECT ${COLUMNS} FROM leases WHERE n >= ? ORDER BY n`)
    this.#oldest = sql.read('SELECT n FROM leases ORDER BY n LIMIT ?')
    this.#take = sql.write(`INSERT INTO leases (${COLUMNS}) VALUES (?, NULL, ?, ?, ?, ?, ?, ?, ?)`)
    this.#end = sql.write('INSERT INTO leases (n, ends) VALUES (?, ?)')
    this.#delete = sql.write('DELETE FROM leases WHERE n < ?')
  }

  /** From a row on, oldest first. */
  since(n: number): IterableIterator<LogRow> {
    return this.#since.each(n)
  }

  oldest(most: number): number[] {
    return this.#oldest.all(most).map(([n]) => n)
  }

  take(n: number, lease: HeldLease): void {
    const { id, agent, domain, deadlineMs, epoch, index, probe } = lease
    this.#take.run(n, id, agent, domain, deadlineMs, epoch, index, probe ? 1 : 0)
  }

  end(n: number, ends: number): void {
    this.#end.run(n, ends)
  }

  deleteBefore(n: number): void {
    this.#delete.run(n)
  }
}

export function leaseOf([
  ,
  ,
  id,
  agent,
  domain,
  deadlineMs,
  epoch,
  index,
  probe,
]: LogRow): HeldLease {
  return { id, agent, domain, deadlineMs, epoch, index, probe: probe === 1 }
}
