// hot path: every pick counts one step and selects two agents from it.

import type { Seeded } from '../random.ts'
import { COUNTRY_SHIFT, LOCAL_MASK } from './excluded.ts'
import type { Fleet } from './fleet.ts'
import { refusalOf, type Query } from './query.ts'
import type { Step } from './steps.ts'
import type { View } from './view.ts'

/** Up to this many are looked at one by one; of more, this many are drawn. */
const FEW = 8

/** No agent. */
export const NOBODY = -1

/**
 * One step's agents of one kind, healthy or on probation, in fleet order: how many, which is the k-th, and the draws among them.
 * One object serves all picks; `aim` turns it to a step.
 */
export class Draw {
  readonly #fleet: Fleet
  #view: View<unknown> | null = null
  #query: Query | null = null
  #step: Step | null = null
  #probation = false
  #nowMs = 0
  /** Per span of a step that is not of whole countries: how many of the wanted kind it holds. */
  #counts = new Uint32Array(256)
  readonly #passing: number[] = []
  /** How many of the wanted kind the step holds. */
  count = 0
  /** The agent that a choice of two left behind, or -1. */
  runnerUp: number = NOBODY

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  /** Turns to a step and counts its healthy agents, or those on probation. O(spans * log n), or O(countries). */
  aim(view: View<unknown>, query: Query, step: Step, probation: boolean, nowMs: number): void {
    this.#nowMs = nowMs
    this.#view = view
    this.#query = query
    this.#step = step
    this.#probation = probation
    this.runnerUp = NOBODY
    const spans = step.countries.length
    if (step.everything) {
      this.count = probation ? view.probation.size : this.#fleet.up - view.excluded.size
      return
    }
    if (!step.whole && spans > this.#counts.length) this.#counts = new Uint32Array(spans * 2)
    let total = 0
    for (let span = 0; span < spans; span++) {
      const count = step.whole ? this.#countInCountry(step.countries[span]) : this.#countSpan(span)
      if (!step.whole) this.#counts[span] = count
      total += count
    }
    this.count = total
  }

  /** How many of the wanted kind a span holds. */
  countIn(span: number): number {
    return this.step.whole ? this.#countInCountry(this.step.countries[span]) : this.#counts[span]
  }

  get step(): Step {
    return this.#step as Step
  }

  get pinned(): boolean {
    return this.#query !== null && this.#query.pin !== null
  }

  /** Two distinct draws, and the less loaded of them; -1 when none passes. */
  two(random: Seeded): number {
    if (this.count === 0) return NOBODY
    if (this.count <= FEW || this.pinned) return this.#twoOf(this.allPassing(), random)
    // Both are found before either is judged: in a large fleet each is a cache miss, and the two are waited for together.
    const one = this.at(random.below(this.count))
    const other = this.at(random.below(this.count))
    let first = this.passes(one) ? one : NOBODY
    if (other !== first && this.passes(other)) {
      if (first !== NOBODY) return this.#lighter(first, other)
      first = other
    }
    for (let i = 2; i < FEW; i++) {
      const agent = this.at(random.below(this.count))
      if (agent === first || !this.passes(agent)) continue
      if (first !== NOBODY) return this.#lighter(first, agent)
      first = agent
    }
    return first !== NOBODY ? first : this.#twoOf(this.allPassing(), random)
  }

  /** One draw; -1 when none passes. */
  one(random: Seeded): number {
    if (this.count === 0) return NOBODY
    if (this.count > FEW && !this.pinned) {
      for (let i = 0; i < FEW; i++) {
        const agent = this.at(random.below(this.count))
        if (this.passes(agent)) return agent
      }
    }
    const passing = this.allPassing()
    return passing.length === 0 ? NOBODY : passing[random.below(passing.length)]
  }

  /** Visits the agents of the step that stand at a position, of whatever kind, until `visit` answers false. */
  each(visit: (agent: number) => boolean): void {
    const step = this.step
    for (let i = 0; i < step.countries.length; i++) {
      const range = this.#fleet.ranges.get(step.countries[i])
      if (range === undefined) continue
      const end = Math.min(step.ends[i], range.length)
      for (let local = step.starts[i]; local < end; local++) {
        const agent = range.agentAt(local)
        if (agent !== NOBODY && !visit(agent)) return
      }
    }
  }

  /** Agents of a span that are up, of whatever health. */
  upIn(span: number): number {
    const step = this.step
    const country = step.countries[span]
    if (step.whole) return this.#fleet.upByCountry.of(country)
    if (step.place !== null && step.countries.length === 1) return step.place.up
    const { up } = this.#fleet.ranges.open(country)
    return up.rank(step.ends[span]) - up.rank(step.starts[span])
  }

  #countInCountry(country: number): number {
    const view = this.#view as View<unknown>
    if (this.#probation) return view.probation.countIn(country)
    return this.#fleet.upByCountry.of(country) - view.excluded.countIn(country)
  }

  #countSpan(span: number): number {
    const step = this.step
    const view = this.#view as View<unknown>
    const set = this.#probation ? view.probation : view.excluded
    const country = step.countries[span]
    const inSet = set.countBetween(country, step.starts[span], step.ends[span])
    return this.#probation ? inSet : this.upIn(span) - inSet
  }

