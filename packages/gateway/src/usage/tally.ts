import { ApiError } from '../http/api-error.ts'
import type { Counters, Protocol, Result } from './counters.ts'
import type { Metrics } from './metrics.ts'

/** A request through an agent. */
export interface Asked {
  readonly keyId: string
  readonly protocol: Protocol
  /** Its URL, host or domain. */
  readonly target: string
}

/** What one came to: to Prometheus by its outcome, to its key as one of few results. */
export interface Done extends Asked {
  readonly outcome: string
  readonly result: Result
}

/** Counts what requests through agents came to. */
export class Tally {
  readonly #metrics: Metrics
  readonly #counters: Counters
  readonly #nowMs: () => number

  constructor(metrics: Metrics, counters: Counters, nowMs: () => number) {
    this.#metrics = metrics
    this.#counters = counters
    this.#nowMs = nowMs
  }

  add({ keyId, protocol, target, outcome, result }: Done): void {
    this.#metrics.outcomes.inc({ protocol, outcome })
    this.#counters.add(keyId, protocol, result, target, this.#nowMs())
  }

  /** One that ended in an error. What is wrong with the request itself is not counted: no agent was asked. */
  addError(asked: Asked, error: unknown): void {
    if (!(error instanceof ApiError) || error.status < 500) return
    // Whoever left, or was sent away at the end, has not seen a failure of ours.
    if (error.code === 'SHUTTING_DOWN') {
      this.#metrics.outcomes.inc({ protocol: asked.protocol, outcome: 'neutral' })
      return
    }
    this.add({ ...asked, outcome: error.code.toLowerCase(), result: 'failed' })
  }
}
