import { seededRandom } from '@ostler/core'
import { mix } from '../world/weighted.ts'
import type { PolicySpec } from './policy.ts'
import { Shortlists } from './shortlists.ts'

/**
 * Any agent of the hinted country (else of the fleet), each as likely as the others. Learns
 * nothing, refuses nothing.
 */
export const randomPolicy: PolicySpec = {
  name: 'random',
  summary: 'any agent of the hinted country, else of the fleet',
  start({ fleet, seed }) {
    const shortlists = new Shortlists(fleet)
    const random = seededRandom(mix(seed, 101, 0))
    return {
      exclusions: 0,
      probes: 0,
      pick({ hint }) {
        const { agents } = shortlists.of(hint)
        return { agent: agents[Math.floor(random() * agents.length)], token: null }
      },
      report() {},
    }
  },
}
