import type Database from 'better-sqlite3'
import type { Handle } from './driver.ts'
import { isBusy } from './failure.ts'
import { Hasher } from './hasher.ts'
import { Head } from './head.ts'
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
  /** The transaction under way has written something. */
  written = false
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

  /** A decision begins that may be undone by itself, within a transaction that goes on. */
  enter(): void {
    this.#savepoint.run()
    this.head.mark()
  }

  leave(): void {
    this.#release.run()
  }

  /** Undoes what was written since `enter`. False where the transaction as a whole is gone. */
  undo(): boolean {
    this.#stamp()
    if (!this.#handle.inTransaction) return false
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

  /** A decision at `nowMs` is complete. True where it wrote anything. */
  decided(nowMs: number): boolean {
    if (!this.sql.wrote) return false
    this.sql.wrote = false
    this.written = true
    this.head.newestMs = nowMs
    return true
  }

  /** Ends the transaction; what was written is kept from here on. */
  commit(): void {
    if (this.written) this.head.save()
    this.#commit.run()
    this.#end()
  }

  /** Ends the transaction as if it had never been. SQLite may have ended it already, or be past doing so. */
  rollback(): void {
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

  /** Another connection has committed of late, as far as `refresh` was asked. */
  get isShared(): boolean {
    return performance.now() - this.#othersAtMs < SHARED_MS
  }

  close(): void {
    this.#handle.close()
  }

  #end(): void {
    this.written = false
    this.sql.wrote = false
  }

  /** What was read, or written, before holds no longer. */
  #stamp(): void {
    this.stamp++
    this.sql.wrote = false
  }

  #start(begin: Database.Statement, patience: Patience): void {
    for (;;) {
      try {
        begin.run()
        this.head.load()
        return
      } catch (error) {
        if (this.#handle.inTransaction) this.#rollback.run()
        if (!isBusy(error) || !patience.pause()) throw error
      }
    }
  }
}
