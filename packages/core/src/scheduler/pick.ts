// hot path: every dispatch begins with a pick. On a synchronous store none of this makes a closure or a promise.

import type { HealthPolicy } from '../health/record.ts'
import { DEFAULT_CONCURRENCY, exitOf, type Agent, type StoredAgent } from '../pick/agent.ts'
import { distanceTo } from '../pick/query.ts'
import { nameOf } from '../pick/steps.ts'
import type {
  Acquired,
  AcquireRequest,
  Candidate,
  Lease,
  Mode,
  Result,
  Store,
} from '../store/store.ts'
import { andThen } from './and-then.ts'
import type { Attempt, Attempts, Outline } from './attempt.ts'
import { LOCAL } from './degraded.ts'
import { events, messageOf } from './events.ts'
import type { ResolvedOptions } from './options.ts'
import type { Picked, PickRequest, PickResult } from './requests.ts'
import type { Roster } from './roster.ts'
import type { Throttle } from './throttle.ts'
import type { Time } from './time.ts'
import type { Views } from './views.ts'

/** Tries of one pick: each but the first because the store knew better than the view. */
const MOST_TRIES = 1000
/** In place of a result: the attempt is to be tried once more. */
const AGAIN = null

/** Candidates that travel to an asynchronous store at once: where it turns the first down, it may give the next. */
const CANDIDATES = 4

type Given = Extract<Acquired, { readonly kind: 'acquired' }>
type Refused = Extract<Acquired, { readonly kind: 'refused' }>

/** The second step of a request: which agent? Walks, and lets the store decide. */
export class Picker<M extends Mode> {
  readonly #options: ResolvedOptions<M>
  readonly #store: Store<M>
  readonly #time: Time
  readonly #attempts: Attempts
  readonly #roster: Roster
  readonly #views: Views
  readonly #throttle: Throttle
  readonly #nextId: () => string
  readonly #isAsync: boolean
  readonly #health: HealthPolicy
  #picks = 0

  constructor(
    options: ResolvedOptions<M>,
    time: Time,
    attempts: Attempts,
    roster: Roster,
    views: Views,
    throttle: Throttle,
    nextId: () => string,
  ) {
    this.#options = options
    this.#store = options.store
    this.#isAsync = options.store.mode === 'async'
    this.#health = options.health
    this.#time = time
    this.#attempts = attempts
    this.#roster = roster
    this.#views = views
    this.#throttle = throttle
    this.#nextId = nextId
  }

  pick(request: PickRequest): Result<M, PickResult> {
    const attempt = this.#attempts.begin(request, this.#time.nowMs(), true)
    if (this.#isAsync) {
      return this.#pickLater(request, attempt as Promise<Attempt>) as Result<M, PickResult>
    }
    const result = this.#try(attempt as Attempt) as PickResult
    return this.#told(request, result) as Result<M, PickResult>
  }

