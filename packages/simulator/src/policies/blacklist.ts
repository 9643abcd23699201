import { seededRandom } from '@ostler/core'
import type { Response } from '../world/responses.ts'
import { mix } from '../world/weighted.ts'
import type { Choice, Picker, PolicySpec } from './policy.ts'
import { Shortlists, type Shortlist } from './shortlists.ts'
import type { World } from '../world/world.ts'

const DRAWS = 16

/**
 * A blacklist in memory, without recovery: an exit that failed for a domain is never used for it
 * again. A failure is a dispatch that did not come back, or any status but 2xx, 3xx and 404; such
 * detectors do not tell a block from an outage. When all exits of the country (of the fleet,
 * without one) are listed for a domain, their entries for it are cleared and it begins anew. Picks
 * any of the others, each as likely.
 */
export const blacklistPolicy: PolicySpec = {
  name: 'blacklist',
  summary: 'any that has not failed for the domain; cleared when all have',
  start: (world) => new Blacklist(world),
}

export class Blacklist implements Picker<number> {
  exclusions = 0
  readonly probes = 0
  readonly #shortlists: Shortlists
  readonly #exitOf: Int32Array
  readonly #exits: number
  readonly #random: () => number
  /** domain * exits + exit. */
  readonly #listed = new Set<number>()

  constructor({ fleet, seed }: World) {
    this.#shortlists = new Shortlists(fleet)
    this.#exitOf = fleet.exitOf
    this.#exits = fleet.exits
    this.#random = seededRandom(mix(seed, 103, 0))
  }

  isListed(domain: number, agent: number): boolean {
    return this.#listed.has(domain * this.#exits + this.#exitOf[agent])
  }

  pick({ domain, hint }: Parameters<Picker['pick']>[0]): Choice<number> {
    const { agents } = this.#shortlists.of(hint)
    for (let draw = 0; draw < DRAWS; draw++) {
      const agent = agents[Math.floor(this.#random() * agents.length)]
      if (!this.isListed(domain, agent)) return { agent, token: domain }
    }
    let left: Int32Array = agents.filter((agent) => !this.isListed(domain, agent))
    if (left.length === 0) {
      this.#clear(domain, agents)
      left = agents
    }
    return { agent: left[Math.floor(this.#random() * left.length)], token: domain }
  }

  report({ agent, token: domain }: Choice<number>, { status }: Response): void {
    if ((status >= 200 && status < 400) || status === 404) return
    const before = this.#listed.size
    this.#listed.add(domain * this.#exits + this.#exitOf[agent])
    if (this.#listed.size > before) this.exclusions++
  }

  #clear(domain: number, agents: Shortlist['agents']): void {
    for (const agent of agents) this.#listed.delete(domain * this.#exits + this.#exitOf[agent])
  }
}
