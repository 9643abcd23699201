import type { Patience } from './call/persist.ts'
import { OstlerError } from './errors/ostler-error.ts'
import type { WebSocketClass } from './routes/web-socket.ts'
import { environment, systemRuntime, type Runtime } from './runtime.ts'

/** What may be said of one call, besides what is asked for. What is left out is the client's. */
export interface CallOptions {
  /** Ends the call in every phase, waits included, with an `APIAbortError` whose `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** For one attempt, up to the last byte of its answer, in ms. */
  readonly timeoutMs?: number | undefined
  /** For all attempts and the waits between them, in ms. */
  readonly totalTimeoutMs?: number | undefined
  /** Attempts after the first, at most. */
  readonly maxRetries?: number | undefined
  /** A longer `Retry-After` is not waited for, in ms. */
  readonly maxRetryDelayMs?: number | undefined
  /** Sent to the gateway besides the client's own. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The same for what is done once, however often it is asked for. */
export interface OnceOptions extends CallOptions {
  /**
   * Names the operation for a day. Default: a new one for each call, the same in all of its attempts. Null for none: then the gateway
   * keeps no answer, ends when you hang up, and what may have been done is not tried again.
   */
  readonly idempotencyKey?: string | null | undefined
}

/** Any of `console`'s, such as `console` itself. Neither keys nor the URLs of targets are logged. */
export interface Logger {
  debug?(message: string): void
  info?(message: string): void
  warn?(message: string): void
}

export interface ClientOptions {
  /** Default: `OSTLER_API_KEY` of the environment. */
  readonly apiKey?: string | undefined
  /** Where the gateway is. Default: `OSTLER_BASE_URL` of the environment, else `http://127.0.0.1:8080`. */
  readonly baseUrl?: string | undefined
  /** Attempts after the first, at most; 0 to 100. Default 3. */
  readonly maxRetries?: number | undefined
  /** For one attempt, up to the last byte of its answer, in ms. Default 60,000, and 10 s more than the `timeout` that a target is given. */
  readonly timeoutMs?: number | undefined
  /** For all attempts and the waits between them, in ms. Default: as long as the attempts may take. */
  readonly totalTimeoutMs?: number | undefined
  /** A longer `Retry-After` is not waited for: the error is thrown at once. In ms. Default 60,000. */
  readonly maxRetryDelayMs?: number | undefined
  /** The longest answer that is read, in bytes. Default 64 MiB: what the gateway's 10 MiB of a target may come to as JSON. */
  readonly maxAnswerBytes?: number | undefined
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Default: the global one. */
  readonly fetch?: typeof fetch | undefined
  /** Default: the global one, which Node has since 22: pass that of the package `ws` to older ones. */
  readonly WebSocket?: WebSocketClass | undefined
  /** Default: silence. */
  readonly logger?: Logger | undefined
  /** Time and chance. Default: the machine's; for tests. */
  readonly runtime?: Runtime | undefined
}

/** Options with every default filled in. */
export interface Settings extends Omit<Patience, 'signal' | 'timeoutMs'> {
  readonly apiKey: string
  /** Ends in a slash. */
  readonly baseUrl: string
  /** Null where it was left to us, so that a target's own `timeout` may lengthen it. */
  readonly timeoutMs: number | null
  readonly maxAnswerBytes: number
  readonly headers: Readonly<Record<string, string>>
  readonly fetch: typeof fetch
  readonly WebSocket: WebSocketClass | undefined
  readonly logger: Logger
  readonly runtime: Runtime
}

const NAMES: Readonly<Record<keyof ClientOptions, true>> = {
  apiKey: true,
  baseUrl: true,
  maxRetries: true,
  timeoutMs: true,
  totalTimeoutMs: true,
  maxRetryDelayMs: true,
  maxAnswerBytes: true,
  headers: true,
  fetch: true,
  WebSocket: true,
  logger: true,
  runtime: true,
}
const MINUTE_MS = 60_000
/** More would overflow a timer, which then rings at once. */
const MOST_MS = 2_147_483_647
const MOST_RETRIES = 100
const MOST_BYTES = 1024 * 1024 * 1024

/** Checks options and fills in the defaults. @throws OstlerError INVALID_OPTIONS, with every problem */
export function settingsOf(options: ClientOptions): Settings {
  const problems = Object.keys(options)
    .filter((name) => !Object.hasOwn(NAMES, name))
    .map((name) => `${name} is no option: there are ${Object.keys(NAMES).join(', ')}`)
  const settings: Settings = {
    apiKey: options.apiKey ?? environment('OSTLER_API_KEY') ?? '',
    baseUrl: baseUrlOf(options.baseUrl ?? environment('OSTLER_BASE_URL'), problems),
    maxRetries: options.maxRetries ?? 3,
    timeoutMs: options.timeoutMs ?? null,
    totalTimeoutMs: options.totalTimeoutMs ?? Infinity,
    maxRetryDelayMs: options.maxRetryDelayMs ?? MINUTE_MS,
    maxAnswerBytes: options.maxAnswerBytes ?? 64 * 1024 * 1024,
    headers: options.headers ?? {},
    // Looked up anew for each request, so that what replaces it later is used.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    WebSocket: options.WebSocket ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket,
    logger: options.logger ?? {},
    runtime: options.runtime ?? systemRuntime,
  }
  // The key is not shown, whatever is wrong with it.
  if (settings.apiKey === '') {
    problems.push('apiKey must be given, or OSTLER_API_KEY be set: ostler keys create makes one')
  } else if (!/^[\x21-\x7e]+$/.test(settings.apiKey)) {
    problems.push('apiKey must have no blank, no line end and nothing but ASCII')
  }
  checkPatience({ ...settings, timeoutMs: settings.timeoutMs ?? MINUTE_MS }, problems)
  checkInteger('maxAnswerBytes', settings.maxAnswerBytes, 1024, MOST_BYTES, problems)
  throwIfAny('INVALID_OPTIONS', problems)
  return settings
}

/** How long one call goes on. `leastMs`: what its target was given, and some time more. @throws OstlerError INVALID_REQUEST */
export function patienceOf(settings: Settings, call: CallOptions, leastMs = 0): Patience {
  const patience: Patience = {
    maxRetries: call.maxRetries ?? settings.maxRetries,
    timeoutMs: call.timeoutMs ?? settings.timeoutMs ?? Math.max(MINUTE_MS, leastMs),
    totalTimeoutMs: call.totalTimeoutMs ?? settings.totalTimeoutMs,
    maxRetryDelayMs: call.maxRetryDelayMs ?? settings.maxRetryDelayMs,
    signal: call.signal,
  }
  const problems: string[] = []
  checkPatience(patience, problems)
  throwIfAny('INVALID_REQUEST', problems)
  return patience
}

function checkPatience(patience: Omit<Patience, 'signal'>, problems: string[]): void {
  const { maxRetries, timeoutMs, totalTimeoutMs, maxRetryDelayMs } = patience
  checkInteger('maxRetries', maxRetries, 0, MOST_RETRIES, problems)
  checkInteger('timeoutMs', timeoutMs, 1, MOST_MS, problems)
  if (totalTimeoutMs !== Infinity) {
    checkInteger('totalTimeoutMs', totalTimeoutMs, 1, MOST_MS, problems)
  }
  checkInteger('maxRetryDelayMs', maxRetryDelayMs, 0, MOST_MS, problems)
}

/** Adds a problem unless a value is an integer from `least` to `most`. */
export function checkInteger(
  name: string,
  value: number,
  least: number,
  most: number,
  problems: string[],
): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  problems.push(`${name} must be an integer from ${least} to ${most}, got ${String(value)}`)
}

function baseUrlOf(given: string | undefined, problems: string[]): string {
  const text = given ?? 'http://127.0.0.1:8080'
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol)) {
    const shown = text.includes('@') ? 'one with credentials' : JSON.stringify(text.slice(0, 100))
    problems.push(`baseUrl must be an http or https URL, got ${shown}`)
    return ''
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    problems.push('baseUrl must have no credentials, no query and no fragment')
  }
  return `${url.origin}${url.pathname.replace(/\/*$/, '/')}`
}

/** What is for the gateway, and what is for the call. */
export function divided<T extends CallOptions>(
  options: T,
): { readonly call: CallOptions; readonly rest: Omit<T, keyof CallOptions> } {
  const { signal, timeoutMs, totalTimeoutMs, maxRetries, maxRetryDelayMs, headers, ...rest } =
    options
  const call = { signal, timeoutMs, totalTimeoutMs, maxRetries, maxRetryDelayMs, headers }
  return { call, rest }
}

/** @throws OstlerError */
export function throwIfAny(
  code: 'INVALID_OPTIONS' | 'INVALID_REQUEST',
  problems: readonly string[],
): void {
  if (problems.length > 0) throw new OstlerError(code, problems.join('; '))
}
