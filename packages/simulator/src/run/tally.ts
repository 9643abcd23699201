import type { ResponseName } from '../world/responses.ts'

/**
 * One policy's figures. Shares are null where there is nothing to take a share of. Nothing here
 * depends on the machine.
 */
export interface PolicyResult {
  readonly policy: string
  readonly summary: string
  readonly requests: number
  readonly refused: number
  readonly dispatched: number
  /** Pages that came, from where the request insisted. */
  readonly ok: number
  /** Pages that came from outside a strict hint: of no use to who asked. */
  readonly misplaced: number
  /** ok of dispatched, and ok of all requests. */
  readonly successShare: number | null
  readonly servedShare: number | null
  /** Dispatched to an exit that the domain was holding off at that instant. */
  readonly wasted: number
  readonly wastedShare: number | null
  readonly exclusions: number
  readonly probes: number
  readonly responses: Readonly<Record<ResponseName, number>>
  /** From the hint's centre to the agent, of dispatches that had a hint. */
  readonly distanceKm: Quantiles
  /** Of dispatches whose hint named a country: share that an agent of that country made. */
  readonly inCountryShare: number | null
  /** Of dispatches that were ok. */
  readonly latencyMs: Quantiles
  readonly kinds: readonly KindResult[]
  readonly minutes: readonly MinuteResult[]
}

export interface Quantiles {
  readonly count: number
  readonly median: number | null
  readonly p95: number | null
}

export interface KindResult {
  readonly kind: string
  readonly requests: number
  readonly ok: number
  readonly wasted: number
}

/** By the minute in which the request came. */
export interface MinuteResult {
  readonly requests: number
  readonly ok: number
  readonly wasted: number
  readonly refused: number
}

const MOST_KM = 20_038
const MOST_LATENCY_MS = 120_000

/** Counts of whole numbers from 0 to `most`; what is above counts as `most`. */
class Histogram {
  readonly #counts: Float64Array
  #count = 0

  constructor(most: number) {
    this.#counts = new Float64Array(most + 1)
  }

  add(value: number): void {
    const counts = this.#counts
    counts[Math.min(Math.round(value), counts.length - 1)]++
    this.#count++
  }

  quantiles(): Quantiles {
    return { count: this.#count, median: this.#at(0.5), p95: this.#at(0.95) }
  }

  /** Nearest rank. */
  #at(share: number): number | null {
    if (this.#count === 0) return null
    const rank = Math.ceil(share * this.#count)
    let sum = 0
    let value = -1
    while (sum < rank) sum += this.#counts[++value]
    return value
  }
}

/** What the judge said of a dispatch. */
export interface Answered {
  readonly answer: ResponseName
  readonly latencyMs: number
  readonly wasted: boolean
}

/** Counts one policy's run. */
export class Tally {
  readonly #kinds: readonly string[]
  readonly #byKind: { requests: number; ok: number; wasted: number }[]
  readonly #minutes: { requests: number; ok: number; wasted: number; refused: number }[]
  readonly #responses: Record<ResponseName, number> = {
    page: 0,
    missing: 0,
    too_many: 0,
    challenge: 0,
    denied: 0,
    error: 0,
    outage: 0,
    offline: 0,
  }
  readonly #distance = new Histogram(MOST_KM)
  readonly #latency = new Histogram(MOST_LATENCY_MS)
  #requests = 0
  #ok = 0
  #misplaced = 0
  #refused = 0
  #wasted = 0
  #named = 0
  #inCountry = 0

  constructor(kinds: readonly string[], minutes: number) {
    this.#kinds = kinds
    this.#byKind = kinds.map(() => ({ requests: 0, ok: 0, wasted: 0 }))
    this.#minutes = Array.from({ length: minutes }, () => ({
      requests: 0,
      ok: 0,
      wasted: 0,
      refused: 0,
    }))
  }

  request(kind: number, minute: number): void {
    this.#requests++
    this.#byKind[kind].requests++
    this.#minutes[minute].requests++
  }

  refused(minute: number): void {
    this.#refused++
    this.#minutes[minute].refused++
  }

  answered(
    kind: number,
    minute: number,
    { answer, latencyMs, wasted }: Answered,
    misplaced: boolean,
  ): void {
    this.#responses[answer]++
    const came = answer === 'page' || answer === 'missing'
    if (came && misplaced) this.#misplaced++
    else if (came) {
      this.#ok++
      this.#byKind[kind].ok++
      this.#minutes[minute].ok++
      this.#latency.add(latencyMs)
    }
    if (!wasted) return
    this.#wasted++
    this.#byKind[kind].wasted++
    this.#minutes[minute].wasted++
  }

  placed(km: number): void {
    this.#distance.add(km)
  }

  named(inCountry: boolean): void {
    this.#named++
    if (inCountry) this.#inCountry++
  }

  result(
    policy: string,
    summary: string,
    used: { readonly exclusions: number; readonly probes: number },
  ): PolicyResult {
    const dispatched = this.#requests - this.#refused
    const ok = this.#ok
    return {
      policy,
      summary,
      requests: this.#requests,
      refused: this.#refused,
      dispatched,
      ok,
      misplaced: this.#misplaced,
      successShare: share(ok, dispatched),
      servedShare: share(ok, this.#requests),
      wasted: this.#wasted,
      wastedShare: share(this.#wasted, dispatched),
      exclusions: used.exclusions,
      probes: used.probes,
      responses: { ...this.#responses },
      distanceKm: this.#distance.quantiles(),
      inCountryShare: share(this.#inCountry, this.#named),
      latencyMs: this.#latency.quantiles(),
      kinds: this.#byKind.map((counts, i) => ({ kind: this.#kinds[i], ...counts })),
      minutes: this.#minutes,
    }
  }
}

/** To six digits after the point, so that figures read well in JSON. */
function share(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((part / whole) * 1e6) / 1e6
}
