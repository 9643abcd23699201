import { isIP } from 'node:net'
import type { ApiErrorCode } from '@ostler/api'
import {
  classify,
  withAgent,
  type Classification,
  type Exhausted,
  type Mode,
  type Outcome,
  type PickAndReport,
  type Picked,
  type Scheduler,
  type Settlement,
  type VendorRule,
} from '@ostler/core'
import type { DispatchAnswer, Dispatcher } from '../agents/dispatch.ts'
import { AgentFailure, DispatchFailure } from '../agents/failure.ts'
import { ApiError } from '../http/api-error.ts'
import { apiErrorOf } from '../http/error-handler.ts'
import type { Guard } from '../target/guard.ts'
import type { TargetUrl } from '../target/url.ts'
import { TargetError } from '../target/error.ts'
import { isBlocked } from './answer.ts'
import { nextHop, type Hop } from './redirect.ts'
import type { AskedFetch } from './request.ts'

const MOST_HOPS = 10
/** Why a target was not even asked. */
const BEFORE_IT_WAS_SENT: readonly string[] = ['refused', 'unreachable', 'tls']
/** A lease outlives the request that it is for: it is given back by its report, this is for gateways that crash. */
const LEASE_GRACE_MS = 5_000

/** What failures are to a caller. */
const CODES: Readonly<Record<DispatchFailure['kind'], ApiErrorCode>> = {
  agent: 'BAD_GATEWAY',
  target: 'BAD_GATEWAY',
  timeout: 'TARGET_TIMEOUT',
  abort: 'SHUTTING_DOWN',
  request: 'BAD_REQUEST',
}

/** Whom a fetch asks, in this order. */
export interface FetchParts {
  readonly scheduler: Scheduler<Mode>
  readonly guard: Guard
  readonly dispatcher: Dispatcher
  readonly rules: readonly VendorRule[] | null
  readonly maxResponseBytes: number
  nowMs(): number
}

/** What a target answered, through whom, and what that came to. */
interface Dispatched {
  readonly answer: DispatchAnswer
  readonly classification: Classification
  readonly picked: Picked
}

/** The same of the last of all redirects. */
export interface Fetched extends Dispatched {
  /** Agents asked, over all redirects. */
  readonly attempts: number
  /** Where redirects ended; null where there were none. */
  readonly url: string | null
}

/**
 * Fetches what is asked for: checks the target, has an agent picked, sends, judges and reports; elsewhere again while that may help
 * and is allowed. Each redirect that is followed is a target of its own: checked, and picked for, the same agent if that one may be.
 * The report has resolved when this resolves.
 * @throws ApiError
 */
export async function fetchTarget(
  parts: FetchParts,
  asked: AskedFetch,
  signal: AbortSignal,
): Promise<Fetched> {
  const deadlineMs = parts.nowMs() + asked.timeoutMs
  const { method, headers, body } = asked
  let hop: Hop = { target: parse(parts.guard, asked.url), method, headers, body }
  let last: Picked | null = null
  let attempts = 0
  let redirects = 0
  try {
    for (;;) {
      const done = await fetchHop(parts, asked, hop, last, deadlineMs, signal)
      attempts += done.attempts
      last = done.fetched.picked
      // Where a target sends whom it turns away is no answer, and would only cost another agent.
      const isFollowed =
        asked.redirect === 'follow' && !isBlocked(done.fetched.classification.outcome)
      const next = isFollowed ? nextHop(hop, done.fetched.answer) : null
      if (next === null) {
        return { ...done.fetched, attempts, url: redirects === 0 ? null : hop.target.url }
      }
      redirects++
      if (redirects > MOST_HOPS) {
        throw new ApiError('BAD_GATEWAY', `the target redirected more than ${MOST_HOPS} times`)
      }
      hop = { ...next, target: parse(parts.guard, next.target) }
    }
  } catch (error) {
    throw redirects === 0 ? error : afterRedirects(apiErrorOf(error), redirects)
  }
}

/** A failure on the way that a target has shown. What it asked for first was answered: `details.redirects` says so. */
function afterRedirects(error: ApiError, redirects: number): ApiError {
  const { message, retryAfterMs, cause } = error
  const details = { ...error.details, redirects }
  if (error.code === 'INVALID_TARGET_URL') {
    const told = `the target redirected to what is not fetched: ${message}`
    return new ApiError('BAD_GATEWAY', told, { details: { by: 'target', ...details }, cause })
  }
  return new ApiError(error.code, message, { details, retryAfterMs, cause })
}

