import { OstlerError } from '../errors.ts'
import { MAX_LIMIT, type ResolvedPolicy } from '../limit/policy.ts'
import type { StoredAgent } from '../pick/agent.ts'
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
import type { BeginRequest, Begun, CompleteRequest } from '../store/idempotency.ts'
import { Circuit, type Standing } from './circuit.ts'
import type { ResolvedDegraded } from './degraded-options.ts'
import { StandIn } from './stand-in.ts'

/** The `source` of what this process decided in its store's place. */
export const LOCAL = 'local'

/** What the fallback asks of its scheduler. */
export interface Surroundings {
  /** What the view of a domain excludes. */
  known(domain: string): Iterable<readonly [string, Change['record']]>
  /** The store is back, and has been told everything. */
  returned(): void
  nowMs(): number
}

/** A denied caller may come back when the store is likely to have been asked again. */
const ASK_AGAIN_MS = 1_000

/**
 * A store that may be out of reach, and what is done while it is: every call goes to the store, and where that fails for want of reach,
 * or has just failed for another caller, a stand-in decides in this process. Nobody waits for longer than the store's own budget,
 * and only once. Idempotency has no stand-in: it fails closed.
 */
export class Fallback<M extends Mode> implements Store<M> {
  readonly mode: M
  readonly name: string
  readonly #store: Store<M>
  readonly #options: ResolvedDegraded
  readonly #standIn: StandIn
  readonly #circuit: Circuit
  #decidedLocally = 0

  constructor(
    store: Store<M>,
    options: ResolvedDegraded,
    { known, returned, nowMs }: Surroundings,
  ) {
    this.mode = store.mode
    this.name = store.name
    this.#store = store
    this.#options = options
    const standIn = new StandIn(options.instances, options.maxOwed, known)
    this.#standIn = standIn
    const repay = async (): Promise<void> => {
      for (const { domain, changes, told } of standIn.records(nowMs())) {
        await store.merge(domain, changes, nowMs())
        told()
      }
      await standIn.debt.repay(store, nowMs)
    }
    const debts = {
      get isEmpty(): boolean {
        return standIn.debt.size === 0 && standIn.isTold(nowMs())
      },
      repay,
      settled: () => {
        standIn.clear()
        returned()
      },
    }
    this.#circuit = new Circuit(store, debts, nowMs)
  }

  get isDegraded(): boolean {
    return this.#circuit.isOpen
  }

  standing(): Standing {
    const { episodes, isOpen, sinceMs, reason } = this.#circuit
    const { size, repaid, dropped } = this.#standIn.debt
    return {
      store: this.name,
      degraded: isOpen,
      sinceMs: isOpen ? sinceMs : null,
      reason: reason === null ? null : reason.message,
      episodes,
      decidedLocally: this.#decidedLocally,
      owed: size,
      repaid,
      dropped,
    }
  }

