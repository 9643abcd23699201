import type { Problem } from '../errors.ts'
import type { OutcomeKind } from './record.ts'
import { expectInteger, fieldPath, shown, throwIfAny, unknownField } from '../errors.ts'
import { fieldsOf } from './ladder.ts'

/** An agent that fails its own part (offline, CONNECT refused, 407) rests as a whole, whatever the domain. */
export interface AgentBreaker {
  /** Agent errors in a row. */
  readonly failures: number
  /** The agent rests before this instant; 0 when it does not. */
  readonly downUntilMs: number
}

export interface BreakerPolicy {
  /** Agent errors in a row that rest an agent. Default 3. */
  readonly threshold: number
  /** First rest, in ms; doubles with each further failure. Default 10_000. */
  readonly restMs: number
  /** Longest rest, in ms. Default 300_000. */
  readonly maxRestMs: number
}

/** What an embedder gets who says nothing. */
export const DEFAULT_BREAKER_POLICY: BreakerPolicy = Object.freeze({
  threshold: 3,
  restMs: 10_000,
  maxRestMs: 300_000,
})

const MOST_FAILURES = 1_000_000

/**
 * An agent's breaker after an outcome; null when nothing stands against the agent. Any outcome but `neutral` shows that the agent
 * did its part and clears it. A rest is never shortened by a further failure. The same object comes back when nothing changed.
 */
export function trip(
  breaker: AgentBreaker | null,
  outcome: OutcomeKind,
  nowMs: number,
  policy: BreakerPolicy,
): AgentBreaker | null {
  switch (outcome) {
    case 'neutral':
      return breaker
    case 'ok':
    case 'rate_limited':
    case 'challenged':
    case 'blocked':
    case 'target_error':
      return null
    case 'agent_error': {
      const failures = Math.min((breaker?.failures ?? 0) + 1, MOST_FAILURES)
      const beyond = failures - policy.threshold
      if (beyond < 0) return { failures, downUntilMs: breaker?.downUntilMs ?? 0 }
      // 2^40 times any rest is beyond every maxRestMs: the exponent stays small.
      const restMs = Math.min(policy.restMs * 2 ** Math.min(beyond, 40), policy.maxRestMs)
      return { failures, downUntilMs: Math.max(breaker?.downUntilMs ?? 0, nowMs + restMs) }
    }
    default:
      return outcome satisfies never
  }
}

/** Fills in the defaults. @throws OstlerError INVALID_OPTIONS, with every problem. */
export function resolveBreakerPolicy(options?: Partial<BreakerPolicy>): BreakerPolicy {
  if (options === undefined) return DEFAULT_BREAKER_POLICY
  throwIfAny('INVALID_OPTIONS', breakerPolicyProblems(options, ''))
  const restMs = options.restMs ?? DEFAULT_BREAKER_POLICY.restMs
  return {
    threshold: options.threshold ?? DEFAULT_BREAKER_POLICY.threshold,
    restMs,
    maxRestMs: options.maxRestMs ?? Math.max(DEFAULT_BREAKER_POLICY.maxRestMs, restMs),
  }
}

const DAY_MS = 86_400_000
const FIELDS = Object.keys(DEFAULT_BREAKER_POLICY)

/** All that is wrong with breaker options, by path; empty when they may be resolved. */
export function breakerPolicyProblems(options: unknown, path: string): Problem[] {
  const problems: Problem[] = []
  const fields = new Map(fieldsOf(options, path, problems))
  for (const [name, value] of fields) {
    const at = fieldPath(path, name)
    if (value === undefined) continue
    if (name === 'threshold') expectInteger(problems, at, value, 1, 1_000)
    else if (name === 'restMs' || name === 'maxRestMs') {
      expectInteger(problems, at, value, 1, DAY_MS)
    } else problems.push({ path, message: unknownField(name, 'a breaker policy', FIELDS) })
  }
  const restMs = fields.get('restMs') ?? DEFAULT_BREAKER_POLICY.restMs
  const maxRestMs = fields.get('maxRestMs')
  if (problems.length === 0 && maxRestMs !== undefined && Number(maxRestMs) < Number(restMs)) {
    problems.push({
      path: fieldPath(path, 'maxRestMs'),
      message: `must not be below restMs (${shown(restMs)}), got ${shown(maxRestMs)}`,
    })
  }
  return problems
}
