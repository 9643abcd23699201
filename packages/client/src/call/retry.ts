import { ERRORS, HEADERS, type ApiErrorCode } from '@ostler/api'
import { APIError, NoAgentAvailableError } from '../errors/api-error.ts'
import { APIConnectionError } from '../errors/connection-error.ts'
import type { OstlerError } from '../errors/ostler-error.ts'

const FIRST_DELAY_MS = 1_000
/** Of answers that are none of the gateway's, those that may be better next time. */
const PASSING: readonly number[] = [408, 429, 500, 502, 503, 504]
/** What the gateway says before it begins: whatever it was, it was not done. */
const NOT_BEGUN: readonly string[] = [
  'RATE_LIMITED',
  'REQUEST_TIMEOUT',
  'OVERLOADED',
  'NO_AGENT_AVAILABLE',
]

export interface RetryRules {
  readonly maxRetryDelayMs: number
  /** Whether what may have been done can be asked for again. */
  readonly isRepeatable: boolean
  /** Whether an agent is waited for, where there is none now. */
  readonly waitsForAgent: boolean
  random(): number
}

/**
 * How long to wait before a call is tried again, in ms; null where it is not to be. As long as the answer says, where it does, and
 * never shorter; else 1, 2, 4 s and so on, each drawn evenly from 0 up ("full jitter"). `retry`: how many went before.
 */
export function retryWaitMs(error: OstlerError, retry: number, rules: RetryRules): number | null {
  if (!isWorthIt(error, rules)) return null
  const toldMs = error instanceof APIError ? Math.ceil((error.retryAfter ?? 0) * 1000) : 0
  // Neither slept through nor shortened to a guess: the caller knows better what to do with so long a time.
  if (toldMs > 0) return toldMs <= rules.maxRetryDelayMs ? toldMs : null
  return Math.min(rules.random() * FIRST_DELAY_MS * 2 ** retry, rules.maxRetryDelayMs)
}

function isWorthIt(error: OstlerError, { isRepeatable, waitsForAgent }: RetryRules): boolean {
  if (error instanceof APIConnectionError) return isRepeatable
  if (!(error instanceof APIError)) return false
  const { code, status, retryAfter, headers } = error
  // What is answered again is answered again for a day.
  if (headers.has(HEADERS.idempotentReplayed)) return false
  // No time is named where time alone does not help: an empty fleet, a place where nobody is.
  if (error instanceof NoAgentAvailableError) return waitsForAgent && retryAfter !== null
  if (!isRepeatable) return NOT_BEGUN.includes(code) || status === 429
  return Object.hasOwn(ERRORS, code)
    ? ERRORS[code as ApiErrorCode].retryable
    : PASSING.includes(status)
}
