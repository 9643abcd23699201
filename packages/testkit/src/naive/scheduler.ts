import { hash32, parseGeo } from '@ostler/core'
import type { Agent, ExhaustedCause, HealthPolicy, Lease, Outcome, PickCounts } from '@ostler/core'
import type { BreakerPolicy, GeoHint, IncidentPolicy, PickRequest } from '@ostler/core'
import { NaiveBreakers } from './breaker.ts'
import { exitOf, NaiveFleet } from './fleet.ts'
import { NaiveHealth } from './health.ts'
import { NaiveLeases } from './leases.ts'
import { naivePickableAtMs, naiveStateAt } from './pair.ts'
import { naiveCause, naiveCounts, naiveRetryAtMs, type NaiveStanding } from './refusal.ts'
import { naiveDistanceKm, naiveSteps, type NaiveStep } from './steps.ts'
import { naiveWalk, type NaiveView } from './walk.ts'

/** An estimate counts this long after the agent's last pick. */
const TRUSTED_MS = 60_000

export interface NaiveOptions {
  readonly health: HealthPolicy
  readonly incident: IncidentPolicy
  readonly breaker: BreakerPolicy
  readonly probeShare: number
}

/** Counts of a step that the walk visited. */
export interface NaiveCounts {
  readonly total: number
  readonly available: number
  readonly excluded: number
  readonly down: number
  readonly busy: number
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

/** One question to the model: a request for a domain at an instant, over ids in fleet order. */
export interface NaiveQuestion {
  readonly request: PickRequest
  readonly domain: string
  readonly nowMs: number
  /** The fleet's labelling is its own: ids as `agents.values()` lists them. */
  readonly order: readonly string[]
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
  #picks = 0

  constructor(options: NaiveOptions) {
    this.breakers = new NaiveBreakers(options.breaker)
    this.health = new NaiveHealth(options.health, options.incident)
    this.#probeShare = options.probeShare
  }

  /** What a pick would give; changes nothing. */
  explain(question: NaiveQuestion): NaivePick {
    const { request, domain, nowMs, order } = question
    const fleet = this.fleet.inOrder(order)
    const hint = request.geo === undefined ? null : parseGeo(request.geo)
    const steps = naiveSteps(fleet, hint)
    const standing = this.#standing(question, hint, steps)
    const picksSinceProbe = this.#picksSinceProbe.get(domain) ?? 0
    const walk = {
      seed: request.session === undefined ? (request.seed ?? 0) : hash32(request.session),
      hasPins: request.pin !== undefined,
      probeTurn: (picksSinceProbe + 1) * this.#probeShare >= 1,
    }
    const choice = naiveWalk(steps, walk, this.#view(question, standing))
    const visited = choice === null ? steps : steps.slice(0, choice.step + 1)
    const localities = visited.map((step) => this.#count(step, standing))
    if (choice === null) {
      const cause = naiveCause(fleet, walk.hasPins, standing)
      const retryAtMs = naiveRetryAtMs(fleet, standing)
      return {
        kind: 'exhausted',
        cause,
        retryAtMs,
        counts: naiveCounts(fleet, standing),
        localities,
      }
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
    const view = this.#view(question, this.#standing(question, hint, steps))
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
      counts[state === 'available' || state === 'limited' ? state : 'unavailable']++
    }
    return counts
  }

  #exitOf(agentId: string): string {
    return exitOf(this.fleet.members.get(agentId)!.agent)
  }

  #view({ domain, nowMs }: NaiveQuestion, standing: NaiveStanding): NaiveView {
    const stateOf = (agent: Agent) =>
      standing.isDown(agent)
        ? 'down'
        : naiveStateAt(this.health.pair(exitOf(agent), domain, nowMs), nowMs)
    return {
      isHealthy: (agent) => stateOf(agent) === 'available',
      isOnProbation: (agent) => stateOf(agent) === 'probation',
      passes: (agent) =>
        standing.isInGeo(agent) && standing.isWanted(agent) && !standing.isFull(agent),
      load: (agent) => (this.leases.inFlight(agent.id, nowMs) + 1) / (agent.weight ?? 1),
      latencyMs: (agent) => {
        const { latencyMs, pickedAtMs } = this.fleet.members.get(agent.id)!
        return nowMs - pickedAtMs < TRUSTED_MS ? latencyMs : null
      },
      lastPick: (agent) => this.fleet.members.get(agent.id)!.lastPick,
    }
  }

  #standing(
    { request, domain, nowMs }: NaiveQuestion,
    hint: GeoHint | null,
    steps: readonly NaiveStep[],
  ): NaiveStanding {
    const inSteps = new Set(steps.flatMap((step) => step.agents.map((agent) => agent.id)))
    const { avoid = [], pin, tags = [] } = request
    const downUntilMs = (agent: Agent) =>
      Math.max(
        this.breakers.downUntilMs(agent.id),
        this.health.exitRestUntilMs(exitOf(agent)),
        this.fleet.members.get(agent.id)!.drained ? Infinity : 0,
      )
    const freeAtMs = (agent: Agent) =>
      this.leases.freeAtMs(agent.id, agent.maxConcurrency ?? 1_000, nowMs)
    const pairOf = (agent: Agent) => this.health.pair(exitOf(agent), domain, nowMs)
    return {
      isInGeo: (agent) =>
        inSteps.has(agent.id) &&
        (hint === null ||
          hint.radiusKm === Infinity ||
          (naiveDistanceKm(agent, hint) ?? Infinity) <= hint.radiusKm),
      isWanted: (agent) =>
        !avoid.includes(agent.id) &&
        (pin === undefined || pin.includes(agent.id)) &&
        tags.every((tag) => agent.tags?.includes(tag)),
      isDown: (agent) => downUntilMs(agent) > nowMs,
      isExcluded: (agent) => naiveStateAt(pairOf(agent), nowMs) !== 'available',
      isPickable: (agent) => naivePickableAtMs(pairOf(agent), nowMs) === nowMs,
      isFull: (agent) => freeAtMs(agent) > nowMs,
      pickableAtMs: (agent) =>
        Math.max(naivePickableAtMs(pairOf(agent), nowMs), freeAtMs(agent), downUntilMs(agent)),
    }
  }

  /** A step's agents, each counted once: down, else excluded, else available. */
  #count(step: NaiveStep, standing: NaiveStanding): NaiveCounts {
    const up = step.agents.filter((agent) => !standing.isDown(agent))
    const available = up.filter((agent) => !standing.isExcluded(agent))
    return {
      total: step.agents.length,
      available: available.length,
      excluded: up.length - available.length,
      down: step.agents.length - up.length,
      busy: available.filter((agent) => standing.isFull(agent)).length,
    }
  }
}

type NaiveHealthWord = 'available' | 'limited' | 'unavailable'
