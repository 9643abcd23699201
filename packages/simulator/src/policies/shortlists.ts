import type { Hint } from '../world/clients.ts'
import type { Fleet } from '../world/fleet.ts'

/** The agents that a hint leaves a policy without geography: an index of its own, and they. */
export interface Shortlist {
  readonly id: number
  readonly agents: Int32Array
}

/**
 * The country index that all but ours share: the agents of the country that the hint names; the
 * whole fleet if it names none (no hint, coordinates), or if there is no agent there.
 */
export class Shortlists {
  readonly #all: Shortlist
  readonly #byCountry = new Map<string, Shortlist>()

  constructor(fleet: Fleet) {
    const members: number[][] = fleet.countries.map(() => [])
    fleet.countryOf.forEach((country, agent) => members[country].push(agent))
    this.#all = { id: 0, agents: Int32Array.from(fleet.agents.keys()) }
    fleet.countries.forEach((code, i) =>
      this.#byCountry.set(code, { id: i + 1, agents: Int32Array.from(members[i]) }),
    )
  }

  get size(): number {
    return this.#byCountry.size + 1
  }

  of(hint: Hint): Shortlist {
    return hint.country === null ? this.#all : (this.#byCountry.get(hint.country) ?? this.#all)
  }
}
