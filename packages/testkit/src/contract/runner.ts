import type { Store } from '@ostler/core'

/** What the contract needs of a test runner: vitest, node:test, mocha and jest all have it. */
export interface ContractRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

/** A fresh, empty store. It must decide at the `nowMs` that it is given, not on a clock of its own. */
export interface OpenedStore {
  readonly store: Store
  /** Another connection to the same data, where there can be one. Closed together with the first. */
  second?(): Promise<Store>
  close(): Promise<void>
}

/** One sentence of the contract. */
export interface ContractCase {
  /** `method: what it does`. */
  readonly name: string
  run(store: Store): Promise<void>
}

/** A sentence about two connections to one store. */
export interface SharedCase {
  readonly name: string
  run(first: Store, second: Store): Promise<void>
}
