import type { PairRecord } from '../health/record.ts'
import { exitOf, type StoredAgent } from '../pick/agent.ts'
import { exhaustionOf, type Exhaustion } from '../pick/exhaustion.ts'
import { distanceTo, type Query } from '../pick/query.ts'
import { nameOf } from '../pick/steps.ts'
import type { View } from '../pick/view.ts'
import { Walk, type Choice, type OnVisit } from '../pick/walk.ts'
import type { Acquired, Candidate, Lease, Mode, Result, Store } from '../store/store.ts'
import { events } from './events.ts'
import type { ResolvedOptions } from './options.ts'
import type { Plan, Planner } from './plan.ts'
import type { Exhausted, PickCounts, Picked, PickRequest, PickResult } from './requests.ts'
import type { Roster } from './roster.ts'
import type { Throttle } from './throttle.ts'
import { andThen } from './and-then.ts'
import type { Time } from './time.ts'
import type { Views } from './views.ts'

/** Tries of one pick: each but the first because the store knew better than the view. */
const MOST_TRIES = 1000

/** What a pick, or its explanation, works on: one instant, one seed. */
export interface Attempt {
  readonly plan: Plan
  readonly nowMs: number
  readonly seed: number
  readonly view: View<PairRecord>
  /** The plan's query, less the agents that the store has refused for want of a slot. */
  query: Query
  /** The earliest free slot of those. */
  fullUntilMs: number
  tries: number
  /** The walk is asked what it would give if the domain's incident throttled nothing. */
  throttleWaived: boolean
}

/** The second and third step of a request: which agent? Walks, and lets the store decide. */
export class Picker<M extends Mode> {
  readonly #options: ResolvedOptions<M>
  readonly #store: Store<M>
  readonly #time: Time
  readonly #planner: Planner
  readonly #roster: Roster
  readonly #views: Views
  readonly #walk: Walk
  readonly #throttle: Throttle
  readonly #nextId: () => string
  #picks = 0
  /** Drawn ahead, so that an explanation can use the seed of the pick to come. */
  #nextSeed: number

  constructor(
    options: ResolvedOptions<M>,
    time: Time,
    planner: Planner,
    roster: Roster,
    views: Views,
    throttle: Throttle,
    nextId: () => string,
  ) {
    this.#options = options
    this.#store = options.store
    this.#time = time
    this.#planner = planner
    this.#roster = roster
    this.#views = views
    this.#throttle = throttle
    this.#walk = new Walk(roster.fleet)
    this.#nextId = nextId
    this.#nextSeed = this.#drawSeed()
  }

