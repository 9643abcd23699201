import { OstlerError, shown } from '@ostler/core'
import type Database from 'better-sqlite3'
import type { Handle } from './driver.ts'

/** What a column may hold: all our numbers are integers. */
export type Value = string | number | Buffer | null

/** A prepared statement that reads. A row is an array of its columns. */
export class Read<Row extends readonly unknown[]> {
  readonly #statement: Database.Statement<unknown[], Row>

  constructor(statement: Database.Statement<unknown[], Row>) {
    this.#statement = statement.raw()
  }

  one(...values: readonly Value[]): Row | undefined {
    return this.#statement.get(...values)
  }

  all(...values: readonly Value[]): Row[] {
    return this.#statement.all(...values)
  }

  /** Rows one by one, for those that may be many. */
  each(...values: readonly Value[]): IterableIterator<Row> {
    return this.#statement.iterate(...values)
  }
}

/** A prepared statement that writes. */
export class Write {
  readonly #sql: Sql
  readonly #statement: Database.Statement

  constructor(sql: Sql, statement: Database.Statement) {
    this.#sql = sql
    this.#statement = statement
  }

  /** Gives the number of rows that changed. @throws OstlerError INVALID_REQUEST for a value that no column may hold */
  run(...values: readonly Value[]): number {
    return this.#run(values).changes
  }

  /** Gives the number of the new row. @throws OstlerError INVALID_REQUEST for a value that no column may hold */
  add(...values: readonly Value[]): number {
    return Number(this.#run(values).lastInsertRowid)
  }

  #run(values: readonly Value[]): Database.RunResult {
    // The driver would bind NaN and undefined as NULL, and fractions as they are.
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      if (typeof value === 'number' ? !Number.isSafeInteger(value) : value === undefined) {
        const message = `numbers to keep must be integers, got ${shown(value)}`
        throw new OstlerError('INVALID_REQUEST', message)
      }
    }
    this.#sql.wrote = true
    // An array that is given as it is costs less than one that is spread.
    return this.#statement.run(values)
  }
}

/** Prepares the statements of one connection, and knows whether anything has been written by them. */
export class Sql {
  readonly #handle: Handle
  /** The decision at hand has written something. */
  wrote = false

  constructor(handle: Handle) {
    this.#handle = handle
  }

  read<Row extends readonly unknown[]>(text: string): Read<Row> {
    return new Read(this.#handle.prepare<unknown[], Row>(text))
  }

  write(text: string): Write {
    return new Write(this, this.#handle.prepare(text))
  }
}
