import type { IncidentPolicy } from '@ostler/core'

const BUCKET_MS = 5_000
const BUCKETS = 12
const QUIET_MS = 3_600_000

/** One trouble of a domain, as its guard sees it. */
export interface NaiveTrouble {
  readonly exit: string
  /** A block, challenge or target error; a rate limit is none. */
  readonly failed: boolean
  /** The pair was available, and is not any more. */
  readonly newlyExcluded: boolean
  /** Dispatches of the domain on their way, this one aside. */
  readonly inFlight: number
  /** Distinct exits of the fleet. */
  readonly exits: number
}

/** One domain's guard against pressure, as lists of what happened. */
export class NaiveIncident {
  #openedAtMs = 0
  #newestMs = 0
  #newlyExcludedAtMs: number[] = []
  /** Exits that failed since the last ok. */
  #failed: string[] = []
  /** Dispatches since the first of them failed, those on their way then included. */
  #tried = 0
  readonly #policy: IncidentPolicy

  constructor(policy: IncidentPolicy) {
    this.#policy = policy
  }

  /** 0 while none is open. */
  openedAtMs(nowMs: number): number {
    return this.#isQuiet(nowMs) ? 0 : this.#openedAtMs
  }

  /** When an open incident ends by silence. */
  get endsAtMs(): number {
    return this.#newestMs + QUIET_MS
  }

  dispatched(): void {
    if (this.#failed.length > 0) this.#tried++
  }

  succeeded(nowMs: number): void {
    if (this.#isQuiet(nowMs) || this.#openedAtMs > 0) this.#newlyExcludedAtMs = []
    this.#openedAtMs = 0
    this.#failed = []
  }

  trouble(trouble: NaiveTrouble, nowMs: number): void {
    const { exit, failed, newlyExcluded, inFlight, exits } = trouble
    if (this.#isQuiet(nowMs)) {
      this.#openedAtMs = 0
      this.#newlyExcludedAtMs = []
      this.#failed = []
    }
    if (this.#openedAtMs > 0) {
      this.#newestMs = nowMs
      return
    }
    if (!failed && !newlyExcluded) return
    this.#newestMs = nowMs
    if (newlyExcluded) this.#newlyExcludedAtMs.push(nowMs)
    if (failed && !this.#failed.includes(exit)) {
      if (this.#failed.length === 0) this.#tried = inFlight + 1
      this.#failed.push(exit)
    }
    const { minExclusions, exclusionShare, minFailures, failureShare } = this.#policy
    const wave = this.#recent(nowMs) > Math.max(minExclusions, exclusionShare * exits)
    const enough = Math.max(minFailures, failureShare * Math.min(this.#tried, exits))
    if (wave || (failed && this.#failed.length >= enough)) {
      this.#openedAtMs = nowMs
      this.#newlyExcludedAtMs = []
      this.#failed = []
    }
  }

  /** Newly excluded exits of the last minute: this bucket of 5 s and the 11 before it. */
  #recent(nowMs: number): number {
    const first = Math.floor(nowMs / BUCKET_MS) - BUCKETS + 1
    return this.#newlyExcludedAtMs.filter((atMs) => Math.floor(atMs / BUCKET_MS) >= first).length
  }

  #isQuiet(nowMs: number): boolean {
    return nowMs - this.#newestMs >= QUIET_MS
  }
}
