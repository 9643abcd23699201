import { QUIET_MS, type Watch } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import type { Head } from '../file/head.ts'
import type { Read, Write } from '../file/sql.ts'
import type { Leases } from './leases.ts'

/** What is known of a domain, as its row says; decisions keep it in step with what they write. */
export interface Domain {
  readonly id: number
  readonly name: string
  floor: number
  version: number
  /** Leases given while something is counted towards an incident, and so looked at. */
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
/** So many are known without a look at the file; then all are forgotten, for it is only a look saved. */
const MOST_KNOWN = 4_096

type Row = [
  id: number,
  floor: number,
  version: number,
  dispatched: number,
  pairs: number,
  watch: string | null,
]

/** The domains of which anything is known, or on its way. An idle one is forgotten as new ones come. */
export class Domains {
  readonly #connection: Connection
  readonly #head: Head
  readonly #leases: Leases
  /** Those that were read, or written, since `#stamp`. */
  readonly #byName = new Map<string, Domain>()
  readonly #byId = new Map<number, Domain>()
  #stamp = 0
  readonly #find: Read<Row>
  readonly #insert: Write
  readonly #delete: Write
  readonly #next: Read<[name: string, ...Row]>
  readonly #lastId: Read<[id: number | null]>
  readonly #dispatched: Write
  readonly #changed: Write
  readonly #lost: Write
  readonly #watch: Write
  #cursor = 0

  constructor(connection: Connection, leases: Leases) {
    const { sql, head } = connection
    const columns = 'id, floor, version, dispatched, pairs, watch'
    this.#connection = connection
    this.#head = head
    this.#leases = leases
    this.#find = sql.read(`SELECT ${columns} FROM domains WHERE name = ?`)
    this.#insert = sql.write(
      `INSERT INTO domains (id, name, floor, version, dispatched, pairs, watch)
       VALUES (?, ?, ?, 0, 0, 0, NULL)`,
    )
    this.#delete = sql.write('DELETE FROM domains WHERE id = ?')
    this.#next = sql.read(`SELECT name, ${columns} FROM domains WHERE id > ? ORDER BY id LIMIT ?`)
    this.#lastId = sql.read('SELECT max(id) FROM domains')
    this.#dispatched = sql.write('UPDATE domains SET dispatched = ? WHERE id = ?')
    this.#changed = sql.write('UPDATE domains SET version = ?, pairs = ? WHERE id = ?')
    this.#lost = sql.write(
      'UPDATE domains SET floor = max(floor, ?), pairs = pairs - 1 WHERE id = ?',
    )
    this.#watch = sql.write('UPDATE domains SET watch = ?, version = ? WHERE id = ?')
  }

  find(name: string): Domain | undefined {
    if (this.#stamp !== this.#connection.stamp) this.#forget()
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const row = this.#find.one(name)
    return row === undefined ? undefined : this.#know(domainOf(name, row))
  }

  /** Adds a domain that `find` does not know. */
  add(name: string, nowMs: number): Domain {
    this.#sweep(nowMs)
    const { version } = this.#head
    // Ids may come again: nothing is left that names one which has gone.
    const id = ((this.#lastId.one() as [number | null])[0] ?? 0) + 1
    this.#insert.run(id, name, version)
    this.#head.add('domains', 1)
    return this.#know(domainOf(name, [id, version, 0, 0, 0, null]))
  }

  /** A lease goes out. */
  took(domain: Domain): void {
    if (domain.watch === null) return
    domain.dispatched++
    this.#dispatched.run(domain.dispatched, domain.id)
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
    const known = this.#byId.get(id)
    if (known === undefined) return
    known.pairs--
    known.floor = Math.max(known.floor, version - 1)
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
      const domain = domainOf(name, row)
      const { id, pairs, watch } = domain
      this.#cursor = id
      if (pairs > 0 || this.#leases.inFlight(domain) > 0) continue
      const watched = watch !== null && nowMs - watch.lastEventMs < QUIET_MS
      if (watched && this.#head.count('domains') <= MOST_WATCHED) continue
      this.#delete.run(id)
      this.#head.add('domains', -1)
      this.#byName.delete(name)
      this.#byId.delete(id)
    }
  }

  #know(domain: Domain): Domain {
    if (this.#byName.size >= MOST_KNOWN) this.#forget()
    this.#byName.set(domain.name, domain)
    this.#byId.set(domain.id, domain)
    return domain
  }

  #forget(): void {
    this.#byName.clear()
    this.#byId.clear()
    this.#stamp = this.#connection.stamp
  }
}

function domainOf(name: string, row: Row): Domain {
  const [id, floor, version, dispatched, pairs, watch] = row
  return {
    id,
    name,
    floor,
    version,
    dispatched,
    pairs,
    watch: watch === null ? null : (JSON.parse(watch) as Watch),
  }
}
