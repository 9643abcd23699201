import type Database from 'better-sqlite3'
import type { Handle } from './driver.ts'
import { isBusy } from './failure.ts'
import { Hasher } from './hasher.ts'
import { Head } from './head.ts'
import type { Later } from './later.ts'
import { identityOf, openFile, type FileOptions } from './open.ts'
import type { Patience } from './patience.ts'
import { Sql } from './sql.ts'
import { Versions } from './versions.ts'

/** For how long a connection that has committed is taken to go on doing so. */
const SHARED_MS = 1_000

/** One open file, and the transaction that is under way on it. */
export class Connection {
  readonly sql: Sql
  readonly head: Head
  readonly hasher: Hasher
  readonly versions: Versions
  /** Which file it is, by device and number. */
  readonly identity: string
  /** Another number whenever what was read before may not hold any more. */
  stamp = 1
  /** The transaction under way has written something, or will. */
  written = false
  /** The decision at hand has changed rows that are written later. */
  changed = false
  /** What is written before the transaction ends. */
  readonly later: Later[] = []
  /** Counts the transactions. */
  transaction = 0
  readonly #handle: Handle
  readonly #dataVersion: Database.Statement
  readonly #beginWrite: Database.Statement
  readonly #beginRead: Database.Statement
  readonly #commit: Database.Statement
  readonly #rollback: Database.Statement
  readonly #savepoint: Database.Statement
  readonly #release: Database.Statement
  readonly #undo: Database.Statement
  #seenVersion = 0
  /** When the head was read, by the stamp. */
  #headStamp = 0
  #othersAtMs = -Infinity

  constructor(handle: Handle, path: string) {
    this.#handle = handle
    this.identity = identityOf(path) ?? 'none'
    this.sql = new Sql(handle)
    this.head = new Head(this.sql)
    this.hasher = new Hasher(this.head.salt)
    this.versions = new Versions(this.head.base)
    this.#dataVersion = handle.prepare('PRAGMA data_version').pluck()
    this.#beginWrite = handle.prepare('BEGIN IMMEDIATE')
    this.#beginRead = handle.prepare('BEGIN')
    this.#commit = handle.prepare('COMMIT')
    this.#rollback = handle.prepare('ROLLBACK')
    this.#savepoint = handle.prepare('SAVEPOINT decision')
    this.#release = handle.prepare('RELEASE decision')
    this.#undo = handle.prepare('ROLLBACK TO decision')
    this.#seenVersion = this.#dataVersion.get() as number
  }

  /** Opens with patience: others may be opening or closing the same file. */
  static open(options: FileOptions, patience: Patience): Connection {
    for (;;) {
      let handle: Handle | undefined
      try {
        handle = openFile(options, patience)
        return new Connection(handle, options.path)
      } catch (error) {
        handle?.close()
        if (!isBusy(error) || !patience.pause()) throw error
      }
    }
  }

  /** Begins a transaction that holds the lock to write, and reads the head. */
  begin(patience: Patience): void {
    this.#start(this.#beginWrite, patience)
  }

  /** Begins one that only reads, and sees one state throughout. */
  look(patience: Patience): void {
    this.#start(this.#beginRead, patience)
  }

  /** A decision begins that may be undone by itself, within a transaction that goes on. What came before it is written first. */
  enter(): void {
    this.#writeLater()
    this.#savepoint.run()
    this.head.mark()
  }

  leave(): void {
    this.#release.run()
  }

  /** Undoes what was written since `enter`. False where the transaction as a whole is gone. */
  undo(): boolean {
    this.#stamp()
    if (!this.isOpen || this.waiting > 0) return false
    try {
      this.#undo.run()
      this.#release.run()
      this.head.undo()
      return true
    } catch {
      // What led here is told.
      return false
    }
  }

  /** A decision failed that was not to be undone. False where the transaction is gone, or holds a part of it. */
  outlives(isRefusal: boolean): boolean {
    if (!this.isOpen || (this.isTouched && !isRefusal)) return false
    // Whoever refuses has changed nothing, but may have deleted what has run out.
    if (this.sql.wrote) this.written = true
    this.sql.wrote = false
    return true
  }

  /** A decision at `nowMs` is complete. True where it wrote anything. */
  decided(nowMs: number): boolean {
    if (!this.isTouched) return false
    this.sql.wrote = false
    this.changed = false
    this.written = true
    this.head.newestMs = nowMs
    return true
  }

  /** Ends the transaction; what was written is kept from here on. */
  commit(): void {
    if (this.written) {
      this.#writeLater()
      this.head.save()
    }
    this.#commit.run()
    this.#end()
  }

  /** Ends the transaction as if it had never been. SQLite may have ended it already, or be past doing so. */
  rollback(): void {
    for (const rows of this.later) rows.drop()
    this.#end()
    this.#stamp()
    if (!this.#handle.inTransaction) return
    try {
      this.#rollback.run()
    } catch {
      // What led here is told; the next call shows what has become of the connection.
    }
  }

  /** Asks whether another connection has committed anything: then `stamp` is another. About a microsecond. */
  refresh(): void {
    const version = this.#dataVersion.get() as number
    if (version === this.#seenVersion) return
    this.#seenVersion = version
    this.#othersAtMs = performance.now()
    this.stamp++
  }

  /** How many rows are written later. */
  get waiting(): number {
    let waiting = 0
    for (const rows of this.later) waiting += rows.waiting
    return waiting
  }

  /** The decision at hand has written or changed anything. */
  get isTouched(): boolean {
    return this.sql.wrote || this.changed
  }

  /** SQLite may have ended a transaction that failed. */
  get isOpen(): boolean {
    return this.#handle.inTransaction
  }

  /** Another connection has committed of late, as far as `refresh` was asked. */
  get isShared(): boolean {
    return performance.now() - this.#othersAtMs < SHARED_MS
  }

  close(): void {
    this.#handle.close()
  }

  #writeLater(): void {
    for (const rows of this.later) if (rows.waiting > 0) rows.write(this.head.newestMs)
  }

  #end(): void {
    this.written = false
    this.changed = false
    this.sql.wrote = false
  }

  /** What was read, or written, before holds no longer. */
  #stamp(): void {
    this.stamp++
    this.sql.wrote = false
    this.changed = false
  }

  #start(begin: Database.Statement, patience: Patience): void {
    for (;;) {
      try {
        begin.run()
        this.refresh()
        if (this.#headStamp !== this.stamp) this.head.load()
        this.#headStamp = this.stamp
        this.transaction++
        return
      } catch (error) {
        if (this.#handle.inTransaction) this.#rollback.run()
        if (!isBusy(error) || !patience.pause()) throw error
      }
    }
  }
}
