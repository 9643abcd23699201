import type { Clock } from '../clock.ts'
import { OstlerError, shown } from '../errors.ts'

/** The scheduler's time: the clock's, but it never goes back. While the clock lags behind it, it stands still. */
export class Time {
  readonly #clock: Clock
  #newestMs = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  nowMs(): number {
    const read = this.#clock.nowMs()
    if (typeof read !== 'number') this.#refuse(read)
    const readMs = Math.floor(read)
    if (readMs > this.#newestMs) {
      if (readMs > Number.MAX_SAFE_INTEGER) this.#refuse(readMs)
      this.#newestMs = readMs
    } else if (!(readMs >= 0)) this.#refuse(readMs)
    return this.#newestMs
  }

  #refuse(read: unknown): never {
    const message = `clock.nowMs() must give milliseconds since the epoch, got ${shown(read)}`
    throw new OstlerError('INVALID_OPTIONS', message)
  }
}
