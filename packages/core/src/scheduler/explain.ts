import { stateAt, type PairRecord } from '../health/record.ts'
import { exitOf, type StoredAgent } from '../pick/agent.ts'
import type { Draw } from '../pick/draw.ts'
import { distanceTo, refusalOf } from '../pick/query.ts'
import { nameOf, type Step } from '../pick/steps.ts'
import type { Choice } from '../pick/walk.ts'
import type { Mode, Result } from '../store/store.ts'
import type { Attempt, Attempts } from './attempt.ts'
import type {
  CandidateReason,
  Explained,
  ExplainedCandidate,
  ExplainedLocality,
  PickRequest,
} from './requests.ts'
import type { Roster } from './roster.ts'
import { andThen } from './and-then.ts'
import type { Time } from './time.ts'

const MOST_LOCALITIES = 100
const MOST_CANDIDATES = 20
/** Of one step: so that a crowded one leaves room for the next. */
const MOST_PER_STEP = 8

/** `pick` without taking: the same walk, with a witness that writes down what it sees. */
export class Explainer<M extends Mode> {
  readonly #attempts: Attempts
  readonly #roster: Roster
  readonly #time: Time

  constructor(attempts: Attempts, roster: Roster, time: Time) {
    this.#attempts = attempts
    this.#roster = roster
    this.#time = time
  }

  explain(request: PickRequest): Result<M, Explained> {
    const nowMs = this.#time.nowMs()
    const explained = andThen(this.#attempts.begin(request, nowMs, false), (attempt) =>
      this.#witness(attempt),
    )
    return explained as Result<M, Explained>
  }

  #witness(attempt: Attempt): Explained {
    let witness = new Witness(this.#roster, attempt)
    const choice = this.#attempts.choose(attempt, (step, draw) => {
      // A walk that found nobody is walked again once more has fallen due: what counts is the last one.
      if (witness.isOver(step)) witness = new Witness(this.#roster, attempt)
      witness.see(step, draw)
    })
    const shown = { localities: witness.localities, candidates: witness.candidates(choice) }
    if (choice === null) return { ...this.#attempts.refusal(attempt), ...shown }
    return { ...this.#attempts.described(attempt, choice), ...shown }
  }
}

/** Writes down the steps of one walk and some of their agents. */
class Witness {
  readonly localities: ExplainedLocality[] = []
  readonly #roster: Roster
  readonly #attempt: Attempt
  readonly #seen: { readonly agent: number; readonly step: Step }[] = []
  #first: Step | null = null

  constructor(roster: Roster, attempt: Attempt) {
    this.#roster = roster
    this.#attempt = attempt
  }

  /** Whether a step is the first of a walk that begins anew. */
  isOver(step: Step): boolean {
    const first = this.#first
    return first !== null && first.label === step.label && first.place === step.place
  }

  see(step: Step, draw: Draw): void {
    this.#first ??= step
    if (this.localities.length < MOST_LOCALITIES) this.localities.push(this.#locality(step, draw))
    let shown = 0
    if (this.#seen.length >= MOST_CANDIDATES) return
    draw.each((agent) => {
      this.#seen.push({ agent, step })
      return ++shown < MOST_PER_STEP && this.#seen.length < MOST_CANDIDATES
    })
  }

  /** The drawn first, then others of the steps that were visited; each agent once. */
  candidates(choice: Choice | null): ExplainedCandidate[] {
    const drawn = choice === null ? [] : [choice.agent, choice.runnerUp]
    const shown = new Map<number, ExplainedCandidate>()
    if (choice !== null) {
      for (const agent of drawn) {
        if (agent === -1) continue
        const reason = agent === choice.agent ? 'picked' : 'busier'
        shown.set(agent, this.#candidate(agent, choice.step, reason))
      }
    }
    for (const { agent, step } of this.#seen) {
      if (shown.size >= MOST_CANDIDATES) break
      if (!shown.has(agent)) shown.set(agent, this.#candidate(agent, step, this.#reason(agent)))
    }
    return [...shown.values()]
  }

  #locality(step: Step, draw: Draw): ExplainedLocality {
    const { fleet, slots } = this.#roster
    let total = 0
    let up = 0
    for (let span = 0; span < step.countries.length; span++) {
      up += draw.upIn(span)
      if (step.whole) total += fleet.ranges.get(step.countries[span])?.agents ?? 0
    }
    if (!step.whole) {
      draw.each(() => {
        total++
        return true
      })
    }
    let busy = 0
    for (const agent of slots.full) if (draw.holds(agent)) busy++
    return {
      name: nameOf(fleet, step),
      distanceKm: step.distanceKm,
      total,
      available: draw.count,
      excluded: up - draw.count,
      down: total - up,
      busy,
    }
  }

  #candidate(agent: number, step: Step, reason: CandidateReason): ExplainedCandidate {
    const { fleet } = this.#roster
    const { view, query, nowMs } = this.#attempt
    const described = fleet.agents.get(agent) as StoredAgent
    const record: PairRecord | null = view.recordOf(exitOf(described))
    return {
      agent: described,
      reason,
      locality: nameOf(fleet, step),
      distanceKm: distanceTo(fleet, query, agent),
      state: stateAt(record, nowMs),
      inFlight: fleet.loads.inFlight(agent),
      latencyMs: fleet.loads.latencyMs(agent) === 0 ? null : fleet.loads.latencyMs(agent),
    }
  }

  #reason(agent: number): CandidateReason {
    const { fleet } = this.#roster
    const { view, query } = this.#attempt
    const described = fleet.agents.get(agent) as StoredAgent
    if (described.drained === true) return 'drained'
    if (fleet.resting.has(agent)) return 'resting'
    const phase = view.phaseOf(agent)
    if (phase !== 'available') return phase
    return refusalOf(fleet, query, agent) ?? 'not_drawn'
  }
}