async function fetchHop(
  parts: FetchParts,
  asked: AskedFetch,
  hop: Hop,
  last: Picked | null,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<{ readonly fetched: Dispatched; readonly attempts: number }> {
  const { scheduler, dispatcher } = parts
  const { target: asks, method, headers, body } = hop
  const leftMs = (): number => Math.max(1, deadlineMs - parts.nowMs())
  try {
    // An address needs no look-up, and so no timer.
    const lookUp = isIP(asks.host) === 0 ? timed(signal, leftMs()) : signal
    const target = await parts.guard.check(asks, lookUp)
    const send = async (
      agent: Picked['agent'],
      _lease: unknown,
      picked: Picked,
    ): Promise<Dispatched> => {
      const answer = await dispatcher.send(agent, {
        target,
        method,
        headers,
        ...(body !== null && { body }),
        // Not by the signal: that the time is over is the target's doing, that the caller left is not.
        timeoutMs: leftMs(),
        signal,
        maxBodyBytes: parts.maxResponseBytes,
      })
      return { answer, classification: judged(parts, answer), picked }
    }
    const wish = {
      url: asks.url,
      ...(asked.session !== null && { session: asked.session }),
      ...(asked.geo !== null && { geo: asked.geo }),
      deadlineMs: deadlineMs + LEASE_GRACE_MS,
    }
    const through = last === null ? scheduler : preferring(scheduler, last.agent.id)
    const options = { attempts: asked.attempts, outcomeOf }
    const result = await withAgent(through, wish, send, options)
    if (result.kind === 'exhausted') throw exhausted(result.exhausted, asks.host, parts.nowMs())
    return { fetched: result.value, attempts: result.tried.length }
  } catch (error) {
    throw failed(error)
  }
}

/** Picks an agent first where that one may be, such as the one of the hop before. */
function preferring(scheduler: PickAndReport, agentId: string): PickAndReport {
  let isFirst = true
  return {
    async pick(request) {
      if (!isFirst) return scheduler.pick(request)
      isFirst = false
      const preferred = await scheduler.pick({ ...request, pin: [agentId] })
      return preferred.kind === 'picked' ? preferred : scheduler.pick(request)
    },
    report: (lease, outcome) => scheduler.report(lease, outcome),
  }
}

function timed(signal: AbortSignal, timeoutMs: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
}

/** Not by its URL: who asks chose it, and must not have agents excluded by it. Where a target sends stands in `location`. */
function judged(parts: FetchParts, { status, headers, body }: DispatchAnswer): Classification {
  const { rules } = parts
  const options = { nowMs: parts.nowMs(), ...(rules !== null && { rules }) }
  return classify({ status, headers, body }, options)
}

/** What is reported of a dispatch. What the agent did wrong is charged to the agent, wherever it happened. */
function outcomeOf(settled: Settlement<Dispatched>): Outcome {
  if (settled.kind === 'returned') return settled.value.classification.outcome
  return outcomeOfFailure(settled.error)
}

/** What is reported of a dispatch that came to no answer. */
export function outcomeOfFailure(error: unknown): Outcome {
  if (!(error instanceof DispatchFailure)) return { kind: 'neutral' }
  const evidence = `${error.kind}: ${error.reason}`
  switch (error.kind) {
    case 'agent':
      // An agent that says it cannot connect may be right: else one dead target would rest every agent in turn.
      return { kind: isExcused(error) ? 'target_error' : 'agent_error', evidence }
    case 'timeout':
      // An agent that is too slow with its tunnel fails by itself: here the caller left it less time than that.
      return error.reason === 'tunnel' ? { kind: 'neutral' } : { kind: 'target_error', evidence }
    case 'target':
      return { kind: 'target_error', evidence }
    case 'abort':
    case 'request':
      return { kind: 'neutral' }
    default:
      return error.kind satisfies never
  }
}

/**
 * Whether a target may have done what it was asked for, though its answer did not come: it has where it sent elsewhere, and what failed
 * was there. A gateway that closes amid is as one that crashes.
 */
export function mayBeDone(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false
  if (error.details['redirects'] !== undefined) return true
  const failure = error.cause
  if (!(failure instanceof DispatchFailure)) return false
  switch (failure.kind) {
    case 'target':
      return !BEFORE_IT_WAS_SENT.includes(failure.reason)
    case 'timeout':
      return failure.reason === 'headers' || failure.reason === 'body'
    case 'agent':
      return failure instanceof AgentFailure && failure.sent
    case 'abort':
    case 'request':
      return false
    default:
      return failure.kind satisfies never
  }
}

function isExcused(error: DispatchFailure): boolean {
  return error instanceof AgentFailure && error.doubtful && error.reason === 'rejected'
}

/** A refusal of the scheduler, as it is told. */
export function exhausted(refusal: Exhausted, domain: string, nowMs: number): ApiError {
  const { cause, counts, retryAtMs, degraded } = refusal
  const details = { domain, cause, counts, retryAtMs, ...(degraded && { degraded }) }
  const retryAfterMs = retryAtMs === null ? null : Math.max(0, retryAtMs - nowMs)
  const message = `no agent is available for ${domain}: ${cause.replaceAll('_', ' ')}`
  return new ApiError('NO_AGENT_AVAILABLE', message, { details, retryAfterMs })
}

function parse(guard: Guard, url: string): TargetUrl {
  try {
    const target = guard.parse(url)
    if (target.scheme === 'http' || target.scheme === 'https') return target
    throw new TargetError('INVALID_TARGET_URL', 'the target must be of http or https')
  } catch (error) {
    throw failed(error)
  }
}

/** What failures of the guard and of a dispatch are to a caller; others as they are. */
export function failed(error: unknown): unknown {
  if (error instanceof TargetError) return apiErrorOf(error)
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new ApiError('TARGET_TIMEOUT', 'the time was over before the target was found')
  }
  if (error instanceof DOMException && error.name === 'AbortError') {
    return new ApiError('SHUTTING_DOWN', 'the request was given up', { cause: error })
  }
  if (!(error instanceof DispatchFailure)) return error
  const details = { by: error.kind, reason: error.reason }
  return new ApiError(CODES[error.kind], error.message, { details, cause: error })
}
