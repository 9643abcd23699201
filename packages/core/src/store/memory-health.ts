import type { AgentBreaker } from '../health/breaker.ts'
import type { PairRecord } from '../health/record.ts'
import type { PairEvent } from '../health/transition.ts'
import type { StoredAgent } from '../pick/agent.ts'
import { OstlerError } from '../errors.ts'
import { trip } from '../health/breaker.ts'
import { incidentAt, observe } from '../health/incident.ts'
import { DEFAULT_HEALTH_POLICY } from '../health/ladder.ts'
import { isExclusion, join, LATE_REPORT_MS, sameRecord, stateAt } from '../health/record.ts'
import { transition } from '../health/transition.ts'
import type { Domain } from './domains.ts'
import { Leases } from './leases.ts'
import { MemoryFleet } from './memory-fleet.ts'
import { NOTHING, ON_PROBATION, Pairs, REFUSED } from './pairs.ts'
import type {
  AcquireRequest,
  Acquired,
  AgentChanges,
  Change,
  Changes,
  SettleRequest,
  Settled,
} from './store.ts'

export interface MemoryHealthOptions {
  /** Records of pairs: 1 to 100,000,000. Default 4,000,000 (46 bytes each). */
  readonly maxRecords?: number
  /** Outstanding leases: 1 to 100,000,000. Default 1,000,000. */
  readonly maxLeases?: number
  /** Agents: 1 to 10,000,000. Default 1,000,000. */
  readonly maxAgents?: number
}

/** Leases let go, and records looked at, in passing: enough to keep up, too few to be felt. */
const DRAINED_A_CALL = 64
const SWEPT_A_CALL = 2
/** Leases let go before a count that should be right, and before a refusal for want of room. */
const DRAINED_TO_COUNT = 4_096

/** The commonest answer, of an ok that changed nothing: made once. */
const DONE: Settled = Object.freeze({
  kind: 'applied',
  changed: false,
  record: null,
  breaker: null,
  changes: NOTHING,
})
const CLEARED: AgentBreaker = Object.freeze({ failures: 0, downUntilMs: 0 })

/**
 * The health half of the memory store: pairs, leases, incidents and agents, with the semantics that `Store` states.
 * Records are never evicted while they say anything: a report that needs room when there is none throws STORE_FULL and
 * changes nothing. What is past its time is dropped in passing, a bounded number a call.
 */
export class MemoryHealth {
  readonly #pairs: Pairs
  readonly #leases = new Leases()
  readonly #fleet: MemoryFleet
  readonly #maxLeases: number
  #nowMs = 0

  /** The options are trusted: `memoryStore` has checked them. */
  constructor(options: MemoryHealthOptions = {}) {
    const { maxRecords = 4_000_000, maxLeases = 1_000_000, maxAgents = 1_000_000 } = options
    this.#pairs = new Pairs(maxRecords)
    this.#maxLeases = maxLeases
    this.#fleet = new MemoryFleet(maxAgents)
  }

  acquire(request: AcquireRequest): Acquired {
    const nowMs = this.#advance(request.nowMs)
    const { candidates, viewVersion } = request
    const domain = this.#pairs.domain(request.domain)
    const held = this.#leases.find(request.leaseId, nowMs)
    if (held >= 0) return this.#answerAgain(held, domain, viewVersion, nowMs)
    let busyUntilMs: number[] | null = null
    for (let index = 0; index < candidates.length; index++) {
      const { agentId, exit, maxConcurrency } = candidates[index]
      const epoch = this.#epochToGo(exit, domain, nowMs)
      let busyMs = 0
      if (epoch !== REFUSED) {
        busyMs = this.#leases.busyUntilMs(agentId, maxConcurrency, nowMs)
        if (busyMs === 0) return this.#give(request, index, epoch, domain, nowMs)
      }
      busyUntilMs ??= new Array<number>(candidates.length).fill(0)
      busyUntilMs[index] = busyMs
    }
    const changes = this.#pairs.changes(domain, viewVersion, nowMs)
    return { kind: 'refused', busyUntilMs: busyUntilMs ?? [], changes }
  }

