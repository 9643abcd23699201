import { pause } from '../clock.ts'
import { OstlerError } from '../errors.ts'
import type { Mode, Store } from '../store/store.ts'
import { events } from './events.ts'

/** How a scheduler stands with its store. */
export interface Standing {
  /** The store's name. */
  readonly store: string
  readonly degraded: boolean
  /** Since when, by the scheduler's clock, and why; null while the store is in reach. */
  readonly sinceMs: number | null
  readonly reason: string | null
  /** Times that the store went out of reach. */
  readonly episodes: number
  /** Calls that were decided in this process instead. */
  readonly decidedLocally: number
  /** What waits for the store's return. */
  readonly owed: number
  /** Of what was owed: told to the store, and given up (it refused it, or there was no room). */
  readonly repaid: number
  readonly dropped: number
}

/** What a store is owed after an outage. */
export interface Debts {
  readonly isEmpty: boolean
  /** Tells the store; rejects where it is out of reach again. */
  repay(): Promise<void>
  /** All is told: what was decided locally is history. */
  settled(): void
}

/** Pauses between two questions, in ms; the last one is repeated. A store that is back is noticed within half a second. */
const PAUSES: readonly number[] = [0, 20, 50, 100, 200, 300, 400]

/** Where so many rounds of repaying leave something that came meanwhile, the store decides again before the last is told. */
const MOST_ROUNDS = 4

/**
 * Open while the store is out of reach: the first failure opens it, so that no second caller waits, and one probe at a time asks the
 * store. It closes when the store can decide again and has been told what it is owed.
 */
export class Circuit {
  episodes = 0
  reason: OstlerError | null = null
  sinceMs = 0
  readonly #store: Store
  readonly #debts: Debts
  readonly #nowMs: () => number
  #watching = false
  #closed = false

  constructor(store: Store<Mode>, debts: Debts, nowMs: () => number) {
    this.#store = store
    this.#debts = debts
    this.#nowMs = nowMs
  }

  get isOpen(): boolean {
    return this.reason !== null
  }

  /** The store has failed a call: opens. Where it is no matter of reach, or nobody will tell the store any more, the error is the caller's. */
  failed(error: unknown): void {
    if (!(error instanceof OstlerError) || error.code !== 'STORE_UNAVAILABLE') throw error
    if (this.#closed) throw error
    if (this.isOpen) return
    this.#open(error)
    if (!this.#watching) void this.#watch()
  }

  /** Asks no more. */
  close(): void {
    this.#closed = true
    this.reason = null
  }

  #open(error: OstlerError): void {
    this.reason = error
    this.sinceMs = this.#nowMs()
    this.episodes++
    this.#publish()
  }

  /** Asks until the store is back and knows everything. */
  async #watch(): Promise<void> {
    this.#watching = true
    for (let tries = 0; !this.#closed; tries++) {
      await pause(PAUSES[Math.min(tries, PAUSES.length - 1)])
      if (this.#closed) break
      try {
        await this.#ping()
        await this.#repayAll()
      } catch (error) {
        if (!this.#closed && error instanceof OstlerError) this.#stillOut(error)
        continue
      }
      if (!this.isOpen) break
      // It has failed another call meanwhile.
      tries = 0
    }
    this.#watching = false
  }

  /** Closes in one turn with a look at the debts, so that nothing is decided locally in between; or, where more keeps coming, before the last is told. */
  async #repayAll(): Promise<void> {
    for (let round = 1; ; round++) {
      await this.#debts.repay()
      if (this.#closed) return
      const isLast = this.#debts.isEmpty
      if (!isLast && round < MOST_ROUNDS) continue
      this.reason = null
      this.#publish()
      if (!isLast) await this.#debts.repay()
      if (this.isOpen || this.#closed) return
      this.#debts.settled()
      return
    }
  }

  #stillOut(error: OstlerError): void {
    if (this.isOpen) this.reason = error
    else this.#open(error)
  }

  #ping(): void | Promise<void> | number | Promise<number> {
    const store = this.#store
    return store.ping === undefined ? store.permits('ping', this.#nowMs()) : store.ping()
  }

  #publish(): void {
    if (!events.degraded.hasSubscribers) return
    const { name } = this.#store
    const { sinceMs, reason } = this
    const forMs = reason === null ? this.#nowMs() - sinceMs : 0
    const degraded = reason !== null
    events.degraded.publish({
      store: name,
      degraded,
      sinceMs,
      forMs,
      reason: reason?.message ?? null,
    })
  }
}
