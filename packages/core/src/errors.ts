/** Every code an {@link OstlerError} may carry. Codes are stable: messages may improve, codes may not change. */
export type ErrorCode =
  | 'INVALID_OPTIONS'
  | 'INVALID_REQUEST'
  | 'INVALID_KEY'
  | 'INVALID_POLICY'
  | 'INVALID_AGENT'
  | 'INVALID_GEO'
  | 'INVALID_TARGET'
  | 'INVALID_OUTCOME'
  | 'INVALID_LEASE'
  | 'UNKNOWN_TIER'
  | 'UNKNOWN_AGENT'
  | 'FLEET_FULL'
  | 'STORE_FULL'
  | 'STORE_UNAVAILABLE'
  | 'CLOSED'

/** One thing that is wrong with an input: where it stands, and what is allowed there. */
export interface Problem {
  /** A path such as `tiers.free.policies[0].limit`; empty for the input itself. */
  readonly path: string
  /** Ends in the offending value: `must be an integer from 0 to 2147483647, got NaN`. */
  readonly message: string
}

/** The one error class: only misuse and broken stores throw it; refusals are values. */
export class OstlerError extends Error {
  readonly code: ErrorCode
  readonly problems: readonly Problem[]

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly problems?: readonly Problem[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'OstlerError'
    this.code = code
    this.problems = options.problems ?? []
  }
}

const MOST_SHOWN = 20
const MOST_CHARACTERS = 100

/** Throws one error that lists every problem (the first 20 in the message), or returns when there is none. */
export function throwIfAny(code: ErrorCode, problems: readonly Problem[]): void {
  if (problems.length === 0) return
  const lines = problems
    .slice(0, MOST_SHOWN)
    .map(({ path, message }) => (path === '' ? message : `${cut(masked(path))} ${message}`))
  if (problems.length > MOST_SHOWN) lines.push(`and ${problems.length - MOST_SHOWN} more`)
  throw new OstlerError(code, lines.join('; '), { problems })
}

/** Shows an offending value in a message: short, on one line, never the contents of an object or a url's credentials. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    const text = JSON.stringify(cut(masked(value)))
    return text.length > 80 ? `${text.slice(0, 76)}..."` : text
  }
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'function') return 'a function'
  return typeof value === 'bigint' ? `${value}n` : String(value)
}

/** Hides what may be credentials: all before the last `@`, but for a scheme. */
function masked(text: string): string {
  const at = text.lastIndexOf('@')
  if (at === -1) return text
  const slashes = text.indexOf('//')
  const scheme = slashes !== -1 && slashes < at ? text.slice(0, slashes + 2) : ''
  return `${scheme}***${text.slice(at)}`
}

function cut(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 3)}...` : text
}

/** What a problem says of a field that nobody asked for; `of` names what it was given to: `a policy`. */
export function unknownField(name: string, of: string, known: Iterable<string>): string {
  return `has ${shown(name)}, which is not a field of ${of}: ${[...known].join(', ')}`
}

/** The path of a field of what stands at `path`; empty for the input itself. */
export function fieldPath(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

/** Adds a problem unless `value` is an integer from `least` to `most` (both included). */
export function expectInteger(
  problems: Problem[],
  path: string,
  value: unknown,
  least: number,
  most: number,
): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return
  problems.push({
    path,
    message: `must be an integer from ${least} to ${most}, got ${shown(value)}`,
  })
}
