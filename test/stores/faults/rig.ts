import { setImmediate as turn } from 'node:timers/promises'
import { Scheduler, type Agent, type Lease, type Mode, type Store } from '@ostler/core'
import { until } from '../../servers/until.ts'

export const DOMAIN = 'shop.example'
export const AGENTS: readonly Agent[] = Array.from({ length: 12 }, (_, i) => ({
  id: `a${i}`,
  country: i % 2 === 0 ? 'DE' : 'AT',
}))
export const TIERS = {
  wide: { policies: [{ name: 'wide', limit: 1_000_000, windowMs: 60_000 }] },
  tight: { policies: [{ name: 'tight', limit: 5, windowMs: 60_000 }] },
} as const

/** What a call may take, in ms. */
export const BUDGET_MS = 50

/** A scheduler on a store, with the fleet put. */
export async function openScheduler(store: Store, fleet = AGENTS): Promise<Scheduler<Mode>> {
  const scheduler = new Scheduler<Mode>({ store, tiers: TIERS, leaseMs: 5_000 })
  if (fleet.length > 0) await scheduler.agents.upsert(fleet)
  return scheduler
}

/** Schedulers that are closed together. */
export class Schedulers {
  readonly #open: Scheduler<Mode>[] = []

  async open(store: Store, fleet = AGENTS): Promise<Scheduler<Mode>> {
    const scheduler = await openScheduler(store, fleet)
    this.#open.push(scheduler)
    return scheduler
  }

  async closeAll(): Promise<void> {
    for (const scheduler of this.#open.splice(0)) await scheduler.close()
  }
}

export async function lease(scheduler: Scheduler<Mode>, id?: string): Promise<Lease> {
  const pin = id === undefined ? {} : { pin: [id] }
  const pick = await scheduler.pick({ domain: DOMAIN, ...pin })
  if (pick.kind !== 'picked') throw new Error(`expected an agent, got ${pick.cause}`)
  return pick.lease
}

export async function block(scheduler: Scheduler<Mode>, id: string): Promise<void> {
  await scheduler.report(await lease(scheduler, id), { kind: 'blocked' })
}

/** The ids that a scheduler would not give, of the whole fleet. */
export async function excluded(scheduler: Scheduler<Mode>): Promise<string[]> {
  const { agents } = await scheduler.health(DOMAIN)
  return agents.map(({ id }) => id).sort()
}

/** Resolves when the scheduler's store is back and has been told everything. Answers how long that took, in ms. */
export async function recovered(scheduler: Scheduler<Mode>): Promise<number> {
  const startMs = performance.now()
  await until('the scheduler has its store back', () => !scheduler.standing().degraded)
  return performance.now() - startMs
}

/**
 * Callers that admit, pick and report without pause, several at once, and what they met. The slowest call is measured without the time in which
 * this process itself stood still: a timer beside it says how long that was.
 */
export class Load {
  readonly codes: Map<string, number> = new Map()
  calls = 0
  degraded = 0
  exhausted = 0
  slowestMs = 0
  /** Calls in a row that the store has decided. */
  #inARow = 0
  readonly #scheduler: Scheduler<Mode>
  readonly #callers: Promise<void>[]
  readonly #beat: NodeJS.Timeout
  #beatMs = performance.now()
  #stallMs = 0
  #stopped = false

  constructor(scheduler: Scheduler<Mode>, callers = 6) {
    this.#scheduler = scheduler
    this.#beat = setInterval(() => this.#tick(), 5)
    this.#callers = Array.from({ length: callers }, (_, i) => this.#call(i))
  }

  /** Waits until so many more calls have been answered. */
  async more(calls: number): Promise<void> {
    const from = this.calls
    await until(`${calls} more calls are answered`, () => this.calls >= from + calls, 20_000)
  }

  /** Waits until the store decides again, call after call. */
  async calm(): Promise<void> {
    this.#inARow = 0
    await until('the store decides again', () => this.#inARow >= 60, 20_000)
  }

  async stop(): Promise<this> {
    this.#stopped = true
    await Promise.all(this.#callers)
    clearInterval(this.#beat)
    return this
  }

  #count(degraded: boolean): void {
    if (degraded) this.degraded++
    this.#inARow = degraded ? 0 : this.#inARow + 1
  }

  #tick(): void {
    const nowMs = performance.now()
    this.#stallMs = Math.max(this.#stallMs, nowMs - this.#beatMs - 5)
    this.#beatMs = nowMs
  }

  async #call(caller: number): Promise<void> {
    const scheduler = this.#scheduler
    for (let i = 0; !this.#stopped; i++) {
      await this.#timed(async () => {
        const decision = await scheduler.admit({ key: `k${(caller * 31 + i) % 50}`, tier: 'wide' })
        this.#count(decision.degraded)
      })
      let held: Lease | null = null
      await this.#timed(async () => {
        const pick = await scheduler.pick({ domain: DOMAIN })
        this.#count(pick.degraded)
        if (pick.kind === 'exhausted') this.exhausted++
        else held = pick.lease
      })
      if (held !== null) {
        const told = held
        await this.#timed(async () => scheduler.report(told, { kind: 'ok' }))
      }
      // Decisions made in this process take no turn of the event loop.
      await turn()
    }
  }

  async #timed(call: () => Promise<unknown>): Promise<void> {
    const startMs = performance.now()
    this.#stallMs = 0
    try {
      await call()
    } catch (error) {
      const { code } = error as { code?: string }
      this.codes.set(code ?? String(error), (this.codes.get(code ?? String(error)) ?? 0) + 1)
    }
    this.#tick()
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startMs - this.#stallMs)
    this.calls++
  }
}
