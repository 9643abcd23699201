import { AbortFailure } from './failure.ts'

/** How long a caller waits in all: until its time is over, or it gives up. */
export class Patience {
  readonly #untilMs: number
  readonly #signal: AbortSignal | undefined

  /** @param timeoutMs from now */
  constructor(timeoutMs: number, signal?: AbortSignal) {
    this.#untilMs = performance.now() + timeoutMs
    this.#signal = signal
  }

  /** What is left of the time, in ms; 0 when it is over. */
  get leftMs(): number {
    return Math.max(0, this.#untilMs - performance.now())
  }

  /**
   * Waits for one step, which ends with the step, the time (then with what `late` makes) or the
   * signal. A signal of `AbortSignal.timeout` is the time as well. A step that lost goes on: who
   * called must end it.
   * @throws AbortFailure, and whatever the step or `late` gives
   */
  async wait<T>(step: Promise<T>, late: () => Error): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    let stop = (): void => {}
    const over = new Promise<never>((_, reject) => {
      stop = () => {
        const reason: unknown = this.#signal?.reason
        reject(isTimeout(reason) ? late() : new AbortFailure(reason))
      }
      if (this.#signal?.aborted === true) stop()
      this.#signal?.addEventListener('abort', stop, { once: true })
      timer = setTimeout(() => reject(late()), this.leftMs)
    })
    try {
      return await Promise.race([step, over])
    } finally {
      clearTimeout(timer)
      this.#signal?.removeEventListener('abort', stop)
    }
  }
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}
