import { QUIET_MS, type Watch } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import type { Head } from '../file/head.ts'
import type { Read, Write } from '../file/sql.ts'

/** What is known of a domain, as its row says; decisions keep it in step with what they write. */
export interface Domain {
  readonly id: number
  readonly name: string
  floor: number
  version: number
  inFlight: number
  dispatched: number
  pairs: number
  watch: Watch | null
}

/** Above so many domains, counts of those that have neither pairs nor leases are not kept. */
const MOST_WATCHED = 65_536
/** So few are kept even when idle: a domain that is asked for now and then is not made anew each time. */
const SPARED = 1_024
/** Idle domains that each new one may send away. */
const SWEPT_A_NEWCOMER = 2

type Row = [
  id: number,
  floor: number,
  version: number,
  inFlight: number,
  dispatched: number,
  pairs: number,
  watch: string | null,
]

/** The domains of which anything is known, or on its way. An idle one is forgotten as new ones come. */
export class Domains {
  readonly #head: Head
  readonly #find: Read<Row>
  readonly #insert: Write
  readonly #delete: Write
  readonly #next: Read<[name: string, ...Row]>
  readonly #lastId: Read<[id: number | null]>
  readonly #took: Write
  readonly #freed: Write
  readonly #changed: Write
  readonly #lost: Write
  readonly #watch: Write
  #cursor = 0

  constructor(connection: Connection) {
    const { sql, head } = connection
    const columns = 'id, floor, version, in_flight, dispatched, pairs, watch'
    this.#head = head
    this.#find = sql.read(`SELECT ${columns} FROM domains WHERE name = ?`)
    this.#insert = sql.write(
      `INSERT INTO domains (id, name, floor, version, in_flight, dispatched, pairs, watch)
       VALUES (?, ?, ?, 0, 0, 0, 0, NULL)`,
    )
    this.#delete = sql.write('DELETE FROM domains WHERE id = ?')
    this.#next = sql.read(`SELECT name, ${columns} FROM domains WHERE id > ? ORDER BY id LIMIT ?`)
    this.#lastId = sql.read('SELECT max(id) FROM domains')
    this.#took = sql.write(
      'UPDATE domains SET in_flight = in_flight + 1, dispatched = dispatched + 1 WHERE id = ?',
    )
    this.#freed = sql.write('UPDATE domains SET in_flight = in_flight - 1 WHERE id = ?')
    this.#changed = sql.write('UPDATE domains SET version = ?, pairs = ? WHERE id = ?')
    this.#lost = sql.write(
      'UPDATE domains SET floor = max(floor, ?), pairs = pairs - 1 WHERE id = ?',
    )
    this.#watch = sql.write('UPDATE domains SET watch = ?, version = ? WHERE id = ?')
  }

  find(name: string): Domain | undefined {
    const row = this.#find.one(name)
    return row === undefined ? undefined : domainOf(name, row)
  }

  /** Adds a domain that `find` does not know. */
  add(name: string, nowMs: number): Domain {
    this.#sweep(nowMs)
    const { version } = this.#head
    // Ids may come again: nothing is left that names one which has gone.
    const id = ((this.#lastId.one() as [number | null])[0] ?? 0) + 1
    this.#insert.run(id, name, version)
    this.#head.add('domains', 1)
    return domainOf(name, [id, version, 0, 0, 0, 0, null])
  }

  /** A lease goes out. */
  took(domain: Domain): void {
    this.#took.run(domain.id)
    domain.inFlight++
    domain.dispatched++
  }

  /** A lease has come back. */
  freed(id: number): void {
    this.#freed.run(id)
  }

  /** A pair has been written, as the domain's newest change. */
  changed(domain: Domain, version: number, isNew: boolean): void {
    domain.version = version
    if (isNew) domain.pairs++
    this.#changed.run(version, domain.pairs, domain.id)
  }

  /** A pair of the domain has been dropped: who has not seen its last change, at `version`, must start anew. */
  lost(id: number, version: number): void {
    this.#lost.run(version - 1, id)
  }

  setWatch(domain: Domain, watch: Watch | null, version: number): void {
    domain.watch = watch
    domain.version = version
    this.#watch.run(watch === null ? null : JSON.stringify(watch), version, domain.id)
  }

  #sweep(nowMs: number): void {
    if (this.#head.count('domains') < SPARED) return
    const rows = this.#next.all(this.#cursor, SWEPT_A_NEWCOMER)
    if (rows.length === 0) this.#cursor = 0
    for (const [name, ...row] of rows) {
      const { id, inFlight, pairs, watch } = domainOf(name, row)
      this.#cursor = id
      if (inFlight > 0 || pairs > 0) continue
      const watched = watch !== null && nowMs - watch.lastEventMs < QUIET_MS
      if (watched && this.#head.count('domains') <= MOST_WATCHED) continue
      this.#delete.run(id)
      this.#head.add('domains', -1)
    }
  }
}

function domainOf(name: string, row: Row): Domain {
  const [id, floor, version, inFlight, dispatched, pairs, watch] = row
  return {
    id,
    name,
    floor,
    version,
    inFlight,
    dispatched,
    pairs,
    watch: watch === null ? null : (JSON.parse(watch) as Watch),
  }
}