  /**
   * The epoch fences the pair alone: of a lease that is outstanding, the domain's incident and the agent's breaker hear the
   * outcome even when the pair has moved on (`stale`). An outcome that opens an incident is already capped by it.
   */
  settle(request: SettleRequest): Settled {
    const nowMs = this.#advance(request.nowMs)
    const { lease, outcome, viewVersion } = request
    const { exit } = lease
    const slot = this.#leases.find(lease.id, nowMs)
    const known = this.#pairs.domain(lease.domain)
    const found = this.#pairs.find(exit, known)
    const before = this.#pairs.read(found, nowMs)
    const stale = before !== null && lease.epoch < before.epoch
    const excludes = isExclusion(outcome.kind)
    if (slot < 0 && (stale || !excludes || nowMs - lease.pickedAtMs >= LATE_REPORT_MS)) {
      return this.#settled('stale', false, before, null, known, viewVersion, nowMs)
    }
    if (outcome.kind === 'ok' && before === null && (known === undefined || known.watch === null)) {
      this.#leases.free(slot)
      const breaker = this.#trip(request, nowMs)
      return this.#settled('applied', false, null, breaker, known, viewVersion, nowMs)
    }
    const watch = this.#observe(request, known, slot >= 0, excludes && !stale, before, nowMs)
    const capped = incidentAt(watch, nowMs) !== null
    const { epoch, id: leaseId, domain } = lease
    const event: PairEvent = { kind: 'outcome', outcome, epoch, leaseId, capped, exit, domain }
    const after = transition(before, event, nowMs, request.health)
    // All that may throw is behind: from here on the decision is carried out.
    const changed = after !== before
    if (changed) this.#pairs.makeRoom(found, nowMs)
    if (slot >= 0) this.#leases.free(slot)
    const pairDomain = known ?? this.#pairs.addDomain(domain, nowMs)
    const isFollowed = viewVersion === pairDomain.version
    this.#pairs.setWatch(pairDomain, watch, nowMs)
    if (changed) this.#pairs.write(found, exit, pairDomain, after as PairRecord)
    const breaker = this.#trip(request, nowMs)
    const kind = stale ? 'stale' : 'applied'
    if (!changed || !isFollowed)
      return this.#settled(kind, changed, after, breaker, pairDomain, viewVersion, nowMs)
    // Who has seen all before needs this one change alone: it is not read again.
    const changes = this.#pairs.newest(pairDomain, exit, after as PairRecord, nowMs)
    return { kind, changed, record: after, breaker, changes }
  }

  exclude(exit: string, domain: string, untilMs: number, nowMs: number): void {
    const atMs = this.#advance(nowMs)
    if (domain === '*') this.#fleet.excludeExit(exit, untilMs, atMs)
    else this.#byHand(exit, domain, { kind: 'exclude', untilMs }, atMs)
  }

  restore(exit: string, domain: string, nowMs: number): void {
    const atMs = this.#advance(nowMs)
    if (domain === '*') this.#fleet.restoreExit(exit)
    else this.#byHand(exit, domain, { kind: 'restore' }, atMs)
  }

  exclusions(domain: string, sinceVersion: number, nowMs: number): Changes {
    const atMs = this.#advance(nowMs)
    return this.#pairs.changes(this.#pairs.domain(domain), sinceVersion, atMs)
  }

  record(exit: string, domain: string, nowMs: number): PairRecord | null {
    const known = this.#pairs.domain(domain)
    return known === undefined
      ? null
      : this.#pairs.record(exit, known, Math.max(nowMs, this.#nowMs))
  }

  merge(name: string, changes: readonly Change[], nowMs: number): void {
    const atMs = this.#advance(nowMs)
    for (const { exit, record } of changes) {
      if (record === null || atMs >= record.forgetAtMs) continue
      const known = this.#pairs.domain(name)
      const found = this.#pairs.find(exit, known)
      const before = this.#pairs.read(found, atMs)
      const after = join(before, record) as PairRecord
      if (before !== null && sameRecord(before, after)) continue
      this.#pairs.makeRoom(found, atMs)
      this.#pairs.write(found, exit, known ?? this.#pairs.addDomain(name, atMs), after)
    }
  }

  putAgents(agents: readonly StoredAgent[]): number {
    return this.#fleet.put(agents)
  }

  removeAgents(ids: readonly string[]): number {
    return this.#fleet.remove(ids)
  }

  agents(sinceVersion: number): AgentChanges {
    return this.#fleet.changes(sinceVersion)
  }

  /** What is kept now, for tests and reports. */
  sizes(): {
    readonly records: number
    readonly domains: number
    readonly leases: number
    readonly agents: number
  } {
    const { records, domains } = this.#pairs
    return { records, domains, leases: this.#leases.size, agents: this.#fleet.size }
  }

  /** The store's time never goes back; what has run out is let go, a little a call. */
  #advance(nowMs: number): number {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs
    this.#leases.drain(DRAINED_A_CALL, this.#nowMs)
    this.#pairs.sweep(SWEPT_A_CALL, this.#nowMs)
    return this.#nowMs
  }

