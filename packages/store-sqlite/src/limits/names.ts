import { OstlerError } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import type { Read, Write } from '../file/sql.ts'
import type { Rows } from './rows.ts'

/** Policy names are written by people; more than this many are a mistake. */
const MAX_NAMES = 1_024

/** How many keys each policy name has a row of their own for. */
export class Names {
  readonly #connection: Connection
  /** Those whose number is to be written. */
  readonly #changed = new Set<Rows>()
  readonly #keysOf: Read<[keys: number]>
  readonly #names: Read<[names: number]>
  readonly #set: Write
  readonly #forget: Write

  constructor(connection: Connection) {
    const { sql } = connection
    this.#connection = connection
    this.#keysOf = sql.read('SELECT keys FROM policies WHERE policy = ?')
    this.#names = sql.read('SELECT count(*) FROM policies')
    this.#set = sql.write(
      `INSERT INTO policies (policy, keys) VALUES (?, ?)
       ON CONFLICT (policy) DO UPDATE SET keys = excluded.keys`,
    )
    this.#forget = sql.write('DELETE FROM policies WHERE policy = ?')
  }

  get waiting(): number {
    return this.#changed.size
  }

  isWaiting(rows: Rows): boolean {
    return this.#changed.has(rows)
  }

  keys(rows: Rows): number {
    if (rows.stamp !== this.#connection.stamp && !this.#changed.has(rows)) {
      rows.keys = this.#keysOf.one(rows.policy)?.[0] ?? 0
      rows.stamp = this.#connection.stamp
    }
    return rows.keys
  }

  count(rows: Rows, by: number): void {
    rows.keys = this.keys(rows) + by
    this.#changed.add(rows)
  }

  /** Whether a name is in use, or may be. */
  hasRoom(rows: Rows): boolean {
    if (this.keys(rows) > 0) return true
    this.write()
    return (this.#names.one() as [number])[0] < MAX_NAMES
  }

  /** @throws OstlerError STORE_FULL */
  refuse({ policy }: Rows): never {
    const message = `at most ${MAX_NAMES} policy names can be in use, got one more: ${policy}`
    throw new OstlerError('STORE_FULL', message)
  }

  write(): void {
    if (this.#changed.size === 0) return
    for (const { policy, keys } of this.#changed) {
      if (keys > 0) this.#set.run(policy, keys)
      else this.#forget.run(policy)
    }
    this.#changed.clear()
  }

  drop(): void {
    this.#changed.clear()
  }
}