  pick(request: PickRequest): Result<M, PickResult> {
    const nowMs = this.#time.nowMs()
    const plan = this.#planner.plan(request, nowMs)
    const seed = plan.seed ?? this.#nextSeed
    if (plan.seed === undefined) this.#nextSeed = this.#drawSeed()
    const picked = andThen(this.attempt(plan, seed, nowMs), (attempt) =>
      andThen(this.#try(attempt), (result) => {
        if (events.pick.hasSubscribers) events.pick.publish({ request, result: withoutUrl(result) })
        return result
      }),
    )
    return picked as Result<M, PickResult>
  }

  /** Plans a request as the next pick would. */
  plan(request: PickRequest, nowMs: number): { readonly plan: Plan; readonly seed: number } {
    const plan = this.#planner.plan(request, nowMs)
    return { plan, seed: plan.seed ?? this.#nextSeed }
  }

  /** Brings fleet and view up to the instant. */
  attempt(plan: Plan, seed: number, nowMs: number): Attempt | Promise<Attempt> {
    const { roster, budget } = { roster: this.#roster, budget: this.#options.drainPerPick }
    const followed = this.#store.mode === 'sync' ? roster.follow(nowMs) : undefined
    return andThen(followed, () =>
      andThen(this.#views.of(plan.domain, nowMs), (view) => {
        roster.fleet.wake(nowMs, budget)
        roster.slots.expire(nowMs)
        view.catchUp()
        view.drain(nowMs, budget)
        return {
          plan,
          nowMs,
          seed,
          view,
          query: plan.query,
          fullUntilMs: Infinity,
          tries: 0,
          throttleWaived: false,
        }
      }),
    )
  }

  /** The walk of an attempt; where it finds nobody, lets go of all that is due and walks again. */
  choose(attempt: Attempt, onVisit: OnVisit | null): Choice | null {
    const { view, query, seed, nowMs } = attempt
    if (!attempt.throttleWaived && this.#throttledUntilMs(attempt) > 0) return null
    const probeTurn = view.sinceProbe >= this.#options.probeSpacing
    const choice = this.#walk.choose(view, query, seed, nowMs, probeTurn, onVisit)
    if (choice !== null) return choice
    const woken = this.#roster.fleet.wake(nowMs, 0)
    if (view.drain(nowMs, 0) && woken) return null
    this.#roster.fleet.wake(nowMs, Infinity)
    view.catchUp()
    view.drain(nowMs, Infinity)
    return this.#walk.choose(view, query, seed, nowMs, probeTurn, onVisit)
  }

  /** What a refusal says. */
  refusal(attempt: Attempt): Exhausted {
    const throttledUntilMs = this.#throttledUntilMs(attempt)
    if (throttledUntilMs === 0) return this.#exhausted(attempt)
    const counts = this.#counts(attempt.view)
    const retryAtMs = throttledUntilMs
    attempt.throttleWaived = true
    if (this.choose(attempt, null) !== null) {
      return { kind: 'exhausted', cause: 'incident', retryAtMs, counts }
    }
    const exhausted = this.#exhausted(attempt)
    if (exhausted.retryAtMs === null) return exhausted
    return { ...exhausted, retryAtMs: Math.max(exhausted.retryAtMs, retryAtMs) }
  }

  /** What a choice says, the lease aside. */
  described(attempt: Attempt, choice: Choice): Omit<Picked, 'lease'> {
    const { fleet } = this.#roster
    return {
      kind: 'picked',
      agent: fleet.agents[choice.agent] as StoredAgent,
      distanceKm: distanceTo(fleet, attempt.query, choice.agent),
      locality: nameOf(fleet, choice.step),
      probe: choice.probe,
    }
  }

  #exhausted({ view, plan, fullUntilMs }: Attempt): Exhausted {
    const { fleet, slots } = this.#roster
    const found: Exhaustion = exhaustionOf(fleet, slots, view, plan.query)
    const retryAtMs = Math.min(found.retryAtMs ?? Infinity, fullUntilMs)
    return {
      kind: 'exhausted',
      cause: fullUntilMs < Infinity && plan.query.pin === null ? 'at_capacity' : found.cause,
      retryAtMs: retryAtMs < Infinity ? retryAtMs : null,
      counts: this.#counts(view),
    }
  }

  #try(attempt: Attempt): PickResult | Promise<PickResult> {
    const choice = this.choose(attempt, null)
    if (choice === null) return this.#refuse(attempt)
    const agent = this.#roster.fleet.agents[choice.agent] as StoredAgent
    const candidate: Candidate = {
      agentId: agent.id,
      exit: exitOf(agent),
      maxConcurrency: this.#roster.fleet.capacities[choice.agent],
    }
    const leaseId = this.#nextId()
    const { plan, nowMs, view } = attempt
    const acquired = this.#store.acquire({
      domain: plan.domain,
      candidates: [candidate],
      leaseId,
      deadlineMs: plan.deadlineMs,
      nowMs,
      viewVersion: view.version,
      health: this.#options.health,
    })
    return andThen(acquired, (answer) => this.#take(attempt, choice, candidate, leaseId, answer))
  }

  #take(
    attempt: Attempt,
    choice: Choice,
    candidate: Candidate,
    leaseId: string,
    answer: Acquired,
  ): PickResult | Promise<PickResult> {
    const { view, plan, nowMs } = attempt
    const described = this.described(attempt, choice)
    this.#views.absorb(view, answer.changes, nowMs)
    if (answer.kind === 'refused') {
      return this.#tryAgain(attempt, choice.agent, answer.busyUntilMs[0])
    }
    const { fleet, slots } = this.#roster
    slots.open(leaseId, choice.agent, plan.deadlineMs)
    this.#throttle.took(plan.domain, leaseId, plan.deadlineMs)
    fleet.lastPicks[choice.agent] = ++this.#picks
    fleet.pickedAtMs[choice.agent] = nowMs
    view.sinceProbe = answer.probe ? 0 : view.sinceProbe + 1
    const lease: Lease = {
      id: leaseId,
      agentId: candidate.agentId,
      exit: candidate.exit,
      domain: plan.domain,
      epoch: answer.epoch,
      pickedAtMs: nowMs,
      deadlineMs: plan.deadlineMs,
      probe: answer.probe,
    }
    const { agent, distanceKm, locality } = described
    return { kind: 'picked', agent, lease, distanceKm, locality, probe: answer.probe }
  }

  /** The store knew better: the view has learnt of the pair by now, and a full agent is passed over. */
  #tryAgain(
    attempt: Attempt,
    agent: number,
    busyUntilMs: number,
  ): PickResult | Promise<PickResult> {
    if (++attempt.tries >= MOST_TRIES) return this.refusal(attempt)
    if (busyUntilMs > 0) {
      attempt.fullUntilMs = Math.min(attempt.fullUntilMs, busyUntilMs)
      const avoid = new Set(attempt.query.avoid).add(agent)
      attempt.query = { ...attempt.query, avoid }
    }
    return this.#try(attempt)
  }

  /** An asynchronous store is asked once more before anything is refused on an old view. */
  #refuse(attempt: Attempt): PickResult | Promise<PickResult> {
    if (this.#store.mode === 'sync' || attempt.tries > 0) return this.refusal(attempt)
    attempt.tries++
    return andThen(this.#roster.follow(attempt.nowMs), () =>
      andThen(this.#views.refresh(attempt.view, attempt.nowMs), () => this.#try(attempt)),
    )
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

/** For listeners: an agent's url may hold credentials. */
function withoutUrl(result: PickResult): PickResult {
  if (result.kind !== 'picked') return result
  const { url: _, ...agent } = result.agent
  return { ...result, agent }
}
