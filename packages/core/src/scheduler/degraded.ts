import { OstlerError } from '../errors.ts'
import { isExclusion } from '../health/record.ts'
import type { ResolvedPolicy } from '../limit/policy.ts'
import type { StoredAgent } from '../pick/agent.ts'
import type { BeginRequest, Begun, CompleteRequest } from '../store/idempotency.ts'
import type {
  AcquireRequest,
  Acquired,
  AgentChanges,
  Change,
  Changes,
  ConsumeRequest,
  Mode,
  RefundRequest,
  Result,
  Settled,
  SettleRequest,
  Store,
  Usage,
  Verdict,
} from '../store/store.ts'
import { andThen } from './and-then.ts'
import { Circuit, type Standing } from './circuit.ts'
import { Debt } from './debt.ts'
import type { ResolvedDegraded } from './degraded-options.ts'
import { gatesOf, type Gates } from './fallback-gate.ts'
import { Reach } from './reach.ts'
import { raised } from './reconcile.ts'
import { Shares } from './shares.ts'
import { StandIn, type Known } from './stand-in.ts'

/** The `source` of what this process decided in its store's place. */
export const LOCAL = 'local'

/** What the fallback asks of its scheduler. */
export interface Surroundings {
  /** What the view of a domain knows. */
  known(domain: string): Known
  /** The store is back, and has been told everything. */
  returned(): void
  nowMs(): number
}

/**
 * A store that may be out of reach, and what is done while it is: every call goes to the store, and where that fails for want of reach,
 * or has just failed for another caller, a stand-in decides in this process. Nobody waits for longer than the store's own budget,
 * and only once. Idempotency has no stand-in: it fails closed.
 */
export class Fallback<M extends Mode> implements Store<M> {
  readonly mode: M
  readonly name: string
  /** Where the store has one. */
  readonly gate?: Gates
  readonly #store: Store<M>
  readonly #options: ResolvedDegraded
  readonly #debt: Debt
  readonly #shares: Shares
  readonly #standIn: StandIn
  readonly #circuit: Circuit
  readonly #reach: Reach<M>
  readonly #nowMs: () => number

  constructor(
    store: Store<M>,
    options: ResolvedDegraded,
    { known, returned, nowMs }: Surroundings,
  ) {
    this.mode = store.mode
    this.name = store.name
    this.#store = store
    this.#options = options
    this.#nowMs = nowMs
    const debt = (this.#debt = new Debt(options.maxOwed))
    const standIn = (this.#standIn = new StandIn(debt, known))
    this.#shares = new Shares(options, debt)
    this.#circuit = new Circuit(
      store,
      {
        get isEmpty(): boolean {
          return debt.size === 0 && standIn.isTold(nowMs())
        },
        repay: async () => {
          await standIn.tell(store, nowMs)
          await debt.repay(store, nowMs)
        },
        settled: () => {
          standIn.clear()
          returned()
        },
      },
      nowMs,
    )
    this.#reach = new Reach(store.mode, this.#circuit)
    const gate = gatesOf(store, this.#circuit, this)
    if (gate !== null) this.gate = gate
  }

  get isDegraded(): boolean {
    return this.#circuit.isOpen
  }

  /** The view of a domain is about to be dropped: what it knows must outlast it while the store cannot be asked. */
  dropped(domain: string, known: Known): void {
    if (this.#circuit.isOpen) this.#standIn.seed(domain, this.#nowMs(), known)
  }

  standing(): Standing {
    const { episodes, isOpen, sinceMs, reason } = this.#circuit
    const { size, repaid, dropped } = this.#debt
    return {
      store: this.name,
      degraded: isOpen,
      sinceMs: isOpen ? sinceMs : null,
      reason: reason === null ? null : reason.message,
      episodes,
      decidedLocally: this.#reach.decidedLocally,
      owed: size,
      repaid,
      dropped,
    }
  }

  consume(request: ConsumeRequest): Result<M, Verdict> {
    return this.consumeThen(request, (verdict) => verdict)
  }

  /** `consume`, and what `next` makes of its verdict, in one promise: each admission passes here. */
  consumeThen<T>(request: ConsumeRequest, next: (verdict: Verdict) => T): Result<M, T> {
    return this.#reach.askThen(
      () => this.#store.consume(request),
      () => this.#shares.consume(request, true),
      next,
    )
  }

  peek(request: ConsumeRequest): Result<M, Verdict> {
    return this.#reach.ask(
      () => this.#store.peek(request),
      () => this.#shares.consume(request, false),
    )
  }

  /** What the one has counted can't be given back by the other: it counts on, which denies too much and never too little. */
  refund(request: RefundRequest): Result<M, boolean> {
    if (request.degraded === true) return this.#reach.value(() => this.#shares.refund(request))
    return this.#reach.ask(
      () => this.#store.refund(request),
      () => false,
    )
  }

