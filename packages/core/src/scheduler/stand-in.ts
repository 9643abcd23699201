import { OstlerError } from '../errors.ts'
import type { Incident } from '../health/incident.ts'
import type { PairRecord } from '../health/record.ts'
import { memoryStore } from '../store/memory.ts'
import type {
  AcquireRequest,
  Acquired,
  AgentChange,
  AgentChanges,
  Change,
  Changes,
  Mode,
  Settled,
  SettleRequest,
  Store,
} from '../store/store.ts'
import type { Debt, Owed } from './debt.ts'
import { isHeldBack, toldOf } from './reconcile.ts'

/** What the view of a domain knows. */
export interface Known {
  readonly records: Iterable<readonly [string, PairRecord]>
  /** The one that is open. */
  readonly incident: Incident | null
}

/** What was decided here of a domain, and how far its view, and the store, have heard of it. */
interface Heard {
  view: number
  store: number
  /** The incident that was open when the store went has seen no ok yet. */
  incident: Incident | null
  /** When exits were excluded here. */
  readonly excludedAtMs: Map<string, number>
  /** When exits were restored by hand here. */
  readonly restoredAtMs: Map<string, number>
}

/** A store takes so many records at once. */
const PORTION = 1_000
/** Leases that nobody reports are looked through when they are so many more. */
const SWEEP_STEP = 10_000
/** Beyond so many, domains of which nothing is known are forgotten. */
const MOST_DOMAINS = 100_000
/** The first trouble opens an incident: for a domain whose incident was open already. */
const AT_ONCE = { minExclusions: 0, exclusionShare: 0, minFailures: 1, failureShare: 0 }

/**
 * Decides on picks and reports in the store's place while it is out of reach: a memory store of this process, which knows the exclusions that the
 * views had. On its return the store is told which pairs are excluded, and the rest as it was asked.
 */
export class StandIn {
  readonly #debt: Debt
  readonly #known: (domain: string) => Known
  #local: Store<'sync'> = memoryStore()
  readonly #domains: Map<string, Heard> = new Map()
  /** Leases that were given here, their deadlines, and whether the store may have given them as well: its answer was lost. */
  readonly #leases: Map<string, { readonly deadlineMs: number; readonly isThere: boolean }> =
    new Map()
  #sweepAt = SWEEP_STEP
  #fleetHeard = 0
  /** Agents that came and went, and exits excluded by hand, until the roster has heard of it. */
  #fleetNews: AgentChange[] = []

  constructor(debt: Debt, known: (domain: string) => Known) {
    this.#debt = debt
    this.#known = known
  }

  /** Whether a lease was given here. */
  gave(leaseId: string): boolean {
    return this.#leases.has(leaseId)
  }

  /** `isThere`: the store was asked first, and may have given the lease. */
  acquire(request: AcquireRequest, isThere: boolean): Acquired {
    const { domain, leaseId, deadlineMs, nowMs, viewVersion } = request
    this.seed(domain, nowMs)
    const answer = this.#local.acquire({ ...request, viewVersion: 0 })
    if (answer.kind === 'acquired') this.#gave(leaseId, { deadlineMs, isThere }, nowMs)
    return { ...answer, changes: this.changes(domain, viewVersion, nowMs), degraded: true }
  }

  settle(request: SettleRequest): Settled {
    const { nowMs, viewVersion, outcome } = request
    const { id, domain, exit, pickedAtMs } = request.lease
    const heard = this.seed(domain, nowMs)
    const given = this.#leases.get(id)
    this.#leases.delete(id)
    if (given === undefined || given.isThere) this.#debt.add({ kind: 'settle', request })
    // A lease from before an exclusion that was made here knows nothing of its epoch.
    const fenced = given === undefined && pickedAtMs <= (heard.excludedAtMs.get(exit) ?? -1)
    const lease = fenced ? { ...request.lease, epoch: 0 } : request.lease
    if (outcome.kind === 'ok') heard.incident = null
    const incident = heard.incident === null ? request.incident : AT_ONCE
    const settled = this.#local.settle({ ...request, lease, incident, viewVersion: 0 })
    const { changed, record } = settled
    if (changed && record !== null && isHeldBack(record, nowMs)) {
      heard.excludedAtMs.set(exit, nowMs)
    }
    return { ...settled, changes: this.changes(domain, viewVersion, nowMs), degraded: true }
  }

  /** A change by hand: holds here at once. What is for all domains, or of the fleet, is owed to the store. @throws OstlerError STORE_UNAVAILABLE */
  byHand(owed: Owed, nowMs: number): void {
    if ('domain' in owed && owed.domain !== '*') return this.#pairByHand(owed, nowMs)
    if (!this.#debt.hasRoom) {
      const message = 'the store is out of reach, and as much is owed to it as may be (maxOwed)'
      throw new OstlerError('STORE_UNAVAILABLE', message)
    }
    this.#debt.add(owed)
    switch (owed.kind) {
      case 'exclude':
        this.#fleetNews.push({ kind: 'exit', exit: owed.exit, untilMs: owed.untilMs })
        break
      case 'restore':
        this.#fleetNews.push({ kind: 'exit', exit: owed.exit, untilMs: 0 })
        break
      case 'put':
        for (const agent of owed.agents) this.#fleetNews.push({ kind: 'put', agent })
        break
      case 'remove':
        for (const id of owed.ids) this.#fleetNews.push({ kind: 'removed', id })
        break
      case 'settle':
      case 'hold':
      case 'release':
        break
      default:
        owed satisfies never
    }
  }

