import type { BreakerPolicy, OutcomeKind } from '@ostler/core'

interface Rest {
  failures: number
  downUntilMs: number
}

/** Agent errors in a row rest the agent: the threshold's for restMs, each further one for twice as long. */
export class NaiveBreakers {
  readonly #rests = new Map<string, Rest>()
  readonly #policy: BreakerPolicy

  constructor(policy: BreakerPolicy) {
    this.#policy = policy
  }

  downUntilMs(agentId: string): number {
    return this.#rests.get(agentId)?.downUntilMs ?? 0
  }

  observe(agentId: string, kind: OutcomeKind, nowMs: number): void {
    if (kind === 'neutral') return
    if (kind !== 'agent_error') {
      this.#rests.delete(agentId)
      return
    }
    const { threshold, restMs, maxRestMs } = this.#policy
    const rest = this.#rests.get(agentId) ?? { failures: 0, downUntilMs: 0 }
    rest.failures++
    let forMs = restMs
    for (let failure = threshold; failure < rest.failures && forMs < maxRestMs; failure++) {
      forMs *= 2
    }
    if (rest.failures >= threshold) rest.downUntilMs = nowMs + Math.min(maxRestMs, forMs)
    this.#rests.set(agentId, rest)
  }

  forget(agentId: string): void {
    this.#rests.delete(agentId)
  }
}
