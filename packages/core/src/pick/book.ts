/**
 * Where a view reads its domain's records: in a store of this process, one book for all domains, or in one of its own.
 */
export interface Book<R> {
  get(domain: string, exit: string, nowMs: number): R | null
  /** What the store says of an exit now. */
  set(domain: string, exit: string, record: R | null, nowMs: number): void
  /** Every exit that may not be available, with its record. */
  entries(domain: string, nowMs: number): Iterable<readonly [string, R]>
  /** Forgets all: the store is about to tell it anew. */
  clear(): void
}

/** So many others are looked at when a record is set, and dropped where they are available by now. */
const LOOKED_AT = 2

/**
 * The book of one domain: the records of exits that were not available when the store told of them. Those that are by now are dropped
 * in passing, so its size stays within about twice the others.
 */
export class OwnBook<R> implements Book<R> {
  readonly #records: Map<string, R> = new Map()
  readonly #isAvailable: (record: R, nowMs: number) => boolean
  #looking: Iterator<readonly [string, R]> | null = null

  constructor(isAvailable: (record: R, nowMs: number) => boolean) {
    this.#isAvailable = isAvailable
  }

  get(_: string, exit: string): R | null {
    return this.#records.get(exit) ?? null
  }

  set(_: string, exit: string, record: R | null, nowMs: number): void {
    this.#dropSome(nowMs)
    if (record === null || this.#isAvailable(record, nowMs)) this.#records.delete(exit)
    else this.#records.set(exit, record)
  }

  entries(): Iterable<readonly [string, R]> {
    return this.#records
  }

  clear(): void {
    this.#records.clear()
    this.#looking = null
  }

  #dropSome(nowMs: number): void {
    for (let i = 0; i < LOOKED_AT && this.#records.size > 0; i++) {
      this.#looking ??= this.#records.entries()
      const { done, value } = this.#looking.next()
      if (done === true) this.#looking = null
      else if (this.#isAvailable(value[1], nowMs)) this.#records.delete(value[0])
    }
  }
}
