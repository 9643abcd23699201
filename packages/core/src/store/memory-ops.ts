import { OstlerError } from '../errors.ts'
import { ExpiringMap } from './expiring.ts'
import type { BeginRequest, Begun, CompleteRequest } from './idempotency.ts'

type Op =
  | {
      readonly kind: 'running'
      readonly fingerprint: string
      readonly untilMs: number
      readonly expiresAtMs: number
    }
  | {
      readonly kind: 'done'
      readonly fingerprint: string
      readonly value: string
      readonly expiresAtMs: number
    }

/**
 * Idempotency records of the memory store. A running record frees itself at `runUntilMs`, when its
 * holder must have crashed; a completed one answers until `expiresAtMs` of its begin. At most
 * `maxRecords` live at once (default 100,000).
 */
export class MemoryOps {
  readonly #records: ExpiringMap<Op>
  readonly #maxRecords: number
  #lastMs = 0

  /** The options are trusted: `memoryStore` has checked them. */
  constructor(options: { readonly maxRecords?: number } = {}) {
    const { maxRecords = 100_000 } = options
    this.#maxRecords = maxRecords
    this.#records = new ExpiringMap(maxRecords)
  }

  /**
   * Starts an operation, or says how an earlier one of this id stands; another fingerprint is a
   * mismatch, running or done.
   * @throws OstlerError STORE_FULL when every record is live.
   */
  begin(request: BeginRequest): Begun {
    const nowMs = Math.max(this.#lastMs, request.nowMs)
    const { id, fingerprint, runUntilMs, expiresAtMs } = request
    const known = this.#records.get(id, nowMs)
    if (known !== undefined) {
      if (known.fingerprint !== fingerprint) return { kind: 'mismatch' }
      if (known.kind === 'running') return { kind: 'running', untilMs: known.untilMs }
      return { kind: 'done', value: known.value }
    }
    if (!this.#records.hasRoom(id, nowMs)) {
      const message = `at most ${this.#maxRecords} idempotency records can be live at once`
      throw new OstlerError('STORE_FULL', `${message} (maxRecords)`)
    }
    this.#lastMs = nowMs
    const untilMs = Math.min(runUntilMs, expiresAtMs)
    this.#records.set(id, { kind: 'running', fingerprint, untilMs, expiresAtMs }, untilMs, nowMs)
    return { kind: 'started' }
  }

  /**
   * Ends a running operation: with what repeats are given, or with null, so that a repeat starts
   * anew.
   */
  complete(request: CompleteRequest): boolean {
    const nowMs = Math.max(this.#lastMs, request.nowMs)
    const { id, fingerprint, value } = request
    const known = this.#records.get(id, nowMs)
    if (known?.kind !== 'running' || known.fingerprint !== fingerprint) return false
    this.#lastMs = nowMs
    const { expiresAtMs } = known
    if (value === null) {
      this.#records.delete(id)
      return true
    }
    this.#records.set(id, { kind: 'done', fingerprint, value, expiresAtMs }, expiresAtMs, nowMs)
    return true
  }
}
