import type { Connection } from './connection.ts'

/** Spares looks for rows that have run out: when the first of a table does, as far as this process knows. */
export class Due {
  readonly #connection: Connection
  #atMs = 0
  #stamp = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Whether a look may find something. Another process's rows may be due earlier than is known here: they wait. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#atMs || this.#connection.stamp !== this.#stamp
  }

  /** A row that runs out then has come. */
  added(atMs: number): void {
    if (atMs < this.#atMs) this.#atMs = atMs
  }

  /** A look has shown that none runs out before. */
  next(atMs: number): void {
    this.#atMs = atMs
    this.#stamp = this.#connection.stamp
  }
}
