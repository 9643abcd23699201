// hot path: every pick begins, walks and is described here.

import type { PairRecord } from '../health/record.ts'
import type { StoredAgent } from '../pick/agent.ts'
import { exhaustionOf } from '../pick/exhaustion.ts'
import { distanceTo, type Query } from '../pick/query.ts'
import { releaseNearest } from '../pick/release.ts'
import { nameOf, Steps } from '../pick/steps.ts'
import type { View } from '../pick/view.ts'
import { Walk, type Choice, type OnVisit } from '../pick/walk.ts'
import type { Mode } from '../store/store.ts'
import { LOCAL } from './degraded.ts'
import type { ResolvedOptions } from './options.ts'
import type { Plan, Planner } from './plan.ts'
import type { Exhausted, PickCounts, Picked, PickRequest } from './requests.ts'
import type { Roster } from './roster.ts'
import type { Throttle } from './throttle.ts'
import type { Views } from './views.ts'

/** Agents that a walk which found nobody lets go of, whoever they are, before it is walked again: at first, and at last. */
const FIRST_PORTION = 64
const LAST_PORTION = 256

const NOBODY: readonly string[] = Object.freeze([])

type DomainView = View<PairRecord>

/** What a pick, or its explanation, works on: one instant, one seed. */
export interface Attempt {
  readonly plan: Plan
  readonly nowMs: number
  readonly seed: number
  readonly view: DomainView
  /** The plan's query for the fleet as it is now. */
  query: Query
  /** Agents that the store has turned down without saying why. */
  refused: readonly string[]
  tries: number
  /** The store has been asked once more before refusing. */
  askedAnew: boolean
  /** The walk is asked what it would give if the domain's incident throttled nothing. */
  throttleWaived: boolean
}

/** What a pick says of an agent, but for its lease and who decided. */
export interface Outline {
  readonly agent: StoredAgent
  /** The agent's number in the fleet as it was. */
  readonly number: number
  readonly distanceKm: number | null
  readonly locality: string
  readonly probe: boolean
}

/** One walk for `pick` and `explain`: what both see of a request at an instant. It reads, and takes nothing. */
export class Attempts {
  readonly #options: ResolvedOptions<Mode>
  readonly #planner: Planner
  readonly #roster: Roster
  readonly #views: Views
  readonly #walk: Walk
  readonly #steps: Steps
  readonly #throttle: Throttle
  readonly #isDegraded: () => boolean
  readonly #isAsync: boolean
  readonly #budget: number
  /** Drawn ahead, so that an explanation can use the seed of the pick to come. */
  #nextSeed: number

  constructor(
    options: ResolvedOptions<Mode>,
    planner: Planner,
    roster: Roster,
    views: Views,
    throttle: Throttle,
    isDegraded: () => boolean,
  ) {
    this.#options = options
    this.#planner = planner
    this.#roster = roster
    this.#views = views
    this.#walk = new Walk(roster.fleet)
    this.#steps = new Steps(roster.fleet)
    this.#throttle = throttle
    this.#isDegraded = isDegraded
    this.#isAsync = options.store.mode === 'async'
    this.#budget = options.drainPerPick
    this.#nextSeed = this.#drawSeed()
  }

  /**
   * Checks a request, and brings fleet and view up to the instant. `takes`: this is the pick itself, so the next one gets another seed;
   * an explanation uses the seed of the pick to come.
   */
  begin(request: PickRequest, nowMs: number, takes: boolean): Attempt | Promise<Attempt> {
    const plan = this.#planner.plan(request, nowMs)
    let seed = plan.seed
    if (seed === undefined) {
      seed = this.#nextSeed
      if (takes) this.#nextSeed = this.#drawSeed()
    }
    if (this.#isAsync) return this.#beginLater(plan, seed, nowMs, takes)
    void this.#roster.follow(nowMs)
    return this.#start(plan, seed, this.#views.of(plan.domain, nowMs) as DomainView, nowMs)
  }

  async #beginLater(plan: Plan, seed: number, nowMs: number, takes: boolean): Promise<Attempt> {
    // An asynchronous store tells in its answers to picks when the fleet has changed.
    if (!this.#roster.isKnown || !takes) await this.#roster.follow(nowMs)
    const { domain } = plan
    const view = takes ? this.#views.of(domain, nowMs) : this.#views.freshest(domain, nowMs)
    return this.#start(plan, seed, await view, nowMs)
  }

  #start(plan: Plan, seed: number, view: DomainView, nowMs: number): Attempt {
    const { fleet, slots } = this.#roster
    const budget = this.#budget
    fleet.wake(nowMs, budget)
    slots.expire(nowMs, budget)
    view.catchUp(nowMs)
    view.drain(nowMs, budget)
    return {
      plan,
      nowMs,
      seed,
      view,
      query: this.#planner.query(plan, NOBODY),
      refused: NOBODY,
      tries: 0,
      askedAnew: false,
      throttleWaived: false,
    }
  }