  usage(
    key: string,
    policies: readonly ResolvedPolicy[],
    nowMs: number,
  ): Result<M, readonly Usage[]> {
    return this.#reach.ask(
      () => this.#store.usage(key, policies, nowMs),
      () => this.#shares.usage(key, policies, nowMs),
    )
  }

  permits(key: string, nowMs: number): Result<M, number> {
    return this.#reach.ask(
      () => this.#store.permits(key, nowMs),
      () => this.#shares.permits(key, nowMs),
    )
  }

  /** A permit of the store's can't be extended meanwhile, and no promise is made: it throws. */
  renew(key: string, permitId: string, deadlineMs: number, nowMs: number): Result<M, boolean> {
    return this.#reach.ask(
      () => this.#store.renew(key, permitId, deadlineMs, nowMs),
      () => {
        if (!this.#shares.renew(key, permitId, deadlineMs, nowMs)) this.#unavailable()
        return true
      },
    )
  }

  release(key: string, permitId: string, nowMs: number): Result<M, boolean> {
    return this.#reach.ask(
      () => this.#store.release(key, permitId, nowMs),
      () => this.#shares.release(key, permitId, nowMs),
    )
  }

  acquire(request: AcquireRequest): Result<M, Acquired> {
    return this.#reach.ask(
      () => this.#store.acquire(request),
      (wasAsked) => (this.#checkPicks(), this.#standIn.acquire(request, wasAsked)),
    )
  }

  settle(request: SettleRequest): Result<M, Settled> {
    return this.#reach.ask(
      () => this.#settle(request),
      () => (this.#checkPicks(), this.#standIn.settle(request)),
    )
  }

  /** The store does not know a lease that was given in its place, and may know an epoch of the pair that the lease does not. */
  #settle(request: SettleRequest): Result<M, Settled> {
    const { lease, outcome, nowMs } = request
    if (!this.#standIn.gave(lease.id) || !isExclusion(outcome.kind)) {
      return this.#store.settle(request)
    }
    const settled = andThen(this.#store.exclusions(lease.domain, 0, nowMs), ({ changes }) =>
      this.#store.settle({ ...request, lease: raised(lease, changes, nowMs) }),
    )
    return settled as Result<M, Settled>
  }

  exclude(exit: string, domain: string, untilMs: number, nowMs: number): Result<M, void> {
    return this.#reach.ask(
      () => this.#store.exclude(exit, domain, untilMs, nowMs),
      () => {
        this.#checkPicks()
        this.#standIn.byHand({ kind: 'exclude', exit, domain, untilMs }, nowMs)
      },
    )
  }

  restore(exit: string, domain: string, nowMs: number): Result<M, void> {
    return this.#reach.ask(
      () => this.#store.restore(exit, domain, nowMs),
      () => {
        this.#checkPicks()
        this.#standIn.byHand({ kind: 'restore', exit, domain }, nowMs)
      },
    )
  }

  exclusions(domain: string, sinceVersion: number, nowMs: number): Result<M, Changes> {
    return this.#reach.ask(
      () => this.#store.exclusions(domain, sinceVersion, nowMs),
      () => this.#standIn.changes(domain, sinceVersion, nowMs),
    )
  }

  merge(domain: string, changes: readonly Change[], nowMs: number): Result<M, void> {
    return this.#reach.ask(
      () => this.#store.merge(domain, changes, nowMs),
      () => this.#standIn.merge(domain, changes, nowMs),
    )
  }

  putAgents(agents: readonly StoredAgent[]): Result<M, number> {
    return this.#reach.ask(
      () => this.#store.putAgents(agents),
      () => (this.#standIn.byHand({ kind: 'put', agents }, 0), 0),
    )
  }

  removeAgents(ids: readonly string[]): Result<M, number> {
    return this.#reach.ask(
      () => this.#store.removeAgents(ids),
      () => (this.#standIn.byHand({ kind: 'remove', ids }, 0), 0),
    )
  }

  agents(sinceVersion: number): Result<M, AgentChanges> {
    return this.#reach.ask(
      () => this.#store.agents(sinceVersion),
      () => this.#standIn.agents(),
    )
  }

  begin(request: BeginRequest): Result<M, Begun> {
    return this.#reach.ask(
      () => this.#store.begin(request),
      () => this.#unavailable(),
    )
  }

  complete(request: CompleteRequest): Result<M, boolean> {
    return this.#reach.ask(
      () => this.#store.complete(request),
      () => this.#unavailable(),
    )
  }

  close(): Result<M, void> {
    this.#circuit.close()
    return this.#store.close()
  }

  #checkPicks(): void {
    if (this.#options.picks === 'refuse') this.#unavailable()
  }

  #unavailable(): never {
    const cause = this.#circuit.reason
    const why = cause === null ? '' : `: ${cause.message}`
    throw new OstlerError('STORE_UNAVAILABLE', `the store is out of reach${why}`, { cause })
  }
}
