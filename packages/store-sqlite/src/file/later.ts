/** Rows that are known to have changed, and are written before their transaction ends. */
export interface Later {
  /** How many there are. */
  readonly waiting: number
  write(nowMs: number): void
  /** The transaction is gone, and with it what was to be written. */
  drop(): void
}
