import { describe, expect, it } from 'vitest'
import type { AgentBreaker } from '../../../packages/core/src/health/breaker.ts'
import { OstlerError } from '../../../packages/core/src/errors.ts'
import {
  breakerPolicyProblems,
  DEFAULT_BREAKER_POLICY,
  resolveBreakerPolicy,
  trip,
} from '../../../packages/core/src/health/breaker.ts'
import {
  DEFAULT_INCIDENT_POLICY,
  incidentPolicyProblems,
  resolveIncidentPolicy,
} from '../../../packages/core/src/health/incident.ts'
import {
  DEFAULT_HEALTH_POLICY,
  healthPolicyProblems,
  resolveHealthPolicy,
} from '../../../packages/core/src/health/ladder.ts'

const rung = (health: string, durationMs: unknown) => ({ health, durationMs })

describe('policies', () => {
  it('fill in their defaults', () => {
    expect(resolveHealthPolicy()).toBe(DEFAULT_HEALTH_POLICY)
    expect(resolveHealthPolicy({})).toEqual(DEFAULT_HEALTH_POLICY)
    expect(resolveHealthPolicy({ jitter: 0 })).toEqual({ ...DEFAULT_HEALTH_POLICY, jitter: 0 })
    expect(resolveIncidentPolicy({ minFailures: 9 })).toEqual({
      ...DEFAULT_INCIDENT_POLICY,
      minFailures: 9,
    })
    expect(resolveBreakerPolicy({ restMs: 600_000 }).maxRestMs).toBe(600_000)
    expect(resolveBreakerPolicy()).toBe(DEFAULT_BREAKER_POLICY)
  })

  it.each([
    [null, 'h', 'h must be an object'],
    [[], 'h', 'h must be an object, got an array'],
    [{ ladder: [] }, 'h', 'h.ladder must be an array of 1 to 16 rungs'],
    [{ ladder: 'no' }, 'h', 'h.ladder must be an array of 1 to 16 rungs, got "no"'],
    [{ ladder: Array.from({ length: 17 }, () => rung('limited', 1_000)) }, 'h', '1 to 16 rungs'],
    [{ ladder: [null] }, 'h', 'h.ladder[0] must be an object, got null'],
    [{ ladder: [rung('banned', 1_000)] }, 'h', 'h.ladder[0].health must be limited or unavailable'],
    [
      { ladder: [rung('limited', 999)] },
      'h',
      'h.ladder[0].durationMs must be an integer from 1000',
    ],
    [{ ladder: [rung('limited', NaN)] }, 'h', 'got NaN'],
    [{ ladder: [rung('limited', 604_800_001)] }, 'h', 'to 604800000, got 604800001'],
    [{ ladder: [{ ...rung('limited', 1_000), ms: 1 }] }, 'h', 'h.ladder[0] has "ms"'],
    [
      { ladder: [rung('limited', 2_000), rung('limited', 1_999)] },
      'h',
      'h.ladder[1].durationMs must not be below',
    ],
    [
      { ladder: [rung('unavailable', 2_000), rung('limited', 2_000)] },
      'h',
      'h.ladder[1].health must not be limited',
    ],
    [{ rateLimitedMs: 999 }, '', 'rateLimitedMs must be an integer from 1000 to 3600000'],
    [{ strikeDecayMs: 1.5 }, '', 'strikeDecayMs must be an integer'],
    [{ okStreakToForget: 0 }, '', 'okStreakToForget must be an integer from 1 to 100, got 0'],
    [{ jitter: 1.01 }, '', 'jitter must be a number from 0 to 1, got 1.01'],
    [{ jitter: '0' }, '', 'jitter must be a number'],
    [{ laddder: [] }, '', 'has "laddder", which is not a field of a health policy: ladder, '],
  ])('refuses health %o', (options, path, expected) => {
    const told = healthPolicyProblems(options, path).map((p) => `${p.path} ${p.message}`)
    expect(told.join('; ')).toContain(expected)
    expect(() => resolveHealthPolicy(options as never)).toThrow(OstlerError)
  })

  it('tell all problems at once', () => {
    const options = { ladder: [rung('x', 0)], jitter: -1, okStreakToForget: '3', more: 1 }
    expect(healthPolicyProblems(options, 'health')).toHaveLength(5)
  })

  it.each([
    [incidentPolicyProblems, { minExclusions: 0 }, 'p.minExclusions'],
    [incidentPolicyProblems, { exclusionShare: 2 }, 'p.exclusionShare'],
    [incidentPolicyProblems, { minFailures: 1_025 }, 'p.minFailures'],
    [incidentPolicyProblems, { failureShare: NaN }, 'p.failureShare'],
    [incidentPolicyProblems, { other: 1 }, 'p'],
    [breakerPolicyProblems, { threshold: 0 }, 'p.threshold'],
    [breakerPolicyProblems, { restMs: 0 }, 'p.restMs'],
    [breakerPolicyProblems, { maxRestMs: 9_999 }, 'p.maxRestMs'],
    [breakerPolicyProblems, { rest: 1 }, 'p'],
    [breakerPolicyProblems, 7, 'p'],
  ])('are refused by path: %o', (problems, options, path) => {
    expect(problems(options, 'p').map((problem) => problem.path)).toEqual([path])
  })
})

describe('trip', () => {
  const policy = { threshold: 2, restMs: 1_000, maxRestMs: 5_000 }

  it('rests an agent from the threshold on, twice as long each time, up to the most', () => {
    let breaker: AgentBreaker | null = null
    const rests: number[] = []
    for (let i = 0; i < 6; i++) {
      breaker = trip(breaker, 'agent_error', 100_000 * i, policy)
      rests.push(Math.max(0, (breaker?.downUntilMs ?? 0) - 100_000 * i))
    }
    expect(rests).toEqual([0, 1_000, 2_000, 4_000, 5_000, 5_000])
  })

  it('clears by any outcome in which the agent did its part', () => {
    const down = trip(null, 'agent_error', 1, policy)
    expect(trip(down, 'neutral', 2, policy)).toBe(down)
    for (const kind of ['ok', 'blocked', 'challenged', 'rate_limited', 'target_error'] as const) {
      expect(trip(down, kind, 2, policy)).toBeNull()
    }
  })

  it('never shortens a rest', () => {
    const breaker = { failures: 1_000_000, downUntilMs: 9_000_000 }
    expect(trip(breaker, 'agent_error', 1, policy)).toEqual(breaker)
  })
})
