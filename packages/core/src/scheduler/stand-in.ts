import { OstlerError } from '../errors.ts'
import type { ResolvedPolicy } from '../limit/policy.ts'
import { memoryStore } from '../store/memory.ts'
import type {
  AcquireRequest,
  Acquired,
  AgentChange,
  AgentChanges,
  Change,
  Changes,
  ConsumeRequest,
  Settled,
  SettleRequest,
  Store,
  Verdict,
} from '../store/store.ts'
import { Debt, type Owed } from './debt.ts'

/** How far a domain's view, and the store, have heard of what was decided here. */
interface Heard {
  view: number
  store: number
}

/** A store takes so many records at once. */
const PORTION = 1_000
/** Leases that nobody reports are looked through when they are so many more. */
const SWEEP_STEP = 10_000

/**
 * Decides in the store's place while it is out of reach: a memory store of this process, which knows the exclusions that the views
 * had, and counts limits by this process's share. What came of it is told to the store on its return: records by `merge`, the rest
 * as it was asked.
 */
export class StandIn {
  readonly debt: Debt
  readonly #instances: number
  readonly #known: (domain: string) => Iterable<readonly [string, Change['record']]>
  #local: Store<'sync'> = memoryStore()
  readonly #shares: WeakMap<ResolvedPolicy, ResolvedPolicy> = new WeakMap()
  readonly #domains: Map<string, Heard> = new Map()
  /** Leases that were given here, and their deadlines. */
  readonly #leases: Map<string, number> = new Map()
  #sweepAt = SWEEP_STEP
  #fleetHeard = 0
  /** Agents that came and went, until the roster has heard of it. */
  #fleetNews: AgentChange[] = []

  /** `known`: what the view of a domain excludes, empty where there is none. */
  constructor(
    instances: number,
    maxOwed: number,
    known: (domain: string) => Iterable<readonly [string, Change['record']]>,
  ) {
    this.#instances = instances
    this.#known = known
    this.debt = new Debt(maxOwed)
  }

  get local(): Store<'sync'> {
    return this.#local
  }

