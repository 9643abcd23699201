import { OstlerError, type ErrorCode } from '@ostler/core'

/** The refusals that a script may state: the code, a space, the message. */
const REFUSALS: readonly ErrorCode[] = ['STORE_FULL', 'FLEET_FULL', 'INVALID_REQUEST']

/** What a decision that failed told, as an error: its own refusal, or `STORE_UNAVAILABLE`. */
export function failureOf(message: string): OstlerError {
  const space = message.indexOf(' ')
  const code = REFUSALS.find((refusal) => refusal === message.slice(0, space))
  if (code !== undefined) return new OstlerError(code, message.slice(space + 1))
  return new OstlerError('STORE_UNAVAILABLE', `Redis could not decide: ${message}`)
}

/**
 * A failed command as `STORE_UNAVAILABLE`. The cause is a copy: what ioredis throws carries the
 * command's arguments, for a failed log-in the password.
 */
export function unavailable(what: string, error: unknown): OstlerError {
  const cause = bare(error)
  return new OstlerError('STORE_UNAVAILABLE', `${what}: ${cause.message}`, { cause })
}

/** Whether Redis did not know the script: then nothing of it has run. */
export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

/** Whether another node of the Cluster has the keys: then nothing has run. */
export function isMoved(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('MOVED')
}

/** Whether the server answers but may not write: another one is the primary now. Redis 6 puts the line of the script first. */
export function isReadOnly(message: string): boolean {
  return /(?:^|[ -])(?:READONLY|MASTERDOWN) /.test(message)
}

/** An error without what ioredis hangs on it: name, message, code. */
export function bare(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('an error without a message')
  const copy: Error & { code?: unknown } = new Error(withoutUserInfo(error.message))
  copy.name = error.name
  const { code } = error as { readonly code?: unknown }
  if (code !== undefined) copy.code = code
  return copy
}

function withoutUserInfo(message: string): string {
  return message.replace(/\/\/[^@/\s]*@/g, '//***@')
}
