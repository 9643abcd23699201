import { OstlerError } from '@ostler/core'

/** The result code of an error of SQLite, such as `SQLITE_FULL`; empty for any other error. */
export function sqliteCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return ''
  const { code } = error
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : ''
}

/** Another connection holds what is needed: worth another try. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code.startsWith('SQLITE_BUSY') || code === 'SQLITE_PROTOCOL'
}

/** A bound is reached. */
export function isRefusal(error: unknown): boolean {
  return error instanceof OstlerError && /^(STORE|FLEET)_FULL$/.test(error.code)
}

/** After such an error the connection is not to be trusted: the next `ping` opens the file anew. */
export function isSuspect(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB|IOERR|CANTOPEN|READONLY)/.test(sqliteCode(error))
}

/** What went wrong, by the beginning of SQLite's code. */
const REASONS: readonly (readonly [code: string, reason: string])[] = [
  ['SQLITE_FULL', 'the disk is full, or the file has reached maxBytes'],
  ['SQLITE_READONLY', 'the file or its folder cannot be written'],
  ['SQLITE_CANTOPEN', 'the file cannot be opened'],
  ['SQLITE_NOTADB', 'the file is not an SQLite database'],
  ['SQLITE_CORRUPT', 'the file is damaged'],
  ['SQLITE_IOERR', 'the disk failed to read or write'],
]

/** An error of SQLite as the contract has it: STORE_UNAVAILABLE, its cause kept. Any other error is given back as it is. */
export function unavailable(error: unknown, path: string, waitedMs: number): unknown {
  const code = sqliteCode(error)
  if (code === '') return error
  let reason = REASONS.find(([start]) => code.startsWith(start))?.[1] ?? 'SQLite failed'
  if (isBusy(error)) reason = `other processes kept the file busy for longer than ${waitedMs} ms`
  const message = `no decision can be had from ${path}: ${reason} (${code})`
  return new OstlerError('STORE_UNAVAILABLE', message, { cause: error })
}
