import { ambientRandom } from '../clock.ts'
import { expectInteger, OstlerError, shown, throwIfAny, type Problem } from '../errors.ts'
import type { Agent } from '../pick/agent.ts'
import { exitOf } from '../pick/agent.ts'
import type { Lease, Mode, Outcome, Result, Settled, Store, Usage } from '../store/store.ts'
import { Admission } from './admit.ts'
import { Agents } from './agents.ts'
import { Attempts } from './attempt.ts'
import type { Standing } from './circuit.ts'
import { Fallback } from './degraded.ts'
import { events } from './events.ts'
import { Follower } from './follow.ts'
import { idsOf } from './ids.ts'
import { Explainer } from './explain.ts'
import { checkedPage, healthOf, type Page } from './health.ts'
import type { KeyHandle } from './key.ts'
import { resolveOptions } from './options.ts'
import type { ResolvedOptions, SchedulerOptions, Tier } from './options.ts'
import { Picker } from './pick.ts'
import { Planner } from './plan.ts'
import { Reporter } from './report.ts'
import type {
  AdmitRequest,
  Decision,
  DomainHealth,
  Explained,
  Permit,
  PickRequest,
  Picked,
  PickResult,
} from './requests.ts'
import { Roster } from './roster.ts'
import { andThen } from './and-then.ts'
import { Throttle } from './throttle.ts'
import { Tiers } from './tiers.ts'
import { Time } from './time.ts'
import { Views } from './views.ts'
import { withAgent, type WithAgentOptions, type WithAgentResult } from './with-agent.ts'

const IN_REACH: Omit<Standing, 'store'> = {
  degraded: false,
  sinceMs: null,
  reason: null,
  episodes: 0,
  decidedLocally: 0,
  owed: 0,
  repaid: 0,
  dropped: 0,
}

/**
 * Picks the right agent for every request. A request goes through four steps, in this order: `admit` (may this key go on?),
 * `pick` (which agent?), the caller's own dispatch, and `report` (what came of it?). Each may be used alone.
 *
 * On a synchronous store (such as memory) every call returns its value, on an asynchronous one (such as a server) a promise of it;
 * `await` fits both. Refusals are values. Only misuse and broken stores throw: {@link OstlerError}.
 */
export class Scheduler<M extends Mode = 'sync'> {
  /** The fleet: `upsert`, `remove`, `drain`, `get`, `size`, `values`. */
  readonly agents: Agents<M>
  readonly #tiers: Tiers
  readonly #store: Store<M>
  readonly #time: Time
  readonly #roster: Roster
  readonly #views: Views
  readonly #planner: Planner
  readonly #admission: Admission<M>
  readonly #picker: Picker<M>
  readonly #explainer: Explainer<M>
  readonly #reporter: Reporter<M>
  readonly #fallback: Fallback<M> | null
  readonly #follower: Follower
  readonly #unfollow: () => void
  #closed = false

