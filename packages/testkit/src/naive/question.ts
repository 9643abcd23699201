import type { Agent, GeoHint, PickRequest } from '@ostler/core'
import type { NaiveBreakers } from './breaker.ts'
import { exitOf, type NaiveFleet } from './fleet.ts'
import type { NaiveHealth } from './health.ts'
import type { NaiveLeases } from './leases.ts'
import { naivePickableAtMs, naiveStateAt } from './pair.ts'
import type { NaiveStanding } from './refusal.ts'
import { naiveDistanceKm, type NaiveStep } from './steps.ts'
import type { NaiveView } from './walk.ts'

/** An estimate counts this long after the agent's last pick. */
const TRUSTED_MS = 60_000

/** One question to the model: a request for a domain at an instant, over ids in fleet order. */
export interface NaiveQuestion {
  readonly request: PickRequest
  readonly domain: string
  readonly nowMs: number
  /** The fleet's labelling is its own: ids as `agents.values()` lists them. */
  readonly order: readonly string[]
}

/** What a question is asked of. */
export interface NaiveWorld {
  readonly fleet: NaiveFleet
  readonly leases: NaiveLeases
  readonly breakers: NaiveBreakers
  readonly health: NaiveHealth
}

/** Counts of a step that the walk visited. */
export interface NaiveCounts {
  readonly total: number
  readonly available: number
  readonly excluded: number
  readonly down: number
  readonly busy: number
}

/** How each agent stands towards a question. */
export function naiveStanding(
  world: NaiveWorld,
  { request, domain, nowMs }: NaiveQuestion,
  hint: GeoHint | null,
  steps: readonly NaiveStep[],
): NaiveStanding {
  const inSteps = new Set(steps.flatMap((step) => step.agents.map((agent) => agent.id)))
  const { avoid = [], pin, tags = [] } = request
  const downUntilMs = (agent: Agent) =>
    Math.max(
      world.breakers.downUntilMs(agent.id),
      world.health.exitRestUntilMs(exitOf(agent)),
      world.fleet.members.get(agent.id)!.drained ? Infinity : 0,
    )
  const freeAtMs = (agent: Agent) =>
    world.leases.freeAtMs(agent.id, agent.maxConcurrency ?? 1_000, nowMs)
  const pairOf = (agent: Agent) => world.health.pair(exitOf(agent), domain, nowMs)
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

/** The same as the walk asks it. */
export function naiveView(
  world: NaiveWorld,
  { domain, nowMs }: NaiveQuestion,
  standing: NaiveStanding,
): NaiveView {
  const stateOf = (agent: Agent) =>
    standing.isDown(agent)
      ? 'down'
      : naiveStateAt(world.health.pair(exitOf(agent), domain, nowMs), nowMs)
  return {
    isHealthy: (agent) => stateOf(agent) === 'available',
    isOnProbation: (agent) => stateOf(agent) === 'probation',
    passes: (agent) =>
      standing.isInGeo(agent) && standing.isWanted(agent) && !standing.isFull(agent),
    load: (agent) => (world.leases.inFlight(agent.id, nowMs) + 1) / (agent.weight ?? 1),
    latencyMs: (agent) => {
      const { latencyMs, pickedAtMs } = world.fleet.members.get(agent.id)!
      return nowMs - pickedAtMs < TRUSTED_MS ? latencyMs : null
    },
    lastPick: (agent) => world.fleet.members.get(agent.id)!.lastPick,
  }
}

/** A step's agents, each counted once: down, else excluded, else available. */
export function countStep(step: NaiveStep, standing: NaiveStanding): NaiveCounts {
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
