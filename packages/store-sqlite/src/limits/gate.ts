// hot path: an admission by a scheduler, without an object for its request or its verdict.

import { checkKey, MAX_LIMIT, type Gate, type ResolvedPolicy } from '@ostler/core'
import type { Transactions } from '../file/transactions.ts'
import type { Call, Limits } from './limits.ts'

interface Tables {
  readonly limits: Limits
}

/** The gate of a list of policies: it is the call and the verdict, for the tables that are open. */
export class SqliteGate implements Gate, Call {
  allowed = false
  policy = 'none'
  limit: number = MAX_LIMIT
  remaining: number = MAX_LIMIT
  // Not 0: V8 would keep a small integer here at first.
  resetAtMs: number = NaN
  retryAfterMs = 0
  atMs: number = NaN
  readonly degraded = false
  readonly slot = 0
  key = ''
  cost = 1
  readonly policies: readonly ResolvedPolicy[]
  readonly #file: Transactions<Tables>

  constructor(file: Transactions<Tables>, policies: readonly ResolvedPolicy[]) {
    this.#file = file
    this.policies = policies
  }

  consume(key: string, cost: number): boolean {
    this.#ask(key, cost)
    this.#file.change(this.atMs, this.#decide)
    return this.allowed
  }

  peek(key: string, cost: number): boolean {
    this.#ask(key, cost)
    this.#file.read(this.atMs, this.#look)
    return this.allowed
  }

  /** A key that has a row is not checked again. */
  #ask(key: string, cost: number): void {
    if (this.policies.length === 0) checkKey(key)
    this.key = key
    this.cost = cost
  }

  readonly #decide = ({ limits }: Tables, nowMs: number): void => {
    limits.decide(this, this, nowMs, true)
  }

  readonly #look = ({ limits }: Tables, nowMs: number): void => {
    limits.decide(this, this, nowMs, false)
  }
}