  consume(request: ConsumeRequest, write: boolean): Verdict {
    const { permit } = request
    const shared: ConsumeRequest = {
      ...request,
      policies: this.shares(request.policies),
      ...(permit !== undefined && { permit: { ...permit, cap: this.#share(permit.cap) } }),
    }
    const verdict = write ? this.#local.consume(shared) : this.#local.peek(shared)
    return { ...verdict, degraded: true }
  }

  /** The policies with this process's share of each limit. */
  shares(policies: readonly ResolvedPolicy[]): readonly ResolvedPolicy[] {
    if (this.#instances === 1) return policies
    return policies.map((policy) => {
      let share = this.#shares.get(policy)
      if (share === undefined) {
        const limit = this.#share(policy.limit)
        share =
          policy.kind === 'exact'
            ? { ...policy, limit }
            : { ...policy, limit, burst: this.#share(policy.burst) }
        this.#shares.set(policy, share)
      }
      return share
    })
  }

  acquire(request: AcquireRequest): Acquired {
    const { domain, leaseId, deadlineMs, nowMs, viewVersion } = request
    this.#seed(domain, nowMs)
    const answer = this.#local.acquire({ ...request, viewVersion: 0 })
    if (answer.kind === 'acquired') this.#gave(leaseId, deadlineMs, nowMs)
    return { ...answer, changes: this.changes(domain, viewVersion, nowMs), degraded: true }
  }

  /** Records that the store has lost, and could not be told: all of the domain is owed to it. */
  merge(domain: string, changes: readonly Change[], nowMs: number): void {
    const heard = this.#seed(domain, nowMs)
    this.#local.merge(domain, changes, nowMs)
    heard.store = 0
  }

  settle(request: SettleRequest): Settled {
    const { lease, nowMs, viewVersion } = request
    this.#seed(lease.domain, nowMs)
    if (!this.#leases.delete(lease.id)) this.debt.add({ kind: 'settle', request })
    const settled = this.#local.settle({ ...request, viewVersion: 0 })
    return { ...settled, changes: this.changes(lease.domain, viewVersion, nowMs), degraded: true }
  }

  /** What a view has not heard of yet; its version stays the store's. */
  changes(domain: string, viewVersion: number, nowMs: number): Changes {
    const heard = this.#seed(domain, nowMs)
    const since = viewVersion === 0 ? 0 : heard.view
    const { version, changes, incident } = this.#local.exclusions(domain, since, nowMs)
    heard.view = version
    return { version: viewVersion, reset: false, changes, incident }
  }

  /** What the roster has not heard of yet; its version stays the store's. */
  agents(sinceVersion: number): AgentChanges {
    const { version, changes } = this.#local.agents(this.#fleetHeard)
    this.#fleetHeard = version
    const news = this.#fleetNews
    this.#fleetNews = []
    return { version: sinceVersion, reset: false, changes: [...news, ...changes] }
  }

  /** A change by hand: holds here at once, and is owed to the store. @throws OstlerError STORE_UNAVAILABLE when too much is owed */
  byHand(owed: Owed, nowMs: number): void {
    if (!this.debt.hasRoom) {
      const message = 'the store is out of reach, and as much is owed to it as may be (maxOwed)'
      throw new OstlerError('STORE_UNAVAILABLE', message)
    }
    switch (owed.kind) {
      case 'exclude':
      case 'restore':
        if (owed.domain !== '*') this.#seed(owed.domain, nowMs)
        if (owed.kind === 'restore') this.#local.restore(owed.exit, owed.domain, nowMs)
        else this.#local.exclude(owed.exit, owed.domain, owed.untilMs, nowMs)
        break
      case 'put':
        for (const agent of owed.agents) this.#fleetNews.push({ kind: 'put', agent })
        break
      case 'remove':
        for (const id of owed.ids) this.#fleetNews.push({ kind: 'removed', id })
        break
      case 'settle':
      case 'release':
        break
      default:
        owed satisfies never
    }
    this.debt.add(owed)
  }

  /** The records that the store has not heard of, a portion at a time; `told` once it has. */
  *records(
    nowMs: number,
  ): Generator<{ domain: string; changes: readonly Change[]; told: () => void }> {
    for (const [domain, heard] of this.#domains) {
      const { version, changes } = this.#local.exclusions(domain, heard.store, nowMs)
      if (version === heard.store) continue
      for (let from = 0; from < changes.length || from === 0; from += PORTION) {
        const isLast = from + PORTION >= changes.length
        const told = (): void => {
          if (isLast) heard.store = version
        }
        yield { domain, changes: changes.slice(from, from + PORTION), told }
      }
    }
  }

  /** Whether the store has heard of every record. */
  isTold(nowMs: number): boolean {
    return this.records(nowMs).next().done === true
  }

  /** Begins anew: the next outage knows what the views know then. */
  clear(): void {
    this.#local = memoryStore()
    this.#domains.clear()
    this.#leases.clear()
    this.#sweepAt = SWEEP_STEP
    this.#fleetHeard = 0
    this.#fleetNews = []
  }

  #share(limit: number): number {
    return limit === 0 ? 0 : Math.max(1, Math.floor(limit / this.#instances))
  }

  /** Tells the memory store what the domain's view knew when the store went. */
  #seed(domain: string, nowMs: number): Heard {
    let heard = this.#domains.get(domain)
    if (heard !== undefined) return heard
    const changes = [...this.#known(domain)].map(([exit, record]) => ({ exit, record }))
    this.#local.merge(domain, changes, nowMs)
    const { version } = this.#local.exclusions(domain, 0, nowMs)
    heard = { view: version, store: version }
    this.#domains.set(domain, heard)
    return heard
  }

  #gave(leaseId: string, deadlineMs: number, nowMs: number): void {
    this.#leases.set(leaseId, deadlineMs)
    if (this.#leases.size < this.#sweepAt) return
    for (const [id, endMs] of this.#leases) if (endMs <= nowMs) this.#leases.delete(id)
    this.#sweepAt = this.#leases.size + SWEEP_STEP
  }
}