  /** The walk of an attempt; where it finds nobody, lets go of all that is due and walks again. */
  choose(attempt: Attempt, onVisit: OnVisit | null): Choice | null {
    const { view, query, seed, nowMs } = attempt
    view.catchUp(nowMs)
    if (!attempt.throttleWaived && this.#throttledUntilMs(attempt) > 0) return null
    const probeTurn = view.sinceProbe >= this.#options.probeSpacing
    const choice = this.#walk.choose(view, query, seed, nowMs, probeTurn, onVisit)
    if (choice !== null) return choice
    const { fleet, slots } = this.#roster
    if (!fleet.isDue(nowMs) && !slots.isDue(nowMs) && !view.isDue(nowMs)) return null
    fleet.wake(nowMs, Infinity)
    slots.expire(nowMs, Infinity)
    view.catchUp(nowMs)
    // A million that fall due in one instant need not all be let go for the first of them: after some, the nearest.
    let most = FIRST_PORTION
    for (let left = true; left; most *= 2) {
      if (most <= LAST_PORTION) view.drainOn(nowMs, most)
      else left = releaseNearest(this.#steps, view, query, fleet, nowMs, most / 8)
      const found = this.#walk.choose(view, query, seed, nowMs, probeTurn, onVisit)
      if (found !== null || !view.isDue(nowMs)) return found
    }
    return null
  }

  /** What a refusal says. */
  refusal(attempt: Attempt): Exhausted {
    const throttledUntilMs = this.#throttledUntilMs(attempt)
    if (throttledUntilMs === 0) return this.#exhausted(attempt)
    const counts = this.#counts(attempt.view)
    const retryAtMs = throttledUntilMs
    attempt.throttleWaived = true
    if (this.choose(attempt, null) !== null) {
      return { kind: 'exhausted', cause: 'incident', retryAtMs, counts, ...this.#origin() }
    }
    const exhausted = this.#exhausted(attempt)
    if (exhausted.retryAtMs === null) return exhausted
    return { ...exhausted, retryAtMs: Math.max(exhausted.retryAtMs, retryAtMs) }
  }

  /** What a choice says, the lease aside. */
  described(attempt: Attempt, choice: Choice): Omit<Picked, 'lease'> {
    const { agent, distanceKm, locality, probe } = this.outline(attempt, choice)
    return { kind: 'picked', agent, distanceKm, locality, probe, ...this.#origin() }
  }

  /** What a choice says, whoever decides. */
  outline(attempt: Attempt, choice: Choice): Outline {
    const { fleet } = this.#roster
    const number = choice.agent
    return {
      agent: fleet.agents.get(number) as StoredAgent,
      number,
      distanceKm: distanceTo(fleet, attempt.query, number),
      locality: nameOf(fleet, choice.step),
      probe: choice.probe,
    }
  }

  #exhausted({ view, query }: Attempt): Exhausted {
    const { fleet, slots } = this.#roster
    const { cause, retryAtMs } = exhaustionOf(fleet, slots, view, query)
    const counts = this.#counts(view)
    return { kind: 'exhausted', cause, retryAtMs, counts, ...this.#origin() }
  }

  /** Who decides now. */
  #origin(): Pick<Picked, 'source' | 'degraded'> {
    const degraded = this.#isDegraded()
    return { source: degraded ? LOCAL : this.#options.store.name, degraded }
  }

  /** The same request once more: agents' numbers go to others when agents leave, so its query is made anew, without those refused so far. */
  renew(attempt: Attempt, others: readonly string[] = []): void {
    attempt.query = this.#planner.query(attempt.plan, [...attempt.refused, ...others])
  }

  #throttledUntilMs({ view, plan, nowMs }: Attempt): number {
    if (view.incidentAtMs === 0) return 0
    return Math.min(this.#throttle.freeAtMs(plan.domain, nowMs), view.incidentEndsAtMs)
  }

  #counts(view: View<PairRecord>): PickCounts {
    const { fleet, slots } = this.#roster
    return {
      agents: fleet.size,
      excluded: view.excluded.size,
      down: fleet.size - fleet.up,
      busy: slots.full.size,
    }
  }

  #drawSeed(): number {
    return Math.floor(this.#options.random() * 4294967296) >>> 0
  }
}
