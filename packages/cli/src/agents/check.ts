import { memoryStore, OstlerError, Scheduler, type Agent } from '@ostler/core'

const MOST_AGENTS = 4_000_000

/**
 * Why the scheduler would not take an agent, or null, for each; null agents are passed over.
 * Asks a scheduler that is thrown away: all at once, and one by one only if that is refused.
 */
export function checkAgents(agents: readonly (Agent | null)[]): readonly (string | null)[] {
  const scheduler = new Scheduler({ store: memoryStore({ maxAgents: MOST_AGENTS }) })
  const given = agents.filter((agent) => agent !== null)
  const reasons =
    refusal(scheduler, given) === null
      ? agents.map(() => null)
      : agents.map((agent) => (agent === null ? null : refusal(scheduler, [agent])))
  scheduler.close()
  return reasons
}

function refusal(scheduler: Scheduler<'sync'>, agents: readonly Agent[]): string | null {
  try {
    scheduler.agents.upsert(agents)
    return null
  } catch (error) {
    if (!(error instanceof OstlerError)) throw error
    return withoutCredentials(error.message.replaceAll('[0].', ''))
  }
}

/** Whatever a message quotes of a URL, what stands before its @ is left out. */
function withoutCredentials(message: string): string {
  return message.replace(/\/\/[^\s"]*@/g, '//...@')
}
