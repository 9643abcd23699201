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
    const readMs = Math.floor(this.#clock.nowMs())
    if (readMs > this.#newestMs) {
      if (readMs > Number.MAX_SAFE_INTEGER) this.#refuse(readMs)
      this.#newestMs = readMs
    } else if (!(readMs >= 0)) this.#refuse(readMs)
    return this.#newestMs
  }

  #refuse(readMs: number): never {
    const message = `clock.nowMs() must give milliseconds since the epoch, got ${shown(readMs)}`
    throw new OstlerError('INVALID_OPTIONS', message)
  }
}
