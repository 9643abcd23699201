import { OstlerError } from '../errors.ts'
import type { StoredAgent } from '../pick/agent.ts'
import type { Mode, SettleRequest, Store } from '../store/store.ts'

/** A call that a store out of reach is owed. */
export type Owed =
  | { readonly kind: 'settle'; readonly request: SettleRequest }
  /** A permit that was given meanwhile, and is still held. */
  | {
      readonly kind: 'hold'
      readonly key: string
      readonly permitId: string
      readonly deadlineMs: number
    }
  | { readonly kind: 'release'; readonly key: string; readonly permitId: string }
  | {
      readonly kind: 'exclude'
      readonly exit: string
      readonly domain: string
      readonly untilMs: number
    }
  | { readonly kind: 'restore'; readonly exit: string; readonly domain: string }
  | { readonly kind: 'put'; readonly agents: readonly StoredAgent[] }
  | { readonly kind: 'remove'; readonly ids: readonly string[] }

/** Above any cap: what was given is held, whatever others were given meanwhile. */
const MOST_PERMITS = 2_147_483_647

/** The calls that a store is owed, in order, at most `most`. */
export class Debt {
  repaid = 0
  dropped = 0
  readonly #most: number
  #calls: Owed[] = []
  #next = 0

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#calls.length - this.#next
  }

  get hasRoom(): boolean {
    return this.size < this.#most
  }

  /** Where there is no room, a report or a release is given up: its slot frees itself at its deadline. */
  add(owed: Owed): void {
    if (this.hasRoom) this.#calls.push(owed)
    else this.dropped++
  }

  /** Makes the calls one after the other; stops with the error where the store is out of reach again. What it refuses is dropped. */
  async repay(store: Store<Mode>, nowMs: () => number): Promise<void> {
    while (this.size > 0) {
      try {
        await call(store, this.#calls[this.#next], nowMs())
        this.repaid++
      } catch (error) {
        if (!(error instanceof OstlerError) || error.code === 'STORE_UNAVAILABLE') throw error
        this.dropped++
      }
      this.#next++
    }
    this.#calls = []
    this.#next = 0
  }
}

async function call(store: Store<Mode>, owed: Owed, nowMs: number): Promise<void> {
  switch (owed.kind) {
    case 'settle':
      await store.settle(owed.request)
      return
    case 'hold': {
      const { key, permitId: id, deadlineMs } = owed
      const permit = { id, cap: MOST_PERMITS, deadlineMs }
      if (deadlineMs > nowMs) await store.consume({ key, policies: [], cost: 1, nowMs, permit })
      return
    }
    case 'release':
      await store.release(owed.key, owed.permitId, nowMs)
      return
    case 'exclude':
      if (owed.untilMs > nowMs) await store.exclude(owed.exit, owed.domain, owed.untilMs, nowMs)
      return
    case 'restore':
      await store.restore(owed.exit, owed.domain, nowMs)
      return
    case 'put':
      await store.putAgents(owed.agents)
      return
    case 'remove':
      await store.removeAgents(owed.ids)
      return
    default:
      owed satisfies never
  }
}
