import { seededRandom, type Agent, type Random } from '@ostler/core'
import type { NaiveStep } from './steps.ts'

const FEW = 8

/** What the walk asks about an agent at this instant. */
export interface NaiveView {
  /** Up, and its pair available. */
  isHealthy(agent: Agent): boolean
  /** Up, and its pair on probation. */
  isOnProbation(agent: Agent): boolean
  /** Passes avoid, pins, tags, radius, and has a free slot. */
  passes(agent: Agent): boolean
  /** (inFlight + 1) / weight. */
  load(agent: Agent): number
  /** The latency estimate while it is trusted. */
  latencyMs(agent: Agent): number | null
  /** Which pick was its last; 0 if it never was. */
  lastPick(agent: Agent): number
}

export interface NaiveWalk {
  readonly seed: number
  readonly hasPins: boolean
  readonly probeTurn: boolean
}

export interface NaiveChoice {
  readonly agent: Agent
  /** How many steps were looked at for healthy agents: a probe may stand in an earlier one. */
  readonly visited: number
  readonly probe: boolean
}

/** The walk over the steps, as docs/design/0001-selection.md writes it; null when nothing can be picked. */
export function naiveWalk(
  steps: readonly NaiveStep[],
  walk: NaiveWalk,
  view: NaiveView,
): NaiveChoice | null {
  const random = seededRandom(walk.seed)
  let choice: NaiveChoice | null = null
  for (let i = 0; i < steps.length && choice === null; i++) {
    const healthy = steps[i].agents.filter((agent) => view.isHealthy(agent))
    const agent = chooseHealthy(healthy, walk.hasPins, view, random)
    if (agent !== null) choice = { agent, visited: i + 1, probe: false }
  }
  if (choice !== null && !walk.probeTurn) return choice
  const visited = choice === null ? steps.length : choice.visited
  for (let i = 0; i < visited; i++) {
    const waiting = steps[i].agents.filter((agent) => view.isOnProbation(agent))
    const agent = chooseProbe(waiting, walk.hasPins, view, random)
    if (agent !== null) return { agent, visited, probe: true }
  }
  return choice
}

function chooseHealthy(
  healthy: readonly Agent[],
  hasPins: boolean,
  view: NaiveView,
  random: Random,
): Agent | null {
  if (healthy.length === 0) return null
  if (healthy.length <= FEW || hasPins) return twoOf(healthy, view, random)
  const kept: Agent[] = []
  for (let draw = 0; draw < FEW && kept.length < 2; draw++) {
    const agent = healthy[Math.floor(random() * healthy.length)]
    if (view.passes(agent) && !kept.includes(agent)) kept.push(agent)
  }
  if (kept.length === 0) return twoOf(healthy, view, random)
  return kept.length === 1 ? kept[0] : better(kept[0], kept[1], view)
}

function twoOf(healthy: readonly Agent[], view: NaiveView, random: Random): Agent | null {
  const eligible = healthy.filter((agent) => view.passes(agent))
  if (eligible.length === 0) return null
  if (eligible.length === 1) return eligible[0]
  const i = Math.floor(random() * eligible.length)
  const drawn = Math.floor(random() * (eligible.length - 1))
  const j = drawn >= i ? drawn + 1 : drawn
  return better(eligible[i], eligible[j], view)
}

/** The lower load, then the one picked longer ago, then the first. */
function better(first: Agent, second: Agent, view: NaiveView): Agent {
  const firstMs = view.latencyMs(first)
  const secondMs = view.latencyMs(second)
  const bothKnown = firstMs !== null && secondMs !== null
  const difference =
    view.load(first) * (bothKnown ? firstMs : 1) - view.load(second) * (bothKnown ? secondMs : 1)
  if (difference !== 0) return difference < 0 ? first : second
  return view.lastPick(second) < view.lastPick(first) ? second : first
}

function chooseProbe(
  waiting: readonly Agent[],
  hasPins: boolean,
  view: NaiveView,
  random: Random,
): Agent | null {
  const eligible = waiting.filter((agent) => view.passes(agent))
  if (eligible.length === 0) return null
  if (waiting.length > FEW && !hasPins) {
    for (let draw = 0; draw < FEW; draw++) {
      const agent = waiting[Math.floor(random() * waiting.length)]
      if (view.passes(agent)) return agent
    }
  }
  return eligible[Math.floor(random() * eligible.length)]
}