  #epochToGo(exit: string, domain: Domain | undefined, nowMs: number): number {
    if (this.#fleet.isExcluded(exit, nowMs)) return REFUSED
    return domain === undefined ? 0 : this.#pairs.epochToGo(exit, domain, nowMs)
  }

  #give(
    request: AcquireRequest,
    index: number,
    epochToGo: number,
    known: Domain | undefined,
    nowMs: number,
  ): Acquired {
    const { leaseId, deadlineMs, viewVersion, health } = request
    const { agentId, exit } = request.candidates[index]
    this.#makeRoomForLease(nowMs)
    const domain = known ?? this.#pairs.addDomain(request.domain, nowMs)
    const probe = epochToGo === ON_PROBATION
    let epoch = epochToGo
    if (probe) {
      const found = this.#pairs.find(exit, domain)
      const before = this.#pairs.read(found, nowMs)
      const event: PairEvent = { kind: 'probe', leaseId, deadlineMs }
      const after = transition(before, event, nowMs, health) as PairRecord
      this.#pairs.write(found, exit, domain, after)
      epoch = after.epoch
    }
    this.#leases.take(leaseId, agentId, domain, deadlineMs, epoch, index, probe)
    const changes = this.#pairs.changes(domain, viewVersion, nowMs)
    return { kind: 'acquired', index, epoch, probe, changes }
  }

  #answerAgain(
    slot: number,
    domain: Domain | undefined,
    viewVersion: number,
    nowMs: number,
  ): Acquired {
    const index = this.#leases.indexOf(slot)
    const epoch = this.#leases.epochOf(slot)
    const probe = this.#leases.isProbe(slot)
    const changes = this.#pairs.changes(domain, viewVersion, nowMs)
    return { kind: 'acquired', index, epoch, probe, changes }
  }

  #observe(
    request: SettleRequest,
    domain: Domain | undefined,
    onItsWay: boolean,
    mayExclude: boolean,
    before: PairRecord | null,
    nowMs: number,
  ): ReturnType<typeof observe> {
    const { lease, outcome, incident, exits } = request
    // The tried are counted with the leases on their way: those past their deadline should not be among them.
    this.#leases.drain(DRAINED_TO_COUNT, nowMs)
    const inFlight = domain === undefined ? 0 : domain.inFlight - (onItsWay ? 1 : 0)
    const event = {
      outcome: outcome.kind,
      exit: lease.exit,
      newlyExcluded: mayExclude && stateAt(before, nowMs).health === 'available',
      dispatched: domain === undefined ? 0 : domain.dispatched,
      inFlight,
    }
    return observe(domain === undefined ? null : domain.watch, event, nowMs, incident, exits)
  }

  #trip(request: SettleRequest, nowMs: number): AgentBreaker | null {
    const { lease, outcome, breaker: policy } = request
    const before = this.#fleet.breaker(lease.agentId)
    if (before === null && outcome.kind !== 'agent_error') return null
    const after = trip(before, outcome.kind, nowMs, policy)
    if (after === before) return null
    this.#fleet.setBreaker(lease.agentId, after)
    return after ?? CLEARED
  }

  #settled(
    kind: 'applied' | 'stale',
    changed: boolean,
    record: PairRecord | null,
    breaker: AgentBreaker | null,
    domain: Domain | undefined,
    viewVersion: number,
    nowMs: number,
  ): Settled {
    const changes = this.#pairs.changes(domain, viewVersion, nowMs)
    if (changes === NOTHING && kind === 'applied' && record === null && breaker === null)
      return DONE
    return { kind, changed, record, breaker, changes }
  }

  #byHand(exit: string, name: string, event: PairEvent, nowMs: number): void {
    const known = this.#pairs.domain(name)
    const found = this.#pairs.find(exit, known)
    const before = this.#pairs.read(found, nowMs)
    const after = transition(before, event, nowMs, DEFAULT_HEALTH_POLICY) as PairRecord
    this.#pairs.makeRoom(found, nowMs)
    this.#pairs.write(found, exit, known ?? this.#pairs.addDomain(name, nowMs), after)
  }

  #makeRoomForLease(nowMs: number): void {
    if (this.#leases.size < this.#maxLeases) return
    this.#leases.drain(DRAINED_TO_COUNT, nowMs)
    if (this.#leases.size < this.#maxLeases) return
    throw new OstlerError(
      'STORE_FULL',
      `the memory store holds maxLeases = ${this.#maxLeases} leases`,
    )
  }
}
