import { createHash } from 'node:crypto'
import { HEADERS } from '@ostler/api'
import type { Mode, Store } from '@ostler/core'
import { ApiError } from './api-error.ts'
import { KeptBytes } from './kept-bytes.ts'

const DAY_MS = 86_400_000
/** A larger answer is not kept: its repeat is told so. */
const MOST_KEPT_BYTES = 1024 * 1024
/** How much longer than its time-out an operation counts as running: then its gateway has crashed. */
const GRACE_MS = 10_000
const FORM = /^[\x21-\x7e]{1,255}$/

/** An answer as it is kept for its repeats. */
export interface KeptAnswer {
  readonly status: number
  readonly body: string
}

/** An operation that has begun, and must be ended by one of these. */
export interface Operation {
  /** Keeps the answer for its repeats. */
  keep(answer: KeptAnswer): Promise<void>
  /** Frees the key: a repeat starts anew. */
  free(): Promise<void>
}

export type BegunOperation =
  | { readonly kind: 'started'; readonly operation: Operation }
  | { readonly kind: 'replayed'; readonly answer: KeptAnswer }

/** Where a request's idempotency key is, or null without one. @throws ApiError BAD_REQUEST */
export function idempotencyKeyOf(headers: Readonly<Record<string, unknown>>): string | null {
  const key = headers[HEADERS.idempotencyKey]
  if (key === undefined) return null
  if (typeof key === 'string' && FORM.test(key)) return key
  throw new ApiError('BAD_REQUEST', 'Idempotency-Key must be 1 to 255 printable ASCII characters')
}

/**
 * Operations that are done once, however often they are asked for: each by the caller's key, his API key and the route, for a day.
 * They are kept in the store, so that every gateway on it knows them. While it is out of reach nothing with a key is begun.
 */
export class Operations {
  readonly #store: Store<Mode>
  readonly #nowMs: () => number
  readonly #kept: KeptBytes

  /** @param maxKeptBytes of answers, in a day: see {@link KeptBytes} */
  constructor(store: Store<Mode>, nowMs: () => number, maxKeptBytes: number) {
    this.#store = store
    this.#nowMs = nowMs
    this.#kept = new KeptBytes(maxKeptBytes)
  }

  /**
   * Begins an operation, or finds what it came to. `input`: all that makes two requests the same.
   * @throws ApiError IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS, CONFLICT where the answer was not kept
   */
  async begin(request: {
    readonly idempotencyKey: string
    readonly keyId: string
    readonly route: string
    readonly input: string
    readonly timeoutMs: number
  }): Promise<BegunOperation> {
    const { idempotencyKey, keyId, route, input, timeoutMs } = request
    const nowMs = this.#nowMs()
    const id = digest(`${keyId}\n${route}\n${idempotencyKey}`)
    const fingerprint = digest(input)
    const runUntilMs = nowMs + timeoutMs + GRACE_MS
    const expiresAtMs = nowMs + DAY_MS
    const begun = await this.#store.begin({ id, fingerprint, nowMs, runUntilMs, expiresAtMs })
    switch (begun.kind) {
      case 'started':
        return { kind: 'started', operation: this.#operation(id, fingerprint, keyId) }
      case 'done':
        return { kind: 'replayed', answer: answerOf(begun.value) }
      case 'running':
        throw new ApiError('IDEMPOTENCY_IN_PROGRESS', 'the request of this key is still running', {
          retryAfterMs: Math.max(1000, Math.min(begun.untilMs - nowMs, 5000)),
        })
      case 'mismatch':
        throw new ApiError('IDEMPOTENCY_KEY_REUSED', 'this key was used with another request')
      default:
        return begun satisfies never
    }
  }

  #operation(id: string, fingerprint: string, keyId: string): Operation {
    const complete = async (value: string | null): Promise<void> => {
      await this.#store.complete({ id, fingerprint, value, nowMs: this.#nowMs() })
    }
    return {
      keep: (answer) => {
        const value = JSON.stringify(answer)
        const bytes = Buffer.byteLength(value)
        const isKept = bytes <= MOST_KEPT_BYTES && this.#kept.take(keyId, bytes, this.#nowMs())
        return complete(isKept ? value : JSON.stringify({ notKept: bytes }))
      },
      free: () => complete(null),
    }
  }
}

function answerOf(value: string): KeptAnswer {
  const kept = JSON.parse(value) as KeptAnswer | { readonly notKept: number }
  if (!('notKept' in kept)) return kept
  const message = `the request was done, but its answer of ${kept.notKept} bytes was too large to keep, beside all that is kept`
  throw new ApiError('CONFLICT', message)
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
