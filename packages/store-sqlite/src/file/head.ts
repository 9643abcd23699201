import type { Read, Sql, Write } from './sql.ts'

/** The kinds of rows that the head counts. */
export const COUNT_NAMES = [
  'operations',
  'permits',
  'idempotency',
  'domains',
  'pairs',
  'agents',
  'breakers',
  'exits',
  'gone_agents',
  'gone_breakers',
  'gone_exits',
] as const

export type CountName = (typeof COUNT_NAMES)[number]

const COLUMNS = ['newest_ms', 'version', 'fleet_version', 'fleet_floor', ...COUNT_NAMES]
const NEWEST = 0
const VERSION = 1
const FLEET_VERSION = 2
const FLEET_FLOOR = 3
const FIRST_COUNT = 4
const PLACES = new Map(COUNT_NAMES.map((name, i) => [name, i + FIRST_COUNT]))

/** The row that every table leans on: read when a transaction begins, written when it ends, if anything was. */
export class Head {
  /** Keys the hashes of this file. */
  readonly salt: string
  /** Versions of this file are above it. */
  readonly base: number
  /** The row, and what it was when the decision at hand began. */
  readonly #now: Float64Array = new Float64Array(COLUMNS.length)
  readonly #before: Float64Array = new Float64Array(COLUMNS.length)
  /** The newest instant as it stands in the file. */
  #savedMs = 0
  /** More than the newest instant is to be written. */
  #changed = false
  readonly #read: Read<number[]>
  readonly #write: Write
  readonly #writeNewest: Write

  constructor(sql: Sql) {
    const fixed = sql.read<[Buffer, number]>('SELECT salt, base FROM head').one()
    const [salt, base] = fixed as [Buffer, number]
    this.salt = salt.toString('base64')
    this.base = base
    this.#read = sql.read(`SELECT ${COLUMNS.join(', ')} FROM head`)
    this.#write = sql.write(`UPDATE head SET ${COLUMNS.map((name) => `${name} = ?`).join(', ')}`)
    this.#writeNewest = sql.write('UPDATE head SET newest_ms = ?')
  }

  load(): void {
    this.#now.set(this.#read.one() as number[])
    this.#savedMs = this.#now[NEWEST]
    this.#changed = false
  }

  /** Writes what has changed: nothing where decisions are of one instant, and of limits alone. */
  save(): void {
    if (this.#changed) this.#write.run(...this.#now)
    else if (this.#now[NEWEST] > this.#savedMs) this.#writeNewest.run(this.#now[NEWEST])
    this.#savedMs = this.#now[NEWEST]
    this.#changed = false
  }

  /** A decision begins, that may be undone by itself. */
  mark(): void {
    this.#before.set(this.#now)
  }

  undo(): void {
    this.#now.set(this.#before)
  }

  count(name: CountName): number {
    return this.#now[PLACES.get(name) as number]
  }

  add(name: CountName, rows: number): void {
    this.#now[PLACES.get(name) as number] += rows
    this.#changed = true
  }

  /** The newest instant decided at. */
  get newestMs(): number {
    return this.#now[NEWEST]
  }

  set newestMs(ms: number) {
    this.#now[NEWEST] = ms
  }

  /** The newest change of any domain. */
  get version(): number {
    return this.#now[VERSION]
  }

  /** The newest change of the fleet. */
  get fleetVersion(): number {
    return this.#now[FLEET_VERSION]
  }

  /** Changes of the fleet up to this one may be forgotten. */
  get fleetFloor(): number {
    return this.#now[FLEET_FLOOR]
  }

  nextVersion(): number {
    this.#changed = true
    return ++this.#now[VERSION]
  }

  nextFleetVersion(): number {
    this.#changed = true
    return ++this.#now[FLEET_VERSION]
  }

  raiseFleetFloor(version: number): void {
    this.#changed = true
    this.#now[FLEET_FLOOR] = Math.max(this.fleetFloor, version)
  }
}
