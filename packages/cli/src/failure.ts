import { OstlerError } from '@ostler/core'

/**
 * Exit codes. 2 is for what its user can put right: the command line, and what is in the files that
 * it names.
 */
export const EXIT = { ok: 0, failure: 1, usage: 2, noAgent: 3 } as const

/** Ends a command with one sentence on standard error. */
export class CliFailure extends Error {
  readonly code: string
  readonly exitCode: number

  constructor(exitCode: number, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CliFailure'
    this.code = code
    this.exitCode = exitCode
  }
}

/** A bad option, argument or file: exit code 2. */
export function usage(message: string, cause?: unknown): CliFailure {
  return new CliFailure(EXIT.usage, 'USAGE', message, cause)
}

type Doing = 'read' | 'write'

const MISSING: Readonly<Record<Doing, string>> = {
  read: 'there is no such file',
  write: 'there is no such folder',
}

const FILE_TROUBLE: Readonly<Record<string, string>> = {
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  ENOTDIR: 'a part of its path is not a folder',
}

/**
 * A file that cannot be read or written. Naming one that is not there is usage; a full disk is
 * failure.
 */
export function fileTrouble(doing: Doing, path: string, error: unknown): CliFailure {
  const { code = 'IO', message } = error as NodeJS.ErrnoException
  const known = code === 'ENOENT' ? MISSING[doing] : FILE_TROUBLE[code]
  const exitCode = known === undefined ? EXIT.failure : EXIT.usage
  const why = known ?? (code === 'ENOSPC' ? 'the disk is full' : message)
  return new CliFailure(exitCode, code, `cannot ${doing} ${path}: ${why}`, error)
}

// What the core throws for bad input is the user's to put right; the rest is not.
const BROKEN: readonly string[] = ['STORE_FULL', 'STORE_UNAVAILABLE', 'CLOSED']

/** What a thrown value comes to: the sentence, its code and the exit code. */
export function failureOf(error: unknown): CliFailure {
  if (error instanceof CliFailure) return error
  if (error instanceof OstlerError) {
    const exitCode = BROKEN.includes(error.code) ? EXIT.failure : EXIT.usage
    return new CliFailure(exitCode, error.code, error.message, error)
  }
  const message = error instanceof Error ? error.message : String(error)
  return new CliFailure(EXIT.failure, 'UNEXPECTED', message, error)
}

/** How a failure is told: one sentence with its code; where it comes from only if it is asked for. */
export function toldOf(
  failure: CliFailure,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const sentence = `ostler: ${failure.message} (${failure.code})\n`
  if (env['OSTLER_DEBUG'] === undefined) return sentence
  const { cause } = failure
  return `${sentence}${(cause instanceof Error ? cause.stack : undefined) ?? failure.stack ?? ''}\n`
}