  /** Healthy agents of a span below an offset into it. */
  countBelow(span: number, offset: number): number {
    const country = this.step.countries[span]
    const start = this.step.starts[span]
    const bits = this.#fleet.ranges.open(country).up
    const up = bits.rank(start + offset) - bits.rank(start)
    const view = this.#view as View<unknown>
    return up - view.excluded.countBetween(country, start, start + offset)
  }

  /** The k-th agent of the wanted kind. */
  at(k: number): number {
    const step = this.step
    if (step.everything && !this.#probation) return this.#ofEverything(k)
    let span = 0
    let rest = k
    if (step.countries.length > 1) {
      for (let here = this.countIn(span); rest >= here; here = this.countIn(++span)) rest -= here
    }
    const country = step.countries[span]
    if (!this.#probation) return this.#healthy(country, step.starts[span], rest)
    const { probation } = this.#view as View<unknown>
    const start = step.starts[span]
    const before = start === 0 ? 0 : probation.countBetween(country, 0, start)
    return this.#fleet.ranges.open(country).agentAt(probation.select(country, before + rest))
  }

  /** The same of the whole fleet, whose countries are too many to go through. */
  #ofEverything(k: number): number {
    const { excluded } = this.#view as View<unknown>
    const { upByCountry } = this.#fleet
    const country = excluded.countryOutside(upByCountry, k)
    return this.#healthy(country, 0, upByCountry.rest)
  }

  /** The k-th healthy agent of a country from a position on. */
  #healthy(country: number, start: number, k: number): number {
    const { excluded } = this.#view as View<unknown>
    const range = this.#fleet.ranges.open(country)
    const rest = start === 0 ? k : k + range.up.rank(start)
    if (excluded.size === 0) return range.agentAt(range.up.select(rest))
    const passed = start === 0 ? 0 : excluded.countBetween(country, 0, start)
    return range.agentAt(excluded.selectOutside(range.up, country, rest - passed))
  }

  passes(agent: number): boolean {
    return refusalOf(this.#fleet, this.#query as Query, agent) === null
  }

  /** All that pass, in fleet order. O(the step's agents of the wanted kind), or O(pins). */
  allPassing(): number[] {
    const passing = this.#passing
    passing.length = 0
    const pin = this.#query?.pin
    if (pin) {
      for (const agent of pin) if (this.holds(agent) && this.passes(agent)) passing.push(agent)
      const fleet = this.#fleet
      return passing.sort((a, b) => fleet.positionOf(a) - fleet.positionOf(b))
    }
    if (this.count <= FEW) {
      for (let k = 0; k < this.count; k++) {
        const agent = this.at(k)
        if (this.passes(agent)) passing.push(agent)
      }
      return passing
    }
    const step = this.step
    for (let i = 0; i < step.countries.length; i++) {
      if (this.countIn(i) === 0) continue
      const range = this.#fleet.ranges.open(step.countries[i])
      for (const local of range.up.between(step.starts[i], step.ends[i])) {
        const agent = range.agentAt(local)
        if (this.isWanted(agent) && this.passes(agent)) passing.push(agent)
      }
    }
    return passing
  }

  isWanted(agent: number): boolean {
    const view = this.#view as View<unknown>
    const position = this.#fleet.positionOf(agent)
    return this.#probation ? view.probation.has(position) : !view.excluded.has(position)
  }

  /** Whether the step holds an agent, and it is of the wanted kind. */
  holds(agent: number): boolean {
    if (!this.#fleet.isUp(agent) || !this.isWanted(agent)) return false
    const step = this.step
    const country = this.#fleet.positionOf(agent) >>> COUNTRY_SHIFT
    const local = this.#fleet.positionOf(agent) & LOCAL_MASK
    for (let i = 0; i < step.countries.length; i++) {
      if (step.countries[i] === country && local >= step.starts[i] && local < step.ends[i]) {
        return true
      }
    }
    return false
  }

  #twoOf(passing: readonly number[], random: Seeded): number {
    if (passing.length <= 1) return passing.length === 0 ? NOBODY : passing[0]
    const i = random.below(passing.length)
    const j = random.below(passing.length - 1)
    return this.#lighter(passing[i], passing[j < i ? j : j + 1])
  }

  #lighter(first: number, second: number): number {
    const wins = this.#fleet.loads.isFirstLighter(first, second, this.#nowMs)
    this.runnerUp = wins ? second : first
    return wins ? first : second
  }
}