  async #pickLater(request: PickRequest, attempt: Promise<Attempt>): Promise<PickResult> {
    return this.#told(request, await this.#try(await attempt))
  }

  #told(request: PickRequest, result: PickResult): PickResult {
    if (events.pick.hasSubscribers) events.pick.publish(messageOf(request, result))
    return result
  }

  /** A loop, for a thousand tries that call one another would take most of the stack. */
  #try(attempt: Attempt): PickResult | Promise<PickResult> {
    for (;;) {
      const result = this.#tryOnce(attempt)
      if (result !== AGAIN) return result
    }
  }

  #tryOnce(attempt: Attempt): PickResult | Promise<PickResult> | typeof AGAIN {
    const choice = this.#attempts.choose(attempt, null)
    if (choice === null) return this.#refuse(attempt)
    if (this.#isAsync) return this.#tryLater(attempt, this.#attempts.outline(attempt, choice))
    const { fleet } = this.#roster
    const agent = fleet.agents.get(choice.agent) as StoredAgent
    // Out of a million agents each of what is read of one is a cache miss: all of it is asked for before any is waited for.
    fleet.ahead = agent.id.length
    const distanceKm = distanceTo(fleet, attempt.query, choice.agent)
    const locality = nameOf(fleet, choice.step)
    const request = this.#requestOf(attempt, [candidateOf(agent)])
    const answer = this.#store.acquire(request) as Acquired
    this.#views.absorb(attempt.view, answer.changes, attempt.nowMs)
    if (answer.kind === 'refused') return this.#tryAgain(attempt, request, answer)
    if (this.#roster.differs(answer.fleetVersion)) {
      return this.#takeIfUp(attempt, this.#attempts.outline(attempt, choice), request, answer)
    }
    return this.#take(attempt, request, answer, agent, choice.agent, distanceKm, locality)
  }

  /** By the time that an asynchronous store answers, the fleet may be another: what is said of an agent is said now. */
  async #tryLater(attempt: Attempt, first: Outline): Promise<PickResult> {
    const outlines = [first]
    this.#addOthers(attempt, outlines)
    const candidates = outlines.map(({ agent }) => candidateOf(agent))
    const request = this.#requestOf(attempt, candidates)
    const answer = await this.#store.acquire(request)
    this.#views.absorb(attempt.view, answer.changes, attempt.nowMs)
    if (answer.kind === 'refused') {
      const result = this.#tryAgain(attempt, request, answer)
      return result === AGAIN ? this.#try(attempt) : result
    }
    const outline = outlines[answer.index]
    if (this.#roster.differs(answer.fleetVersion)) {
      return this.#takeIfUp(attempt, outline, request, answer)
    }
    return this.#takeOutlined(attempt, outline, request, answer)
  }

  #requestOf({ plan, nowMs, view }: Attempt, candidates: readonly Candidate[]): AcquireRequest {
    return {
      domain: plan.domain,
      candidates,
      leaseId: this.#nextId(),
      deadlineMs: plan.deadlineMs,
      nowMs,
      viewVersion: view.version,
      health: this.#health,
    }
  }

  /** The store knows a newer fleet. */
  #takeIfUp(
    attempt: Attempt,
    outline: Outline,
    request: AcquireRequest,
    answer: Given,
  ): PickResult | Promise<PickResult> {
    return andThen(this.#roster.follow(attempt.nowMs), () =>
      this.#isUp(outline.agent.id)
        ? this.#takeOutlined(attempt, outline, request, answer)
        : this.#giveBack(attempt, request, answer),
    )
  }

  /** Whom the walk would give if those before were not: an asynchronous store is asked for all of them in one round trip. */
  #addOthers(attempt: Attempt, outlines: Outline[]): void {
    const { query } = attempt
    while (outlines.length < CANDIDATES) {
      const others = outlines.map(({ agent }) => agent.id)
      this.#attempts.renew(attempt, others)
      const choice = this.#attempts.choose(attempt, null)
      if (choice === null) break
      outlines.push(this.#attempts.outline(attempt, choice))
    }
    attempt.query = query
  }

  #isUp(agentId: string): boolean {
    const { fleet } = this.#roster
    const number = fleet.find(agentId)
    return number !== -1 && fleet.isUp(number)
  }

  /** The fleet has changed under the pick: the agent has left, or rests. */
  #giveBack(
    attempt: Attempt,
    request: AcquireRequest,
    answer: Given,
  ): PickResult | Promise<PickResult> {
    const { nowMs, view } = attempt
    const { health, incident, breaker } = this.#options
    const told = this.#store.settle({
      lease: leaseOf(request, answer),
      outcome: { kind: 'neutral' },
      nowMs,
      viewVersion: view.version,
      health,
      incident,
      breaker,
      exits: this.#roster.fleet.exits,
    })
    return andThen(told, (settled) => {
      this.#views.absorb(view, settled.changes, nowMs)
      if (++attempt.tries >= MOST_TRIES) return this.#attempts.refusal(attempt)
      this.#attempts.renew(attempt)
      return this.#try(attempt)
    })
  }

  #takeOutlined(
    attempt: Attempt,
    { agent, number, distanceKm, locality }: Outline,
    request: AcquireRequest,
    answer: Given,
  ): Picked {
    // While an asynchronous store answered, the agent may have left, or another have taken its number.
    const { fleet } = this.#roster
    const stays = fleet.agents.isLive(number) && fleet.agents.idOf(number) === agent.id
    const numberNow = stays ? number : fleet.find(agent.id)
    return this.#take(attempt, request, answer, agent, numberNow, distanceKm, locality)
  }

  /** `number`: the agent's, or -1 where it has left. */
  #take(
    { view, nowMs }: Attempt,
    request: AcquireRequest,
    answer: Given,
    agent: StoredAgent,
    number: number,
    distanceKm: number | null,
    locality: string,
  ): Picked {
    const lease = leaseOf(request, answer)
    if (this.#throttle.isOn) {
      this.#throttle.took(lease.domain, lease.id, lease.deadlineMs, nowMs)
    }
    view.sinceProbe = answer.probe ? 0 : view.sinceProbe + 1
    if (number !== -1) {
      const { fleet, slots } = this.#roster
      slots.open(lease.id, number, lease.deadlineMs)
      fleet.loads.setPicked(number, ++this.#picks, nowMs)
    }
    const degraded = answer.degraded === true
    return {
      kind: 'picked',
      agent,
      lease,
      distanceKm,
      locality,
      probe: answer.probe,
      source: degraded ? LOCAL : this.#store.name,
      degraded,
    }
  }

  /** The store knew better: by now the view has learnt of the pair, and a full agent counts as full. */
  #tryAgain(
    attempt: Attempt,
    request: AcquireRequest,
    answer: Refused,
  ): PickResult | Promise<PickResult> | typeof AGAIN {
    const { view, nowMs } = attempt
    const { fleet, slots } = this.#roster
    const unexplained: string[] = []
    request.candidates.forEach(({ agentId }, i) => {
      const agent = fleet.find(agentId)
      const busyUntilMs = answer.busyUntilMs[i]
      if (busyUntilMs > 0 && agent !== -1) slots.hold(agent, busyUntilMs, nowMs)
      else if (view.version === request.viewVersion) unexplained.push(agentId)
    })
    if (++attempt.tries >= MOST_TRIES) return this.#attempts.refusal(attempt)
    if (!this.#isAsync) return this.#passOver(attempt, unexplained)
    return andThen(this.#roster.follow(nowMs), () => {
      this.#passOver(attempt, unexplained)
      return this.#try(attempt)
    })
  }

  /** Goes on without those that the store turned down: of those that rest for all domains the fleet has learnt why by now. */
  #passOver(attempt: Attempt, unexplained: readonly string[]): typeof AGAIN {
    const stillUp = unexplained.filter((id) => this.#isUp(id))
    attempt.refused = [...attempt.refused, ...stillUp]
    this.#attempts.renew(attempt)
    return AGAIN
  }

  /** Before anything is refused, the store is asked once more: for slots given back, and an asynchronous one for all else. */
  #refuse(attempt: Attempt): PickResult | Promise<PickResult> {
    if (attempt.askedAnew) return this.#attempts.refusal(attempt)
    attempt.askedAnew = true
    const { slots } = this.#roster
    if (!this.#isAsync)
      return slots.letGoOfFew() ? this.#try(attempt) : this.#attempts.refusal(attempt)
    slots.letGoOfFew()
    const { view, nowMs } = attempt
    return andThen(this.#roster.follow(nowMs), () =>
      andThen(this.#views.refresh(view, nowMs), () => {
        this.#attempts.renew(attempt)
        return this.#try(attempt)
      }),
    )
  }
}

function candidateOf(agent: Agent): Candidate {
  const { id, maxConcurrency = DEFAULT_CONCURRENCY } = agent
  return { agentId: id, exit: exitOf(agent), maxConcurrency }
}

function leaseOf(request: AcquireRequest, answer: Given): Lease {
  const { leaseId, domain, deadlineMs, nowMs } = request
  const { agentId, exit } = request.candidates[answer.index]
  const { epoch, probe } = answer
  return { id: leaseId, agentId, exit, domain, epoch, pickedAtMs: nowMs, deadlineMs, probe }
}
