import type { PairRecord } from '../health/record.ts'
import { DEFAULT_CONCURRENCY, exitOf, type StoredAgent } from '../pick/agent.ts'
import { exhaustionOf } from '../pick/exhaustion.ts'
import { distanceTo, type Query } from '../pick/query.ts'
import { nameOf } from '../pick/steps.ts'
import type { View } from '../pick/view.ts'
import { Walk, type Choice, type OnVisit } from '../pick/walk.ts'
import type { Acquired, AcquireRequest, Lease, Mode, Result, Store } from '../store/store.ts'
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

const UNTRIED = { tries: 0, askedAnew: false, throttleWaived: false }

/** What a pick, or its explanation, works on: one instant, one seed. */
export interface Attempt {
  readonly plan: Plan
  readonly nowMs: number
  readonly seed: number
  readonly view: View<PairRecord>
  /** The plan's query for the fleet as it is now. */
  query: Query
  /** Agents that the store has turned down without saying why. */
  readonly refused: string[]
  tries: number
  /** The store has been asked once more before refusing. */
  askedAnew: boolean
  /** The walk is asked what it would give if the domain's incident throttled nothing. */
  throttleWaived: boolean
}

/** The second step of a request: which agent? Walks, and lets the store decide. */
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
        if (events.pick.hasSubscribers) events.pick.publish(message(request, result))
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
    const roster = this.#roster
    const budget = this.#options.drainPerPick
    const followed = this.#store.mode === 'sync' ? roster.follow(nowMs) : undefined
    return andThen(followed, () =>
      andThen(this.#views.of(plan.domain, nowMs), (view) => {
        roster.fleet.wake(nowMs, budget)
        roster.slots.expire(nowMs, budget)
        view.catchUp()
        view.drain(nowMs, budget)
        const query = this.#planner.query(plan, [])
        return { plan, nowMs, seed, view, query, refused: [], ...UNTRIED }
      }),
    )
  }

  /** The walk of an attempt; where it finds nobody, lets go of all that is due and walks again. */
  choose(attempt: Attempt, onVisit: OnVisit | null): Choice | null {
    const { view, query, seed, nowMs } = attempt
    view.catchUp()
    if (!attempt.throttleWaived && this.#throttledUntilMs(attempt) > 0) return null
    const probeTurn = view.sinceProbe >= this.#options.probeSpacing
    const choice = this.#walk.choose(view, query, seed, nowMs, probeTurn, onVisit)
    if (choice !== null) return choice
    const { fleet, slots } = this.#roster
    if (!fleet.isDue(nowMs) && !slots.isDue(nowMs) && !view.isDue(nowMs)) return null
    fleet.wake(nowMs, Infinity)
    slots.expire(nowMs, Infinity)
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

  #exhausted({ view, query }: Attempt): Exhausted {
    const { fleet, slots } = this.#roster
    const { cause, retryAtMs } = exhaustionOf(fleet, slots, view, query)
    return { kind: 'exhausted', cause, retryAtMs, counts: this.#counts(view) }
  }

  #try(attempt: Attempt): PickResult | Promise<PickResult> {
    const choice = this.choose(attempt, null)
    if (choice === null) return this.#refuse(attempt)
    const described = this.described(attempt, choice)
    const { id, maxConcurrency = DEFAULT_CONCURRENCY } = described.agent
    const { plan, nowMs, view } = attempt
    const request = {
      domain: plan.domain,
      candidates: [{ agentId: id, exit: exitOf(described.agent), maxConcurrency }],
      leaseId: this.#nextId(),
      deadlineMs: plan.deadlineMs,
      nowMs,
      viewVersion: view.version,
      health: this.#options.health,
    }
    return andThen(this.#store.acquire(request), (answer) => {
      this.#views.absorb(view, answer.changes, nowMs)
      if (answer.kind === 'acquired') return this.#take(attempt, described, request, answer)
      return this.#tryAgain(attempt, request, answer)
    })
  }

  #take(
    attempt: Attempt,
    described: Omit<Picked, 'lease'>,
    request: AcquireRequest,
    answer: Extract<Acquired, { readonly kind: 'acquired' }>,
  ): Picked {
    const { view, nowMs } = attempt
    const { leaseId: id, domain, deadlineMs } = request
    const { agentId, exit } = request.candidates[answer.index]
    this.#throttle.took(domain, id, deadlineMs, nowMs)
    view.sinceProbe = answer.probe ? 0 : view.sinceProbe + 1
    // While an asynchronous store answered, the agent may have left, or another have taken its number.
    const { fleet, slots } = this.#roster
    const agent = fleet.find(agentId)
    if (agent !== -1) {
      slots.open(id, agent, deadlineMs)
      fleet.lastPicks[agent] = ++this.#picks
      fleet.pickedAtMs[agent] = nowMs
    }
    const { epoch, probe } = answer
    const lease: Lease = { id, agentId, exit, domain, epoch, pickedAtMs: nowMs, deadlineMs, probe }
    const { distanceKm, locality } = described
    return { kind: 'picked', agent: described.agent, lease, distanceKm, locality, probe }
  }

  /** The store knew better: by now the view has learnt of the pair, and a full agent counts as full. */
  #tryAgain(
    attempt: Attempt,
    request: AcquireRequest,
    answer: Extract<Acquired, { readonly kind: 'refused' }>,
  ): PickResult | Promise<PickResult> {
    const { view, nowMs, plan } = attempt
    const { agentId } = request.candidates[0]
    const agent = this.#roster.fleet.find(agentId)
    if (answer.busyUntilMs[0] > 0 && agent !== -1) {
      this.#roster.slots.hold(agent, answer.busyUntilMs[0], nowMs)
    } else if (view.version === request.viewVersion) attempt.refused.push(agentId)
    if (++attempt.tries >= MOST_TRIES) return this.refusal(attempt)
    const followed = this.#store.mode === 'sync' ? undefined : this.#roster.follow(nowMs)
    return andThen(followed, () => {
      attempt.query = this.#planner.query(plan, attempt.refused)
      return this.#try(attempt)
    })
  }

  /** Before anything is refused, the store is asked once more: for slots given back, and an asynchronous one for all else. */
  #refuse(attempt: Attempt): PickResult | Promise<PickResult> {
    if (attempt.askedAnew) return this.refusal(attempt)
    attempt.askedAnew = true
    const { slots } = this.#roster
    if (this.#store.mode === 'sync')
      return slots.letGoOfFew() ? this.#try(attempt) : this.refusal(attempt)
    slots.letGoOfFew()
    const { view, plan, nowMs } = attempt
    return andThen(this.#roster.follow(nowMs), () =>
      andThen(this.#views.refresh(view, nowMs), () => {
        attempt.query = this.#planner.query(plan, attempt.refused)
        return this.#try(attempt)
      }),
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

const CREDENTIALS = /^([a-z]+:\/\/)[^/?#\\]*@/i

/** What listeners are told: without an agent's url, and without what a target's url says of who asks. */
function message(request: PickRequest, result: PickResult): object {
  const { url } = request
  const asked = url === undefined ? request : { ...request, url: url.replace(CREDENTIALS, '$1') }
  if (result.kind !== 'picked') return { request: asked, result }
  const { url: _, ...agent } = result.agent
  return { request: asked, result: { ...result, agent } }
}
