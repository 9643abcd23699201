import { checkKey } from '../limit/key.ts'
import { MAX_LIMIT, type ResolvedPolicy } from '../limit/policy.ts'
import type { Gate } from '../store/gate.ts'
import type { Store, Verdict } from '../store/store.ts'

/** The gate of a synchronous store that has none of its own: it asks, and copies the verdict. */
export class StoreGate implements Gate {
  allowed = false
  policy = 'none'
  limit: number = MAX_LIMIT
  remaining: number = MAX_LIMIT
  resetAtMs = 0
  retryAfterMs = 0
  atMs = 0
  degraded = false
  readonly slot = 0
  readonly #store: Store<'sync'>
  readonly #policies: readonly ResolvedPolicy[]

  constructor(store: Store<'sync'>, policies: readonly ResolvedPolicy[]) {
    this.#store = store
    this.#policies = policies
  }

  consume(key: string, cost: number): boolean {
    checkKey(key)
    return this.#keep(
      this.#store.consume({ key, policies: this.#policies, cost, nowMs: this.atMs }),
    )
  }

  peek(key: string, cost: number): boolean {
    checkKey(key)
    return this.#keep(this.#store.peek({ key, policies: this.#policies, cost, nowMs: this.atMs }))
  }

  #keep(verdict: Verdict): boolean {
    this.allowed = verdict.allowed
    this.policy = verdict.policy
    this.limit = verdict.limit
    this.remaining = verdict.remaining
    this.resetAtMs = verdict.resetAtMs
    this.retryAfterMs = verdict.retryAfterMs
    this.atMs = verdict.atMs
    this.degraded = verdict.degraded === true
    return verdict.allowed
  }
}
