import { hash32, parseGeo } from '@ostler/core'
import type {
  Agent,
  BreakerPolicy,
  ExhaustedCause,
  HealthPolicy,
  IncidentPolicy,
  Lease,
  Outcome,
  PickCounts,
} from '@ostler/core'
import { NaiveBreakers } from './breaker.ts'
import { exitOf, NaiveFleet } from './fleet.ts'
import { NaiveHealth } from './health.ts'
import { NaiveLeases } from './leases.ts'
import { naivePickableAtMs, naiveStateAt } from './pair.ts'
import { countStep, naiveStanding, naiveView } from './question.ts'
import type { NaiveCounts, NaiveQuestion } from './question.ts'
import { naiveCause, naiveCounts, naiveRetryAtMs } from './refusal.ts'
import { naiveDistanceKm, naiveSteps } from './steps.ts'
import { naiveWalk } from './walk.ts'

export interface NaiveOptions {
  readonly health: HealthPolicy
  readonly incident: IncidentPolicy
  readonly breaker: BreakerPolicy
  readonly probeShare: number
  /** Dispatches at once to a domain in an incident. Default: as many as are asked for. */
  readonly incidentInFlight?: number
}

/** A pick as the model sees it; `epoch` is what its lease carries. */
export type NaivePick =
  | {
      readonly kind: 'picked'
      readonly agent: Agent
      readonly exit: string
      readonly epoch: number
      readonly probe: boolean
      readonly distanceKm: number | null
      readonly localities: readonly NaiveCounts[]
    }
  | {
      readonly kind: 'exhausted'
      readonly cause: ExhaustedCause
      readonly retryAtMs: number | null
      readonly counts: PickCounts
      readonly localities: readonly NaiveCounts[]
    }

/**
 * The scheduler's picks and health by plain loops: every agent is asked every question, then one is chosen.
 * Sessions are walked as if there were none: their law is another one. O(agents * leases) per call.
 */
export class NaiveScheduler {
  readonly fleet: NaiveFleet = new NaiveFleet()
  readonly leases: NaiveLeases = new NaiveLeases()
  readonly breakers: NaiveBreakers
  readonly health: NaiveHealth
  readonly #picksSinceProbe = new Map<string, number>()
  readonly #probeShare: number
  readonly #incidentInFlight: number
  #picks = 0

  constructor(options: NaiveOptions) {
    this.breakers = new NaiveBreakers(options.breaker)
    this.health = new NaiveHealth(options.health, options.incident)
    this.#probeShare = options.probeShare
    this.#incidentInFlight = options.incidentInFlight ?? Infinity
  }

  /** What a pick would give; changes nothing. */
  explain(question: NaiveQuestion): NaivePick {
    const { request, domain, nowMs, order } = question
    const fleet = this.fleet.inOrder(order)
    const hint = request.geo === undefined ? null : parseGeo(request.geo)
    const steps = naiveSteps(fleet, hint)
    const standing = naiveStanding(this, question, hint, steps)
    const picksSinceProbe = this.#picksSinceProbe.get(domain) ?? 0
    const walk = {
      seed: request.session === undefined ? (request.seed ?? 0) : hash32(request.session),
      hasPins: request.pin !== undefined,
      probeTurn: (picksSinceProbe + 1) * this.#probeShare >= 1,
    }
    const choice = naiveWalk(steps, walk, naiveView(this, question, standing))
    const visited = choice === null ? steps : steps.slice(0, choice.visited)
    const localities = visited.map((step) => countStep(step, standing))
    const heldUntilMs = this.#heldUntilMs(domain, nowMs)
    if (choice === null || heldUntilMs > nowMs) {
      const cause = choice === null ? naiveCause(fleet, walk.hasPins, standing) : 'incident'
      const freeAtMs = naiveRetryAtMs(fleet, standing)
      const retryAtMs = freeAtMs === null ? null : Math.max(freeAtMs, heldUntilMs)
      const counts = naiveCounts(fleet, standing)
      return { kind: 'exhausted', cause, retryAtMs, counts, localities }
    }
    const { agent, probe } = choice
    const exit = exitOf(agent)
    const { epoch } = this.health.pair(exit, domain, nowMs)
    const distanceKm = naiveDistanceKm(agent, hint)
    return { kind: 'picked', agent, exit, epoch, probe, distanceKm, localities }
  }

