import type { Fleet } from './fleet.ts'
import { allowsPlace, isTooFar, refusalOf, type Query } from './query.ts'
import type { Slots } from './slots.ts'
import type { View } from './view.ts'

/** Why a walk found nobody. */
export type WalkCause =
  /** There are no agents. */
  | 'fleet_empty'
  /** No agent, whatever its state, is allowed by the strict hint or the vetoes. */
  | 'geo_empty'
  /** No agent, whatever its state, passes pin, avoid and tags (within the hint). */
  | 'filter_empty'
  /** Every pinned agent is excluded, resting or full. */
  | 'pinned_excluded'
  /** Some eligible pair is available or on probation, and its agent has no free slot. */
  | 'at_capacity'
  /** Every eligible pair is excluded, or its agent drained or resting. */
  | 'all_excluded'

/** Why a walk found nobody, and when it would. */
export interface Exhaustion {
  readonly cause: WalkCause
  /** The first instant at which an eligible agent is pickable if nothing else happens; null where none ever is. */
  readonly retryAtMs: number | null
}

/**
 * Tells the true cause of a refusal. Eligible agents that are not pickable now wait for an instant each: that of their pair,
 * of their rest, of a free slot. Each of these is kept in order, so the search looks at agents by their earliest wait and ends
 * where no later one can be better: O(k log n) for k agents looked at, most of which a narrow filter may turn away.
 */
export function exhaustionOf(
  fleet: Fleet,
  slots: Slots,
  view: View<unknown>,
  query: Query,
): Exhaustion {
  if (fleet.size === 0) return { cause: 'fleet_empty', retryAtMs: null }
  const search = new Search(fleet, slots, view, query)
  search.byPair()
  search.bySlot()
  search.byRest()
  const retryAtMs = Number.isFinite(search.bestMs) ? search.bestMs : null
  if (!search.met && !search.meetsAnyone()) {
    return { cause: search.geoMet ? 'filter_empty' : 'geo_empty', retryAtMs: null }
  }
  if (query.pin !== null) return { cause: 'pinned_excluded', retryAtMs }
  return { cause: search.hasFullOne() ? 'at_capacity' : 'all_excluded', retryAtMs }
}

class Search {
  bestMs = Infinity
  /** An agent that the request allows has been met; one that its hint allows. */
  met = false
  geoMet = false
  readonly #fleet: Fleet
  readonly #slots: Slots
  readonly #view: View<unknown>
  readonly #query: Query

  constructor(fleet: Fleet, slots: Slots, view: View<unknown>, query: Query) {
    this.#fleet = fleet
    this.#slots = slots
    this.#view = view
    this.#query = query
  }

  byPair(): void {
    this.#view.inOrder((agent, atMs) => {
      if (atMs >= this.bestMs) return false
      this.#consider(agent)
      return true
    })
  }

  bySlot(): void {
    this.#slots.eachHeld((agent) => this.#consider(agent))
    this.#slots.inOrder((agent, atMs) => {
      if (atMs >= this.bestMs) return false
      this.#consider(agent)
      return true
    })
  }

  byRest(): void {
    this.#fleet.resting.inOrder((agent, atMs) => {
      if (atMs >= this.bestMs) return false
      this.#consider(agent)
      return true
    })
  }

  /** Looks for any agent that the request allows, drained ones too: O(agents), for refusals that time cannot help. */
  meetsAnyone(): boolean {
    for (const described of this.#fleet.values()) {
      if (this.#allows(this.#fleet.find(described.id))) return true
    }
    return false
  }

  /** Whether some eligible agent lacks nothing but a free slot. */
  hasFullOne(): boolean {
    for (const agent of this.#slots.full) {
      if (!this.#fleet.isUp(agent) || !this.#allows(agent)) continue
      const phase = this.#view.phaseOf(agent)
      if (phase === 'available' || phase === 'probation') return true
    }
    return false
  }

  #consider(agent: number): void {
    const { agents } = this.#fleet
    if (!agents.isLive(agent) || !this.#allows(agent) || agents.restOf(agent)?.drained === true) {
      return
    }
    const restMs = this.#fleet.resting.has(agent) ? this.#fleet.resting.at(agent) : 0
    const pairMs = this.#view.pickableAtMs(agents.exitOf(agent))
    const atMs = Math.max(pairMs, restMs, this.#slots.freeAtMs(agent))
    if (atMs < this.bestMs) this.bestMs = atMs
  }

  /** Whether the request allows an agent, whatever its state. */
  #allows(agent: number): boolean {
    if (!allowsPlace(this.#query.hint, this.#fleet.placeOf(agent))) return false
    if (isTooFar(this.#fleet, this.#query, agent)) return false
    this.geoMet = true
    const refusal = refusalOf(this.#fleet, this.#query, agent)
    if (refusal !== null && refusal !== 'full') return false
    this.met = true
    return true
  }
}
