import { OstlerError } from '@ostler/core'
import type { Budget, Waiting } from './budget.ts'
import type { Link } from './client.ts'
import type { Script } from './scripts.ts'

/** One decision that was asked for, until it is answered or its budget is over. */
export class Call implements Waiting {
  deadlineMs = 0
  before: Waiting | null = null
  after: Waiting | null = null
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
  readonly #budget: Budget
  readonly #resolve: (answer: unknown) => void
  readonly #reject: (error: OstlerError) => void
  #settled = false

  constructor(
    keys: readonly string[],
    args: readonly (string | number)[],
    budget: Budget,
    resolve: (answer: unknown) => void,
    reject: (error: OstlerError) => void,
  ) {
    this.keys = keys
    this.args = args
    this.#budget = budget
    this.#resolve = resolve
    this.#reject = reject
    budget.add(this)
  }

  answer(answer: unknown): void {
    if (this.#settled) return
    this.#settled = true
    this.#budget.remove(this)
    this.#resolve(answer)
  }

  fail(error: OstlerError): void {
    if (this.#settled) return
    this.#settled = true
    this.#budget.remove(this)
    this.#reject(error)
  }

  expire(): void {
    this.#settled = true
    const budget = `the budget of ${this.#budget.budgetMs} ms`
    const message = `Redis has not answered within ${budget}; the call may have been carried out`
    this.#reject(new OstlerError('STORE_UNAVAILABLE', message))
  }
}

/** Decisions of one script that travel together. */
export interface Batch {
  readonly script: Script
  readonly link: Link
  readonly replicated: boolean
  readonly calls: Call[]
  /** Keys and arguments of all. */
  size: number
}

/** What follows the script in an EVALSHA: how many keys, the keys, and what the driver reads. */
export function argumentsOf(calls: readonly Call[]): (string | number)[] {
  const all: (string | number)[] = [0]
  for (const call of calls) for (const key of call.keys) all.push(key)
  all[0] = all.length - 1
  all.push(calls.length)
  for (const call of calls) {
    all.push(call.keys.length, call.args.length)
    for (const arg of call.args) all.push(arg)
  }
  return all
}

/** What stands in the first key's braces: keys of one tag are in one slot of a Cluster. */
export function tagOf(keys: readonly string[]): string {
  const [key] = keys
  return key === undefined ? '' : key.slice(key.indexOf('{') + 1, key.indexOf('}'))
}