  /** Who a walk could give: the passing agents of the nearest step that has any, and all passing probes. */
  eligible(question: NaiveQuestion): {
    readonly available: readonly string[]
    readonly probes: readonly string[]
  } {
    const { request, order } = question
    const hint = request.geo === undefined ? null : parseGeo(request.geo)
    const steps = naiveSteps(this.fleet.inOrder(order), hint)
    const view = naiveView(this, question, naiveStanding(this, question, hint, steps))
    const passing = steps.map((step) => step.agents.filter((agent) => view.passes(agent)))
    const ids = (agents: readonly Agent[]) => agents.map(({ id }) => id)
    const healthy = passing.map((agents) => ids(agents.filter((agent) => view.isHealthy(agent))))
    const waiting = passing.flat().filter((agent) => view.isOnProbation(agent))
    return { available: healthy.find((step) => step.length > 0) ?? [], probes: ids(waiting) }
  }

  /** Carries a pick out: its slot, its probe, its turn. */
  take(lease: Lease, nowMs: number): void {
    const { domain, agentId, probe } = lease
    this.leases.take(lease)
    this.health.incident(domain).dispatched()
    this.#picksSinceProbe.set(domain, probe ? 0 : (this.#picksSinceProbe.get(domain) ?? 0) + 1)
    const member = this.fleet.members.get(agentId)
    if (member !== undefined) {
      member.lastPick = ++this.#picks
      member.pickedAtMs = nowMs
    }
    if (probe) this.health.probe(lease, nowMs)
  }

  report(lease: Lease, outcome: Outcome, nowMs: number): 'applied' | 'stale' {
    const { kind, latencyMs } = outcome
    const { domain, exit, agentId } = lease
    const standing = this.leases.settle(lease, nowMs)
    const refused = kind === 'rate_limited' || kind === 'challenged' || kind === 'blocked'
    if (standing === 'gone' || (standing === 'late' && !refused)) return 'stale'
    const current = lease.epoch >= this.health.pair(exit, domain, nowMs).epoch
    if (standing === 'late' && !current) return 'stale'
    const inFlight = this.leases.inFlightOf(domain, nowMs)
    this.health.report({ lease, outcome, inFlight, exits: this.fleet.exits() }, nowMs)
    this.breakers.observe(agentId, kind, nowMs)
    const member = this.fleet.members.get(agentId)
    if (kind === 'ok' && member !== undefined) {
      const tookMs = Math.max(1, latencyMs ?? nowMs - lease.pickedAtMs)
      const before = member.latencyMs ?? tookMs
      member.latencyMs = before + (tookMs - before) * (1 / 5)
    }
    return current ? 'applied' : 'stale'
  }

  remove(agentId: string): void {
    this.fleet.remove([agentId])
    this.breakers.forget(agentId)
  }

  exclude(agentId: string, domain: string, untilMs: number, nowMs: number): void {
    this.health.exclude(this.#exitOf(agentId), domain, untilMs, nowMs)
  }

  restore(agentId: string, domain: string, nowMs: number): void {
    this.health.restore(this.#exitOf(agentId), domain, nowMs)
  }

  /** How many of the fleet's agents are in each health for a domain. */
  counts(domain: string, nowMs: number): Readonly<Record<NaiveHealthWord, number>> {
    const counts = { available: 0, limited: 0, unavailable: 0 }
    for (const { agent } of this.fleet.members.values()) {
      const state = naiveStateAt(this.health.pair(exitOf(agent), domain, nowMs), nowMs)
      const rests = this.#restUntilMs(agent) > nowMs
      counts[!rests && (state === 'available' || state === 'limited') ? state : 'unavailable']++
    }
    return counts
  }

  /** The next instant at which a pair that waits for one is pickable; null where none waits. */
  nextRecoveryAtMs(domain: string, nowMs: number): number | null {
    let firstMs = Infinity
    for (const { agent } of this.fleet.members.values()) {
      const pairMs = naivePickableAtMs(this.health.pair(exitOf(agent), domain, nowMs), nowMs)
      const atMs = Math.max(pairMs, this.#restUntilMs(agent))
      if (atMs > nowMs) firstMs = Math.min(firstMs, atMs)
    }
    return firstMs === Infinity ? null : firstMs
  }

  /** Until when an agent rests as a whole: after its own errors, or by hand. */
  #restUntilMs(agent: Agent): number {
    return Math.max(this.breakers.downUntilMs(agent.id), this.health.exitRestUntilMs(exitOf(agent)))
  }

  #exitOf(agentId: string): string {
    return exitOf(this.fleet.members.get(agentId)!.agent)
  }

  /** Until when an incident holds the domain back: a dispatch ends, or the incident does. */
  #heldUntilMs(domain: string, nowMs: number): number {
    const incident = this.health.incident(domain)
    if (incident.openedAtMs(nowMs) === 0) return 0
    const freeAtMs = this.leases.domainFreeAtMs(domain, this.#incidentInFlight, nowMs)
    return Math.min(freeAtMs, incident.endsAtMs)
  }
}

type NaiveHealthWord = 'available' | 'limited' | 'unavailable'
