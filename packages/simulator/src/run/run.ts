import { performance } from 'node:perf_hooks'
import type { Mode, Result } from '@ostler/core'
import type { Choice, Picker, PolicySpec, Request } from '../policies/policy.ts'
import { kmBetween, type Judge } from '../world/judge.ts'
import { responses, type Response, type ResponseName } from '../world/responses.ts'
import { START_MS } from '../world/trace.ts'
import { judgeOf, type World } from '../world/world.ts'
import { Agenda } from './agenda.ts'
import { andThen, walkThrough } from './and-then.ts'
import { Tally, type PolicyResult } from './tally.ts'

/**
 * How one policy did, and how long its picks took on this machine (that part is not reproducible).
 */
export interface Run {
  readonly result: PolicyResult
  readonly picksPerSecond: number
}

const PROGRESS_EVERY = 4_096
const MINUTE_MS = 60_000

/**
 * Takes one policy through the world's trace: each request is picked for and dispatched when it
 * comes, and reported when its answer is back. Requests that come at the instant of a report come
 * after it. O(requests * log in flight).
 */
export function runPolicy<M extends Mode = 'sync'>(
  world: World,
  spec: PolicySpec<M>,
  onProgress: (done: number, total: number) => void = () => {},
): Result<M, Run> {
  const started: Started | Promise<Started> = spec.start(world)
  const run = andThen(started, (picker) => {
    const flight = new Flight(world, picker)
    return andThen(walkThrough(walk(world, flight, onProgress)), () => flight.end(spec))
  })
  return run as Result<M, Run>
}

/** A picker of either mode. */
type Started = Picker<unknown, Mode>

/** The walk, the same for pickers of both modes: what it yields is yet to be answered. */
function* walk(
  { trace, clients }: World,
  flight: Flight,
  onProgress: (done: number, total: number) => void,
): Generator<Promise<void>, void> {
  const request: Request = { nowMs: START_MS, domain: 0, hint: clients[0].hint }
  for (let i = 0; i < trace.length; i++) {
    request.nowMs = trace.atMs[i]
    request.domain = trace.domain[i]
    request.hint = clients[trace.client[i]].hint
    yield* flight.landUntil(request.nowMs)
    const taken = flight.take(request, trace.luck[i])
    if (taken instanceof Promise) yield taken
    if (i % PROGRESS_EVERY === 0) onProgress(i, trace.length)
  }
  yield* flight.landUntil(Infinity)
  onProgress(trace.length, trace.length)
}

/** The dispatches under way, in slots that are used again. */
class Flight {
  readonly #world: World
  readonly #picker: Started
  readonly #judge: Judge
  readonly #tally: Tally
  readonly #kindOf: readonly number[]
  readonly #agenda = new Agenda()
  readonly #choices: Choice[] = []
  readonly #responses: Response[] = []
  readonly #latencies: number[] = []
  readonly #free: number[] = []
  readonly #canned = responses(1_000)
  #pickMs = 0
  #picks = 0

  constructor(world: World, picker: Started) {
    const { kinds } = world.scenario.domains
    this.#world = world
    this.#picker = picker
    this.#judge = judgeOf(world)
    this.#kindOf = world.domains.map((domain) => kinds.indexOf(domain.kind))
    this.#tally = new Tally(
      kinds.map((kind) => kind.name),
      Math.ceil(world.scenario.durationMs / MINUTE_MS),
    )
  }

  /** Picks for a request and dispatches it, or counts its refusal. */
  take(request: Request, luck: number): void | Promise<void> {
    const begunMs = performance.now()
    const choice = this.#picker.pick(request)
    if (choice instanceof Promise) {
      return choice.then((late) => this.#dispatch(request, late, luck, begunMs))
    }
    this.#dispatch(request, choice, luck, begunMs)
  }

  /** Reports what is back by an instant, in order of time. */
  *landUntil(nowMs: number): Generator<Promise<void>, void> {
    const agenda = this.#agenda
    while (agenda.nextMs <= nowMs && agenda.nextMs < Infinity) {
      const atMs = agenda.nextMs
      const slot = agenda.take()
      this.#free.push(slot)
      const response = this.#responses[slot]
      const told = this.#picker.report(this.#choices[slot], response, this.#latencies[slot], atMs)
      if (told instanceof Promise) yield told
    }
  }

  end({ name, summary }: Pick<PolicySpec, 'name' | 'summary'>): Run {
    return {
      result: this.#tally.result(name, summary, this.#picker),
      picksPerSecond: this.#pickMs === 0 ? 0 : Math.round((this.#picks / this.#pickMs) * 1000),
    }
  }

  #dispatch(request: Request, choice: Choice | null, luck: number, begunMs: number): void {
    this.#pickMs += performance.now() - begunMs
    this.#picks++
    const { nowMs, domain } = request
    const kind = this.#kindOf[domain]
    const minute = Math.floor((nowMs - START_MS) / MINUTE_MS)
    this.#tally.request(kind, minute)
    if (choice === null) {
      this.#tally.refused(minute)
      return
    }
    const judge = this.#judge
    judge.dispatch(nowMs, domain, choice.agent, luck)
    const inCountry = this.#measure(request, choice.agent)
    this.#tally.answered(kind, minute, judge, request.hint.strict && !inCountry)
    this.#launch(choice, judge, nowMs)
  }

  #launch(choice: Choice, { answer, latencyMs, retryAfterMs }: Judge, nowMs: number): void {
    const slot = this.#free.pop() ?? this.#choices.length
    this.#choices[slot] = choice
    this.#responses[slot] = this.#response(answer, retryAfterMs)
    this.#latencies[slot] = latencyMs
    this.#agenda.put(nowMs + latencyMs, slot)
  }

  /**
   * Only the Retry-After differs from one response to the next: in whole seconds, as it is sent.
   */
  #response(answer: ResponseName, retryAfterMs: number): Response {
    const canned = this.#canned[answer]
    if (answer !== 'too_many') return canned
    const asked = Math.ceil(retryAfterMs / 1000) * 1000
    return { ...canned, outcome: { ...canned.outcome, retryAfterMs: asked } }
  }

  /**
   * Notes how far from its hint a request was sent, and says whether it is in the country that the
   * hint names.
   */
  #measure({ hint }: Request, agent: number): boolean {
    const { x, y, z, countryOf, countries } = this.#world.fleet
    const inCountry = countries[countryOf[agent]] === hint.country
    if (hint.centre !== null) {
      const [hx, hy, hz] = hint.centre
      this.#tally.placed(kmBetween(hx, hy, hz, x[agent], y[agent], z[agent]))
    }
    if (hint.country !== null) this.#tally.named(inCountry)
    return inCountry
  }
}
