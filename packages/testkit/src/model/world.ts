import type {
  AdmitRequest,
  Agent,
  Decision,
  Lease,
  Permit,
  PickRequest,
  Scheduler,
  Tier,
} from '@ostler/core'
import type { ManualClock } from '../clock.ts'
import { NaiveLimiter } from '../naive/limiter.ts'
import { NaiveScheduler, type NaiveOptions, type NaivePick } from '../naive/scheduler.ts'
import type { NaiveQuestion } from '../naive/question.ts'

export interface WorldOptions {
  readonly tiers: Readonly<Record<string, Tier>>
  readonly naive: NaiveOptions
}

/** What the commands of one script act on: the scheduler, the model beside it, and what they were given so far. */
export class World {
  readonly scheduler: Scheduler<'sync'>
  readonly clock: ManualClock
  readonly naive: NaiveScheduler
  readonly limiter: NaiveLimiter = new NaiveLimiter()
  readonly tiers: Readonly<Record<string, Tier>>
  /** Every lease, told or not, in the order of the picks. */
  readonly leases: Lease[] = []
  /** Every admitted decision, and the permits of those that have one. */
  readonly decisions: Decision[] = []
  readonly permits: Permit[] = []
  readonly requests: Map<Decision, AdmitRequest> = new Map()
  readonly refunded: Set<Decision> = new Set()
  /** The last `retryAtMs` that a refusal named; 0 before any. */
  retryAtMs = 0
  #newestMs = 0
  #order: readonly string[] | null = null

  constructor(scheduler: Scheduler<'sync'>, clock: ManualClock, options: WorldOptions) {
    this.scheduler = scheduler
    this.clock = clock
    this.tiers = options.tiers
    this.naive = new NaiveScheduler(options.naive)
  }

  /** The instant at which the scheduler decides: its time does not step back. For use along with a call of it. */
  nowMs(): number {
    this.#newestMs = Math.max(this.#newestMs, this.clock.nowMs())
    return this.#newestMs
  }

  /** A request as the model is asked; requests of scripts name their domain. */
  question(request: PickRequest): NaiveQuestion {
    this.#order ??= [...this.scheduler.agents.values()].map(({ id }) => id)
    return { request, domain: request.domain!, nowMs: this.nowMs(), order: this.#order }
  }

  /** What the model would pick. */
  ask(request: PickRequest): NaivePick {
    return this.naive.explain(this.question(request))
  }

  /** The decision of an operation that is still remembered. */
  remembered(key: string, opId: string | undefined): Decision | undefined {
    if (opId === undefined || !this.limiter.remembers(key, opId, this.nowMs())) return undefined
    return this.decisions.findLast((known) => known.key === key && known.opId === opId)
  }

  upsert(agents: readonly Agent[]): void {
    this.nowMs()
    this.scheduler.agents.upsert(agents)
    this.naive.fleet.upsert(agents)
    this.#order = null
  }

  remove(ids: readonly string[]): void {
    this.nowMs()
    this.scheduler.agents.remove(ids)
    for (const id of ids) this.naive.remove(id)
    this.#order = null
  }

  drain(ids: readonly string[]): void {
    this.nowMs()
    this.scheduler.agents.drain(ids)
    for (const id of ids) this.naive.fleet.drain(id)
    this.#order = null
  }
}
