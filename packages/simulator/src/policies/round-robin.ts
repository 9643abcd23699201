import type { PolicySpec } from './policy.ts'
import { Shortlists } from './shortlists.ts'

/**
 * The agents of the hinted country (else of the fleet) in turn, one turn per country. Learns
 * nothing, refuses nothing.
 */
export const roundRobinPolicy: PolicySpec = {
  name: 'round-robin',
  summary: 'the agents of the hinted country in turn',
  start({ fleet }) {
    const shortlists = new Shortlists(fleet)
    const next = new Int32Array(shortlists.size)
    return {
      exclusions: 0,
      probes: 0,
      pick({ hint }) {
        const { id, agents } = shortlists.of(hint)
        const turn = next[id]
        next[id] = turn + 1 === agents.length ? 0 : turn + 1
        return { agent: agents[turn], token: null }
      },
      report() {},
    }
  },
}
