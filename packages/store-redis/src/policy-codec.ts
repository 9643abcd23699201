import type { BreakerPolicy, HealthPolicy, IncidentPolicy } from '@ostler/core'

// Policies travel with every report, and a process has few: their texts are made once.
// JavaScript prints a number so that it reads back as the same one, in Lua too.

/** A health policy as `lua/lib/transition.lua` reads it. */
export const healthPolicyText: (policy: HealthPolicy) => string = remembered((policy) => {
  const rungs = policy.ladder.map(({ health, durationMs }) => `${health} ${durationMs}`)
  const { rateLimitedMs, strikeDecayMs, okStreakToForget, jitter } = policy
  return `${rungs.join(',')};${rateLimitedMs};${strikeDecayMs};${okStreakToForget};${jitter}`
})

/** An incident policy as `lua/lib/observe.lua` reads it. */
export const incidentPolicyText: (policy: IncidentPolicy) => string = remembered((policy) => {
  const { minExclusions, exclusionShare, minFailures, failureShare } = policy
  return `${minExclusions};${exclusionShare};${minFailures};${failureShare}`
})

/** A breaker policy as `lua/lib/breaker.lua` reads it. */
export const breakerPolicyText: (policy: BreakerPolicy) => string = remembered(
  ({ threshold, restMs, maxRestMs }) => `${threshold};${restMs};${maxRestMs}`,
)

function remembered<T extends object>(text: (policy: T) => string): (policy: T) => string {
  const known = new WeakMap<T, string>()
  return (policy) => {
    let made = known.get(policy)
    if (made === undefined) {
      made = text(policy)
      known.set(policy, made)
    }
    return made
  }
}