  consume(request: ConsumeRequest): Result<M, Verdict> {
    return this.#ask(
      () => this.#store.consume(request),
      () => this.#limited(request, true),
    )
  }

  peek(request: ConsumeRequest): Result<M, Verdict> {
    return this.#ask(
      () => this.#store.peek(request),
      () => this.#limited(request, false),
    )
  }

  /** What the store has counted can't be given back meanwhile: it counts on, which denies too much and never too little. */
  refund(request: RefundRequest): Result<M, boolean> {
    const { local } = this.#standIn
    return this.#ask(
      () => this.#store.refund(request),
      () => local.refund({ ...request, policies: this.#standIn.shares(request.policies) }),
    )
  }

  usage(
    key: string,
    policies: readonly ResolvedPolicy[],
    nowMs: number,
  ): Result<M, readonly Usage[]> {
    return this.#ask(
      () => this.#store.usage(key, policies, nowMs),
      () => this.#standIn.local.usage(key, this.#standIn.shares(policies), nowMs),
    )
  }

  permits(key: string, nowMs: number): Result<M, number> {
    return this.#ask(
      () => this.#store.permits(key, nowMs),
      () => this.#standIn.local.permits(key, nowMs),
    )
  }

  /** A permit of the store's can't be extended meanwhile, and no promise is made: it throws. */
  renew(key: string, permitId: string, deadlineMs: number, nowMs: number): Result<M, boolean> {
    return this.#ask(
      () => this.#store.renew(key, permitId, deadlineMs, nowMs),
      () => this.#standIn.local.renew(key, permitId, deadlineMs, nowMs) || this.#unavailable(),
    )
  }

  release(key: string, permitId: string, nowMs: number): Result<M, boolean> {
    return this.#ask(
      () => this.#store.release(key, permitId, nowMs),
      () => {
        const { local, debt } = this.#standIn
        if (!local.release(key, permitId, nowMs)) debt.add({ kind: 'release', key, permitId })
        return true
      },
    )
  }

  acquire(request: AcquireRequest): Result<M, Acquired> {
    return this.#ask(
      () => this.#store.acquire(request),
      () => (this.#checkPicks(), this.#standIn.acquire(request)),
    )
  }

  settle(request: SettleRequest): Result<M, Settled> {
    return this.#ask(
      () => this.#store.settle(request),
      () => (this.#checkPicks(), this.#standIn.settle(request)),
    )
  }

  exclude(exit: string, domain: string, untilMs: number, nowMs: number): Result<M, void> {
    return this.#ask(
      () => this.#store.exclude(exit, domain, untilMs, nowMs),
      () => {
        this.#checkPicks()
        this.#standIn.byHand({ kind: 'exclude', exit, domain, untilMs }, nowMs)
      },
    )
  }

  restore(exit: string, domain: string, nowMs: number): Result<M, void> {
    return this.#ask(
      () => this.#store.restore(exit, domain, nowMs),
      () => {
        this.#checkPicks()
        this.#standIn.byHand({ kind: 'restore', exit, domain }, nowMs)
      },
    )
  }

  exclusions(domain: string, sinceVersion: number, nowMs: number): Result<M, Changes> {
    return this.#ask(
      () => this.#store.exclusions(domain, sinceVersion, nowMs),
      () => this.#standIn.changes(domain, sinceVersion, nowMs),
    )
  }

  merge(domain: string, changes: readonly Change[], nowMs: number): Result<M, void> {
    return this.#ask(
      () => this.#store.merge(domain, changes, nowMs),
      () => this.#standIn.merge(domain, changes, nowMs),
    )
  }

  putAgents(agents: readonly StoredAgent[]): Result<M, number> {
    return this.#ask(
      () => this.#store.putAgents(agents),
      () => (this.#standIn.byHand({ kind: 'put', agents }, 0), 0),
    )
  }

  removeAgents(ids: readonly string[]): Result<M, number> {
    return this.#ask(
      () => this.#store.removeAgents(ids),
      () => (this.#standIn.byHand({ kind: 'remove', ids }, 0), 0),
    )
  }

  agents(sinceVersion: number): Result<M, AgentChanges> {
    return this.#ask(
      () => this.#store.agents(sinceVersion),
      () => this.#standIn.agents(sinceVersion),
    )
  }

  begin(request: BeginRequest): Result<M, Begun> {
    return this.#ask(
      () => this.#store.begin(request),
      () => this.#unavailable(),
    )
  }

  complete(request: CompleteRequest): Result<M, boolean> {
    return this.#ask(
      () => this.#store.complete(request),
      () => this.#unavailable(),
    )
  }

  close(): Result<M, void> {
    this.#circuit.close()
    return this.#store.close()
  }

  /** The one way to the store: while it is out of reach nobody is sent there to wait. */
  #ask<T>(ask: () => Result<M, T>, instead: () => T): Result<M, T> {
    if (this.#circuit.isOpen) return this.#decided(instead)
    const answered = (error: unknown): T => {
      this.#circuit.failed(error)
      this.#decidedLocally++
      return instead()
    }
    try {
      const answer = ask()
      return (answer instanceof Promise ? answer.catch(answered) : answer) as Result<M, T>
    } catch (error) {
      return answered(error) as Result<M, T>
    }
  }

  #decided<T>(instead: () => T): Result<M, T> {
    this.#decidedLocally++
    if (this.mode === 'sync') return instead() as Result<M, T>
    return new Promise<T>((resolve) => {
      resolve(instead())
    }) as Result<M, T>
  }

  #limited(request: ConsumeRequest, write: boolean): Verdict {
    const { limits } = this.#options
    if (limits === 'local') return this.#standIn.consume(request, write)
    const { nowMs } = request
    const allowed = limits === 'allow'
    const limit = allowed ? MAX_LIMIT : 0
    const retryAfterMs = allowed ? 0 : ASK_AGAIN_MS
    const counted = { policy: 'none', limit, remaining: limit, resetAtMs: nowMs + retryAfterMs }
    return { allowed, ...counted, retryAfterMs, atMs: nowMs, degraded: true }
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
