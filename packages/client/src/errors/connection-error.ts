import { named, OstlerError } from './ostler-error.ts'

/** No whole answer came: the gateway was not reached, or the connection ended before its answer did. `cause` says more. */
export class APIConnectionError extends OstlerError {
  declare readonly name: 'APIConnectionError' | 'APITimeoutError'

  constructor(message: string, options?: { readonly cause?: unknown; readonly code?: 'TIMEOUT' }) {
    super(options?.code ?? 'CONNECTION_FAILED', message, options)
  }

  static {
    named(this, 'APIConnectionError')
  }
}

/** No whole answer came in time. */
export class APITimeoutError extends APIConnectionError {
  declare readonly name: 'APITimeoutError'
  /** How long was waited. */
  readonly timeoutMs: number

  constructor(what: string, timeoutMs: number) {
    super(`${what} within ${timeoutMs} ms`, { code: 'TIMEOUT' })
    this.timeoutMs = timeoutMs
  }

  static {
    named(this, 'APITimeoutError')
  }
}

/** The caller gave up. `cause` is the reason that his signal was aborted with. */
export class APIAbortError extends OstlerError {
  declare readonly name: 'APIAbortError'

  constructor(reason: unknown) {
    super('ABORTED', 'the call was aborted', { cause: reason })
  }

  static {
    named(this, 'APIAbortError')
  }
}

/** What a failure of `fetch`, of a WebSocket or of a stream is to the caller. */
export function connectionError(thrown: unknown): OstlerError {
  if (thrown instanceof OstlerError) return thrown
  const why = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
  const said = why instanceof Error && why.message !== '' ? why.message : String(why)
  return new APIConnectionError(`the connection to the gateway failed: ${said}`, { cause: thrown })
}
