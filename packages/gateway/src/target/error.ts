export type TargetErrorCode = 'INVALID_TARGET_URL' | 'TARGET_FORBIDDEN' | 'TARGET_UNRESOLVED'

/**
 * Why a target is not fetched, for people: the message names what is wrong, and the range of an
 * address, but neither the address nor credentials.
 */
export class TargetError extends Error {
  readonly code: TargetErrorCode

  constructor(code: TargetErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TargetError'
    this.code = code
  }
}