  /** @throws OstlerError INVALID_OPTIONS, with every problem by its path */
  constructor(options: SchedulerOptions<M>) {
    const checked = resolveOptions(options)
    this.#time = new Time(checked.clock)
    const fallback = this.#fallbackFor(checked)
    this.#fallback = fallback
    const resolved = fallback === null ? checked : { ...checked, store: fallback }
    const nextId = idsOf(ambientRandom)
    this.#tiers = new Tiers(resolved.store, resolved.tiers)
    this.#store = resolved.store
    this.#roster = new Roster(resolved.store)
    const { fleet } = this.#roster
    this.#views = new Views(resolved.store, fleet, resolved.maxViews, (domain, known) =>
      fallback?.dropped(domain, known),
    )
    this.#planner = new Planner(fleet, resolved.scope, resolved.leaseMs)
    const throttle = new Throttle(resolved.incidentInFlight)
    this.agents = new Agents(resolved.store, this.#roster, this.#time)
    this.#admission = new Admission(resolved.store, fallback, this.#time, this.#tiers, nextId)
    const isDegraded = (): boolean => fallback !== null && fallback.isDegraded
    const attempts = new Attempts(
      resolved,
      this.#planner,
      this.#roster,
      this.#views,
      throttle,
      isDegraded,
    )
    this.#picker = new Picker(
      resolved,
      this.#time,
      attempts,
      this.#roster,
      this.#views,
      throttle,
      nextId,
    )
    this.#explainer = new Explainer(attempts, this.#roster, this.#time)
    this.#reporter = new Reporter(resolved, this.#time, this.#roster, this.#views, throttle)
    this.#follower = new Follower(resolved.store.mode, this.#roster, this.#views, this.#time)
    this.#unfollow = this.#follower.listen(checked.store)
  }

  /**
   * May this key go on? All policies of the tier, and the permit if one is asked for, decide as one: all count the call or none does.
   * O(policies). @throws OstlerError INVALID_REQUEST, INVALID_KEY, UNKNOWN_TIER
   */
  admit(request: AdmitRequest): Result<M, Decision> {
    return this.#admission.admit(request)
  }

  /**
   * A key of a tier, for callers who meet it again and again, such as on each request of a connection: `key.admit()` decides as `admit`
   * does and leaves its answer in the handle's fields, so that nothing is looked up by name and nothing is allocated. It stays good
   * through evictions and `setTier`, until `close`. On synchronous stores only (an asynchronous one may have many answers under way).
   * @throws OstlerError INVALID_KEY, UNKNOWN_TIER, INVALID_REQUEST on an asynchronous store
   */
  key(this: Scheduler<'sync'>, key: string, tier: string): KeyHandle {
    return this.#admission.key(key, tier)
  }

  /** The decision that `admit` would give now; changes nothing. */
  peek(request: AdmitRequest): Result<M, Decision> {
    return this.#admission.peek(request)
  }

  /**
   * Gives back what an admitted call used, where it still counts: for calls that never went out. Once per decision.
   * Answers whether anything was given back. A permit is released apart.
   */
  refund(decision: Decision): Result<M, boolean> {
    return this.#admission.refund(decision)
  }

  /** What a key has used of its tier's policies and permits; of all tiers' without one. */
  usage(key: string, tier?: string): Result<M, readonly Usage[]> {
    return this.#admission.usage(key, tier)
  }

  /** Holds a permit for `ttlMs` more from now (1 ms to 1 day); null when it is no longer held. */
  renew(permit: Permit, ttlMs: number): Result<M, Permit | null> {
    return this.#admission.renew(permit, ttlMs)
  }

  /** Frees a permit; false when it is no longer held. */
  release(permit: Permit): Result<M, boolean> {
    return this.#admission.release(permit)
  }

  /** Adds a tier, or changes one from now on. What its keys have used still counts. @throws OstlerError INVALID_OPTIONS */
  setTier(name: string, tier: Tier): void {
    this.#tiers.set(name, tier)
  }

  /**
   * Which agent? The nearest healthy one to the hint with a free slot, of two at random the less loaded; or why there is none.
   * What it gives is leased until it is reported or `deadlineMs`.
   * O(log agents), whatever the share excluded. @throws OstlerError INVALID_REQUEST, INVALID_TARGET, INVALID_GEO
   */
  pick(request: PickRequest): Result<M, PickResult> {
    return this.#picker.pick(request)
  }

  /**
   * What `pick` would give at this instant and seed, and why: the same walk, with what it saw, and nothing taken.
   * O(places visited): for people, not for hot paths.
   */
  explain(request: PickRequest): Result<M, Explained> {
    return this.#explainer.explain(request)
  }

  /**
   * What came of a dispatch? Once this has resolved, no pick in any process gives the domain an agent of an exit that was reported
   * as blocked, until its exclusion ends. Telling twice is telling once. @throws OstlerError INVALID_LEASE, INVALID_OUTCOME
   */
  report(lease: Lease, outcome: Outcome): Result<M, Settled> {
    return this.#reporter.report(lease, outcome)
  }

  /** `pick`, `dispatch`, judge, `report`, and another agent while that may help: see {@link withAgent}. */
  withAgent<T>(
    request: PickRequest,
    dispatch: (agent: Agent, lease: Lease, picked: Picked) => T | Promise<T>,
    options?: WithAgentOptions<T>,
  ): Promise<WithAgentResult<T>> {
    return withAgent(this, request, dispatch, options)
  }

  /** How a domain's pairs stand, and which agents are not available: a page of them. */
  health(domain: string, page: Page = {}): Result<M, DomainHealth> {
    const checked = checkedPage(page)
    const key = this.#planner.domain(domain)
    const nowMs = this.#time.nowMs()
    const health = andThen(this.#roster.follow(nowMs), () =>
      andThen(this.#views.freshest(key, nowMs), (view) => {
        view.catchUp(nowMs)
        return healthOf(view, this.#roster, checked, nowMs)
      }),
    )
    return health as Result<M, DomainHealth>
  }

  /**
   * Keeps an agent's exit from a domain, or from all (`'*'`), until an instant, whatever is reported meanwhile.
   * @throws OstlerError UNKNOWN_AGENT, INVALID_TARGET, INVALID_REQUEST
   */
  exclude(agentId: string, domain: string, untilMs: number): Result<M, void> {
    const nowMs = this.#time.nowMs()
    const problems: Problem[] = []
    expectInteger(problems, 'untilMs', untilMs, nowMs + 1, Number.MAX_SAFE_INTEGER)
    throwIfAny('INVALID_REQUEST', problems)
    const done = this.#withPair(agentId, domain, nowMs, (exit, key) =>
      this.#store.exclude(exit, key, untilMs, nowMs),
    )
    return done as Result<M, void>
  }

  /** Makes an agent's exit available for a domain again, or ends an exclusion from all (`'*'`). */
  restore(agentId: string, domain: string): Result<M, void> {
    const nowMs = this.#time.nowMs()
    const done = this.#withPair(agentId, domain, nowMs, (exit, key) =>
      this.#store.restore(exit, key, nowMs),
    )
    return done as Result<M, void>
  }

  /** Frees the store. Later calls throw CLOSED; a second close does nothing. */
  close(): Result<M, void> {
    const mode = this.#store.mode
    if (this.#closed) return (mode === 'sync' ? undefined : Promise.resolve()) as Result<M, void>
    this.#closed = true
    this.#unfollow()
    return this.#store.close()
  }

  /** How the scheduler stands with its store: whether it is out of reach, since when and why, and what it is owed. */
  standing(): Standing {
    return this.#fallback?.standing() ?? { ...IN_REACH, store: this.#store.name }
  }

  /** A store of this process is never out of reach. */
  #fallbackFor(options: ResolvedOptions<M>): Fallback<M> | null {
    const { store, degraded } = options
    if (store.local === true) return null
    return new Fallback(store, degraded, {
      known: (domain) => this.#views.known(domain),
      returned: () => this.#follower.look(null),
      nowMs: () => this.#time.nowMs(),
    })
  }

  /** Changes a pair by hand: another process may have put its agent, so the fleet is brought up to the store first. */
  #withPair(
    agentId: string,
    domain: string,
    nowMs: number,
    change: (exit: string, key: string) => void | Promise<void>,
  ): void | Promise<void> {
    const key = domain === '*' ? '*' : this.#planner.domain(domain)
    return andThen(this.#roster.follow(nowMs), () => {
      const agent = this.agents.get(agentId)
      if (agent === undefined) {
        throw new OstlerError('UNKNOWN_AGENT', `the fleet has no agent ${shown(agentId)}`)
      }
      const exit = exitOf(agent)
      return andThen(change(exit, key), () => this.#catchUp(key, exit))
    })
  }

  /** Lets this process, and its listeners, see at once what it has just changed by hand. */
  #catchUp(key: string, exit: string): void | Promise<void> {
    const nowMs = this.#time.nowMs()
    if (key === '*') return this.#roster.follow(nowMs)
    const listened = events.transition.hasSubscribers
    const ready = this.#views.ready(key)
    // Beside a store of this process a view grows with its domain, rather than all at once when it is asked for.
    if (ready === undefined && !listened && this.#store.local !== true) return
    const fresh =
      ready === undefined ? this.#views.of(key, nowMs) : this.#views.refresh(ready, nowMs)
    return andThen(fresh, (view) => {
      if (listened) events.transition.publish({ domain: key, exit, record: view.recordOf(exit) })
    })
  }
}
