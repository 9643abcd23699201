import { OstlerError } from '@ostler/core'
import type { Waiting } from './budget.ts'
import type { Link } from './client.ts'
import { failureOf, isReadOnly } from './failures.ts'
import type { Script } from './scripts.ts'

/** One decision that is asked for. Exactly one of its methods is called, once. */
export interface Call {
  /** All that the decision touches. */
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
  fail(error: OstlerError): void
}

/** What decisions have in common that may travel as one EVALSHA. */
export interface Route<C extends Call = Call> {
  /** Tells routes apart. */
  readonly id: string
  readonly script: Script
  /** The most calls in one EVALSHA: a script must not hold up the server (32 picks: under 1 ms). */
  readonly most: number
  /** What decisions touch beside their own keys, which come after it. */
  sharedKeys(calls: readonly C[]): readonly string[]
  /** Strings of the reply come as bytes. */
  readonly bytes: boolean
  /** Adds what follows the keys of all calls. */
  addArguments(all: (string | number)[], calls: readonly C[]): void
  /** Hands each call its part of a reply; answers the server's time, 0 where it was not asked for. */
  answer(reply: unknown, batch: Batch<C>): number
}

/** Decisions of one route that travel together. */
export class Batch<C extends Call = Call> implements Waiting {
  readonly route: Route<C>
  readonly link: Link
  readonly replicated: boolean
  readonly budgetMs: number
  readonly calls: C[] = []
  /** Keys and arguments of all. */
  size = 0
  /** When it was sent, and when its budget is over, by `performance.now()`. */
  sentMs = 0
  deadlineMs = 0
  before: Waiting | null = null
  after: Waiting | null = null
  /** Its budget is over: what comes now comes too late. */
  expired = false

  constructor(route: Route<C>, link: Link, replicated: boolean, budgetMs: number) {
    this.route = route
    this.link = link
    this.replicated = replicated
    this.budgetMs = budgetMs
  }

  get weight(): number {
    return this.calls.length
  }

  fail(error: OstlerError): void {
    for (const call of this.calls) call.fail(error)
  }

  expire(): void {
    this.expired = true
    const budget = `the budget of ${this.budgetMs} ms`
    const message = `Redis has not answered within ${budget}; the call may have been carried out`
    this.fail(new OstlerError('STORE_UNAVAILABLE', message))
  }

  /** What a call fails with, by the message that its decision ended with. */
  failureOf(message: string): OstlerError {
    if (isReadOnly(message)) this.link.renew()
    return failureOf(message)
  }

  /** A command that has a script decide: `script` is its name or its text. */
  command(script: string): (string | number)[] {
    const { route, calls } = this
    const all: (string | number)[] = [script, 0, ...route.sharedKeys(calls)]
    for (const call of calls) for (const key of call.keys) all.push(key)
    all[1] = all.length - 2
    route.addArguments(all, calls)
    return all
  }
}

/** What stands in the first key's braces: keys of one tag are in one slot of a Cluster. */
export function tagOf(keys: readonly string[]): string {
  const [key] = keys
  return key === undefined ? '' : key.slice(key.indexOf('{') + 1, key.indexOf('}'))
}
