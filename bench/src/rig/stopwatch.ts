import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'

/** Calls shorter than this are only counted. */
const WORTH_NOTING_MS = 0.2
const SETTLING_MS = 500

interface Noted {
  readonly startMs: number
  readonly ms: number
}

export interface Stalls {
  /** The longest call, collections included. */
  readonly worstMs: number
  /** The longest, what the collector took during each call aside. */
  readonly withoutCollectionsMs: number
  readonly calls: number
}

/** Watches single calls for the longest, and tells what of it was the garbage collector's. */
export class Stopwatch {
  readonly #slow: Noted[] = []
  readonly #collections: Noted[] = []
  readonly #observer: PerformanceObserver
  #calls = 0
  #worstMs = 0
  #passing: { readonly before: null } | null = null

  constructor() {
    this.#observer = new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        this.#collections.push({ startMs: startTime, ms: duration })
      }
    })
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  /**
   * What was made for the calls is not theirs to clear away: it is collected first. Nor is what such a collection leaves behind, memory that is
   * yet to be swept and a young generation without pages: time goes by, and much that dies young. Needs --expose-gc.
   */
  begin(): void {
    globalThis.gc?.()
    const untilMs = performance.now() + SETTLING_MS
    while (performance.now() < untilMs) this.#passing = { before: this.#passing?.before ?? null }
  }

  /** A process that the system lets wait for others is not stalled by its own doing: time on the processor bounds what a call took. */
  time(call: () => void): void {
    const startMs = performance.now()
    const cpu = process.cpuUsage()
    call()
    const { user, system } = process.cpuUsage(cpu)
    const ms = Math.min(performance.now() - startMs, (user + system) / 1_000)
    this.#calls++
    if (ms > this.#worstMs) this.#worstMs = ms
    if (ms > WORTH_NOTING_MS) this.#slow.push({ startMs, ms })
  }

  async stalls(): Promise<Stalls> {
    // Collections are told of in a later turn.
    for (let turn = 0; turn < 3; turn++) await setImmediate()
    this.#observer.disconnect()
    let withoutCollectionsMs = Math.min(this.#worstMs, WORTH_NOTING_MS)
    for (const { startMs, ms } of this.#slow) {
      const own = ms - this.#collectedMs(startMs, startMs + ms)
      if (own > withoutCollectionsMs) withoutCollectionsMs = own
    }
    return { worstMs: this.#worstMs, withoutCollectionsMs, calls: this.#calls }
  }

  #collectedMs(fromMs: number, toMs: number): number {
    let sum = 0
    for (const { startMs, ms } of this.#collections) {
      sum += Math.max(0, Math.min(toMs, startMs + ms) - Math.max(fromMs, startMs))
    }
    return sum
  }
}