  /** Records that the store has lost, and could not be told: all of the domain is owed to it. */
  merge(domain: string, changes: readonly Change[], nowMs: number): void {
    const heard = this.seed(domain, nowMs)
    this.#local.merge(domain, changes, nowMs)
    heard.store = 0
  }

  /** What a view has not heard of yet, under version 0: a view's version is the store's, and stays. */
  changes(domain: string, viewVersion: number, nowMs: number): Changes {
    const heard = this.seed(domain, nowMs)
    const since = viewVersion === 0 ? 0 : heard.view
    const { version, changes, incident } = this.#local.exclusions(domain, since, nowMs)
    heard.view = version
    return { version: 0, reset: false, changes, incident: incident ?? heard.incident }
  }

  /** What the roster has not heard of yet, under version 0. */
  agents(): AgentChanges {
    const { version, changes } = this.#local.agents(this.#fleetHeard)
    this.#fleetHeard = version
    const news = this.#fleetNews
    this.#fleetNews = []
    return { version: 0, reset: false, changes: [...news, ...changes] }
  }

  /** Whether the store has heard of every record. */
  isTold(nowMs: number): boolean {
    for (const [domain, heard] of this.#domains) {
      if (this.#local.exclusions(domain, heard.store, nowMs).version !== heard.store) return false
    }
    return true
  }

  /** Tells the store which pairs are excluded. Rejects where it is out of reach again; what it has no room for is given up. */
  async tell(store: Store<Mode>, nowMs: () => number): Promise<void> {
    for (const [domain, heard] of this.#domains) {
      const local = this.#local.exclusions(domain, heard.store, nowMs())
      if (local.version === heard.store) continue
      try {
        await this.#tellDomain(store, domain, heard, local.changes, nowMs)
      } catch (error) {
        if (!(error instanceof OstlerError) || error.code === 'STORE_UNAVAILABLE') throw error
        this.#debt.dropped++
      }
      heard.store = local.version
    }
  }

  /** Begins anew: the next outage knows what the views know then. Leases that were given here may still be reported. */
  clear(): void {
    this.#local = memoryStore()
    this.#domains.clear()
    this.#fleetHeard = 0
    this.#fleetNews = []
  }

  /** Takes over what the domain's view knew when the store went. */
  seed(domain: string, nowMs: number, known: Known | null = null): Heard {
    let heard = this.#domains.get(domain)
    if (heard !== undefined) return heard
    const { records, incident } = known ?? this.#known(domain)
    const changes = [...records].map(([exit, record]) => ({ exit, record }))
    this.#local.merge(domain, changes, nowMs)
    const { version } = this.#local.exclusions(domain, 0, nowMs)
    heard = {
      view: version,
      store: version,
      incident,
      excludedAtMs: new Map(),
      restoredAtMs: new Map(),
    }
    this.#domains.set(domain, heard)
    if (this.#domains.size > MOST_DOMAINS) this.#forgetQuiet()
    return heard
  }

  /** Of domains about which nothing is known there may be any number. */
  #forgetQuiet(): void {
    for (const [domain, { view, store }] of this.#domains) {
      if (view === 0 && store === 0) this.#domains.delete(domain)
    }
  }

  async #tellDomain(
    store: Store<Mode>,
    domain: string,
    heard: Heard,
    changes: readonly Change[],
    nowMs: () => number,
  ): Promise<void> {
    const answer = await store.exclusions(domain, 0, nowMs())
    const theirs = new Map(answer.changes.map(({ exit, record }) => [exit, record]))
    const told: Change[] = []
    for (const { exit, record } of changes) {
      if (record === null) continue
      const known = theirs.get(exit) ?? null
      if (isHeldBack(record, nowMs())) {
        const news = toldOf(known, record)
        if (news !== null) told.push({ exit, record: news })
      } else if (known !== null && known.strikeAtMs <= (heard.restoredAtMs.get(exit) ?? -1)) {
        // Nobody has reported a block of the pair since.
        await store.restore(exit, domain, nowMs())
      }
    }
    for (let from = 0; from < told.length; from += PORTION) {
      await store.merge(domain, told.slice(from, from + PORTION), nowMs())
    }
  }

  #pairByHand(owed: Extract<Owed, { readonly domain: string }>, nowMs: number): void {
    const heard = this.seed(owed.domain, nowMs)
    if (owed.kind === 'restore') {
      heard.restoredAtMs.set(owed.exit, nowMs)
      this.#local.restore(owed.exit, owed.domain, nowMs)
      return
    }
    heard.excludedAtMs.set(owed.exit, nowMs)
    this.#local.exclude(owed.exit, owed.domain, owed.untilMs, nowMs)
  }

  #gave(
    leaseId: string,
    lease: { readonly deadlineMs: number; readonly isThere: boolean },
    nowMs: number,
  ): void {
    this.#leases.set(leaseId, lease)
    if (this.#leases.size < this.#sweepAt) return
    for (const [id, { deadlineMs }] of this.#leases)
      if (deadlineMs <= nowMs) this.#leases.delete(id)
    this.#sweepAt = this.#leases.size + SWEEP_STEP
  }
}
