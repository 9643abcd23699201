import type { GeoHint } from '../geo/hint.ts'
import { hash32, Seeded } from '../random.ts'
import { Draw, NOBODY } from './draw.ts'
import type { Fleet } from './fleet.ts'
import type { Place } from './localities.ts'
import type { Query } from './query.ts'
import { sticky } from './session.ts'
import { Steps, type Step } from './steps.ts'
import type { View } from './view.ts'

/** Beyond this many pairs on probation, walking all places nearest first finds one sooner. */
const MOST_PLACES = 1024

/** What a walk came to: the agent's number, and the step that gave it. */
export interface Choice {
  readonly agent: number
  readonly step: Step
  readonly probe: boolean
  /** The other of the two that were drawn, or -1. */
  readonly runnerUp: number
}

/** Called with each step that the walk visits, aimed at its healthy agents. */
export type OnVisit = (step: Step, draw: Draw) => void

/**
 * The walk: the one implementation of `pick` and of `explain`. It reads the fleet and a view, and writes nothing.
 * The rule is `docs/design/0001-selection.md`, to the letter.
 */
export class Walk {
  readonly #fleet: Fleet
  readonly #draw: Draw
  readonly #steps: Steps
  readonly #random: Seeded = new Seeded()

  constructor(fleet: Fleet) {
    this.#fleet = fleet
    this.#draw = new Draw(fleet)
    this.#steps = new Steps(fleet)
  }

  /**
   * Chooses an agent, or answers null where no eligible one is pickable. The view must be up to date.
   * `probeTurn`: a pair on probation may displace an available one that is no nearer.
   */
  choose(
    view: View<unknown>,
    query: Query,
    seed: number,
    nowMs: number,
    probeTurn: boolean,
    onVisit: OnVisit | null,
  ): Choice | null {
    const session = query.session === null ? -1 : hash32(query.session)
    const random = this.#random
    const start = session === -1 ? seed : session
    random.start(start)
    let found: Choice | null = null
    const first = onVisit !== null || query.hint === null ? undefined : view.firstOf(query.hint)
    if (first !== undefined) {
      found = this.#within(first, view, query, session, nowMs)
      // Walks from the beginning, by the same numbers: nobody was healthy before that step, so none was drawn.
      if (found === null) random.start(start)
    }
    found ??= this.#available(view, query, session, nowMs, onVisit)
    // A session keeps its agent: only a walk that found nobody tries a pair on probation for it.
    const displaces = probeTurn && session === -1
    if (view.probation.size === 0 || (found !== null && !displaces)) return found
    return this.#probe(view, query, random, nowMs, found) ?? found
  }

  #available(
    view: View<unknown>,
    query: Query,
    session: number,
    nowMs: number,
    onVisit: OnVisit | null,
  ): Choice | null {
    const { hint } = query
    const draw = this.#draw
    // Explaining shows the dead squares' places too: they are why the walk went on.
    this.#steps.start(hint, onVisit === null ? view.dead : null)
    let mayLearn = onVisit === null && hint !== null
    let hasPassed = view.dead.size > 0
    for (let step = this.#steps.next(); step !== null; step = this.#steps.next()) {
      if (onVisit !== null) {
        draw.aim(view, query, step, false, nowMs)
        onVisit(step, draw)
      }
      const found = this.#within(step, view, query, session, nowMs)
      if (mayLearn && draw.count > 0) {
        mayLearn = false
        if (hasPassed) view.setFirst(hint as GeoHint, step)
      }
      hasPassed = true
      if (found !== null) return found
    }
    return null
  }

  /** Chooses among the healthy agents of one step. */
  #within(
    step: Step,
    view: View<unknown>,
    query: Query,
    session: number,
    nowMs: number,
  ): Choice | null {
    const draw = this.#draw
    draw.aim(view, query, step, false, nowMs)
    if (draw.count === 0) return null
    const random = this.#random
    const agent = session === -1 ? draw.two(random) : sticky(this.#fleet, draw, session, random)
    return agent === NOBODY ? null : { agent, step, probe: false, runnerUp: draw.runnerUp }
  }

  /** Searches the pairs on probation, no farther than what was found. */
  #probe(
    view: View<unknown>,
    query: Query,
    random: Seeded,
    nowMs: number,
    found: Choice | null,
  ): Choice | null {
    const draw = this.#draw
    const isFew = view.probation.size <= MOST_PLACES
    this.#steps.start(query.hint, null, isFew ? () => this.#placesOnProbation(view, found) : null)
    for (let step = this.#steps.next(); step !== null; step = this.#steps.next()) {
      draw.aim(view, query, step, true, nowMs)
      const agent = draw.one(random)
      if (agent !== NOBODY) return { agent, step, probe: true, runnerUp: NOBODY }
      if (found !== null && sameStep(step, found.step)) return null
    }
    return null
  }

  /** The places worth walking for a probe; the last of them is where an agent was found. */
  #placesOnProbation(view: View<unknown>, found: Choice | null): Set<Place> {
    const places = new Set<Place>()
    for (const position of view.probation.positions()) {
      const place = this.#fleet.placeOf(this.#fleet.at(position))
      if (place.cell !== null) places.add(place)
    }
    if (found !== null && found.step.place !== null && found.step.place.cell !== null) {
      places.add(found.step.place)
    }
    return places
  }
}

function sameStep(a: Step, b: Step): boolean {
  return a.place === b.place && a.label === b.label
}
