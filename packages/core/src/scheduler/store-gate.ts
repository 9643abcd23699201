import { checkKey } from '../limit/key.ts'
import type { ResolvedPolicy } from '../limit/policy.ts'
import type { Gate } from '../store/gate.ts'
import type { Store } from '../store/store.ts'
import { KeptVerdict } from './kept-verdict.ts'

/** The gate of a synchronous store that has none of its own: it asks, and copies the verdict. */
export class StoreGate extends KeptVerdict implements Gate {
  readonly slot = 0
  readonly #store: Store<'sync'>
  readonly #policies: readonly ResolvedPolicy[]

  constructor(store: Store<'sync'>, policies: readonly ResolvedPolicy[]) {
    super()
    this.#store = store
    this.#policies = policies
  }

  consume(key: string, cost: number): boolean {
    checkKey(key)
    return this.keep(this.#store.consume({ key, policies: this.#policies, cost, nowMs: this.atMs }))
  }

  peek(key: string, cost: number): boolean {
    checkKey(key)
    return this.keep(this.#store.peek({ key, policies: this.#policies, cost, nowMs: this.atMs }))
  }
}
