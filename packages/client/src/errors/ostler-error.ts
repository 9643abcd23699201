const MARK = Symbol.for('@ostler/client')

/**
 * What every error of the client is. `code` is stable: a code of the gateway's registry, one of AMQP's, or one of the client's own:
 *
 * - `INVALID_OPTIONS`, `INVALID_REQUEST`: nothing was sent, and every problem is listed in the message
 * - `CONNECTION_FAILED`, `TIMEOUT`, `ABORTED`: there was no whole answer
 * - `INVALID_ANSWER`, `ANSWER_TOO_LARGE`, `REDIRECTED`: there was one, but none of the gateway's
 * - `SLOW_READER`: more waited for the reader of a WebSocket than is kept
 *
 * Classes of errors know the instances of other copies of this package: each marks its prototype by a name that all copies share.
 */
export class OstlerError extends Error {
  declare readonly cause?: unknown
  readonly code: string

  constructor(code: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /** Whether a value is an error of this class, or of the class of this name in another copy of the package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    const mark = Object.hasOwn(this, MARK) ? (this as unknown as Marked)[MARK] : null
    // A class that somebody derived has no mark, and is asked as any other.
    if (mark === null) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && mark in value
  }

  static {
    named(this, 'OstlerError')
  }
}

interface Marked {
  readonly [MARK]: symbol
}

/** Gives a class of errors its name, which survives a minifier, and the mark that its instances are known by. */
export function named(type: { readonly prototype: Error }, name: string): void {
  const mark = Symbol.for(`@ostler/client/${name}`)
  Object.defineProperty(type, MARK, { value: mark })
  Object.defineProperty(type.prototype, mark, { value: true })
  Object.defineProperty(type.prototype, 'name', { value: name, configurable: true, writable: true })
}
