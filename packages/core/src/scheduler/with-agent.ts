import { classify } from '../classify/classify.ts'
import { OstlerError, shown } from '../errors.ts'
import type { Agent } from '../pick/agent.ts'
import type { Lease, Outcome } from '../store/store.ts'
import { checkedOutcome } from './report.ts'
import type { Exhausted, Picked, PickRequest, PickResult } from './requests.ts'

/** What `withAgent` may be told. */
export interface WithAgentOptions<T> {
  /** Dispatches at most, 1 to 100. Default 1. */
  readonly attempts?: number
  /**
   * What a dispatch came to. Default: `classify` for a response with a `status`; ok for other values;
   * neutral for an AbortError, target_error for anything else that is thrown.
   */
  readonly outcomeOf?: (settled: Settlement<T>) => Outcome
}

/** What the caller's function came to. */
export type Settlement<T> =
  | { readonly kind: 'returned'; readonly value: T }
  | { readonly kind: 'thrown'; readonly error: unknown }

export interface Tried {
  readonly agent: Agent
  readonly outcome: Outcome
}

/** `done` with the value of the last dispatch, good or not; `exhausted` where there was none. */
export type WithAgentResult<T> =
  | {
      readonly kind: 'done'
      readonly value: T
      readonly outcome: Outcome
      readonly tried: readonly Tried[]
    }
  | { readonly kind: 'exhausted'; readonly exhausted: Exhausted; readonly tried: readonly Tried[] }

/** The two calls that `withAgent` stands on. */
export interface PickAndReport {
  pick(request: PickRequest): PickResult | Promise<PickResult>
  report(lease: Lease, outcome: Outcome): unknown
}

const MAX_ATTEMPTS = 100
const MAX_AVOIDED = 1000
/** Outcomes that another agent may better. */
const WORTH_ANOTHER: readonly Outcome['kind'][] = [
  'rate_limited',
  'challenged',
  'blocked',
  'agent_error',
]

/**
 * Picks an agent, runs `dispatch` with it, judges and reports what came of it, and tries another agent while that may help.
 * The report has resolved before the next pick and before the answer. What `dispatch` throws on the last attempt is thrown on,
 * after its report; a lease never outlives the call.
 */
export async function withAgent<T>(
  scheduler: PickAndReport,
  request: PickRequest,
  dispatch: (agent: Agent, lease: Lease, picked: Picked) => T | Promise<T>,
  options: WithAgentOptions<T> = {},
): Promise<WithAgentResult<T>> {
  const { attempts, outcomeOf } = checkedOptions(dispatch, options)
  const asked = copied(request)
  const tried: Tried[] = []
  let last: { readonly settled: Settlement<T>; readonly outcome: Outcome } | null = null
  while (last === null || (tried.length < attempts && WORTH_ANOTHER.includes(last.outcome.kind))) {
    const picked = await scheduler.pick(last === null ? request : elsewhere(asked, tried))
    if (picked.kind === 'exhausted') {
      if (last === null) return { kind: 'exhausted', exhausted: picked, tried }
      break
    }
    const settled = await settlementOf(() => dispatch(picked.agent, picked.lease, picked))
    let outcome: Outcome = { kind: 'neutral' }
    try {
      outcome = checkedOutcome(outcomeOf(settled))
    } finally {
      await scheduler.report(picked.lease, outcome)
    }
    tried.push({ agent: picked.agent, outcome })
    last = { settled, outcome }
  }
  if (last.settled.kind === 'thrown') throw last.settled.error
  return { kind: 'done', value: last.settled.value, outcome: last.outcome, tried }
}

/** All that can be wrong is found before anything is leased. */
function checkedOptions<T>(
  dispatch: unknown,
  options: WithAgentOptions<T>,
): Required<WithAgentOptions<T>> {
  if (typeof dispatch !== 'function') refuse(`dispatch must be a function, got ${shown(dispatch)}`)
  if (typeof options !== 'object' || options === null) {
    refuse(`options must be { attempts?, outcomeOf? }, got ${shown(options)}`)
  }
  const { attempts = 1, outcomeOf = judge, ...others } = options
  for (const other of Object.keys(others)) {
    refuse(`${shown(other)} is not an option of withAgent: attempts, outcomeOf`)
  }
  if (!(Number.isInteger(attempts) && attempts >= 1 && attempts <= MAX_ATTEMPTS)) {
    refuse(`attempts must be an integer from 1 to ${MAX_ATTEMPTS}, got ${shown(attempts)}`)
  }
  if (typeof outcomeOf !== 'function') {
    refuse(`outcomeOf must be a function, got ${shown(outcomeOf)}`)
  }
  return { attempts, outcomeOf }
}

/** The request as it was asked: what its caller changes during a dispatch changes nothing. */
function copied(request: PickRequest): PickRequest {
  if (typeof request !== 'object' || request === null) return request
  const { avoid, pin, tags } = request
  return {
    ...request,
    ...(Array.isArray(avoid) && { avoid: [...avoid] }),
    ...(Array.isArray(pin) && { pin: [...pin] }),
    ...(Array.isArray(tags) && { tags: [...tags] }),
  }
}

/** The same request, but for the agents that have been tried. */
function elsewhere(request: PickRequest, tried: readonly Tried[]): PickRequest {
  const avoid = [...(request.avoid ?? []), ...tried.map(({ agent }) => agent.id)]
  return { ...request, avoid: avoid.slice(-MAX_AVOIDED) }
}

function refuse(message: string): never {
  throw new OstlerError('INVALID_REQUEST', message)
}

async function settlementOf<T>(run: () => T | Promise<T>): Promise<Settlement<T>> {
  try {
    return { kind: 'returned', value: await run() }
  } catch (error) {
    return { kind: 'thrown', error }
  }
}

function judge<T>(settled: Settlement<T>): Outcome {
  if (settled.kind === 'thrown') {
    const name = (settled.error as { readonly name?: unknown } | null)?.name
    return { kind: name === 'AbortError' ? 'neutral' : 'target_error' }
  }
  const response = settled.value as { readonly status?: unknown; readonly headers?: unknown } | null
  if (typeof response !== 'object' || response === null) return { kind: 'ok' }
  if (typeof response.status !== 'number') return { kind: 'ok' }
  return classify(response as Parameters<typeof classify>[0]).outcome
}
