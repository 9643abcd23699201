import { OstlerError, type Clock } from '@ostler/core'
import { Budget } from './budget.ts'
import { Batch, tagOf, type Call, type Route } from './call.ts'
import { Link } from './client.ts'
import { DrivenCall, type Driven } from './driven.ts'
import { Sender } from './sender.ts'
import { ServerClock } from './server-clock.ts'

/** The most keys and arguments in one EVALSHA, but for those of a single decision. */
const MOST_ARGUMENTS = 4_096
/** The most calls that are waited for at once. */
const MOST_WAITING = 16_384
/** Virtual time may stand still while the server's runs. */
const DAY_MS = 86_400_000

export interface EngineOptions {
  /** How long a call may take, in ms. */
  readonly budgetMs: number
  /** Whose clock decides. */
  readonly time: 'server' | 'caller'
  /** How many replicas must have what a replicated call decided. */
  readonly replicas: number
}

export interface CallOptions {
  /**
   * Resolve only once enough replicas have the decision too. Goes over a connection of its own, so
   * that nothing else waits for replicas. Where too few had it in time it is decided all the same.
   */
  readonly replicated?: boolean
  /** Another budget than the store's, in ms, for a decision that is known to be long. */
  readonly budgetMs?: number
}

const USUAL: CallOptions = {}

/**
 * Has decisions made by scripts. Those of one route that are asked for in the same tick (on a
 * Cluster: and with the same hash tag) travel as one EVALSHA. No call takes longer than its
 * budget; none is ever sent twice.
 */
export class Engine {
  readonly link: Link
  /** The server's clock where it decides, else undefined. */
  readonly clock: Clock | undefined
  /** What every TTL gets on top, in ms: deadlines in the values decide, a TTL only frees memory. */
  readonly slackMs: number
  readonly #sender: Sender
  readonly #caller: boolean
  readonly #budget: Budget
  /** Of calls with a budget of their own, by ms. */
  readonly #budgets = new Map<number, Budget>()
  /** What waits to be sent: by route where that tells all. */
  readonly #queued = new Map<Route | string, Batch>()
  readonly #flush = (): void => this.#sendAll()
  /** For decisions that wait for replicas: WAIT blocks its connection. */
  #slow: Link | undefined
  #scheduled = false
  #closed = false
  #lastMs = 0

  constructor(link: Link, options: EngineOptions) {
    this.link = link
    this.#caller = options.time === 'caller'
    const clock = new ServerClock()
    this.clock = this.#caller ? undefined : clock
    this.#sender = new Sender(clock, options.replicas)
    this.slackMs = this.#caller ? DAY_MS : 1_000
    this.#budget = new Budget(options.budgetMs)
  }

  get budgetMs(): number {
    return this.#budget.budgetMs
  }

  /** What a script is told of the time: nothing where the server's clock decides. */
  given(nowMs: number): string {
    if (!this.#caller) return ''
    if (nowMs > this.#lastMs) this.#lastMs = nowMs
    return String(this.#lastMs)
  }

  /**
   * Has one decision made; every key that it touches is declared. Answers what `decide` answered.
   * @throws OstlerError STORE_UNAVAILABLE, CLOSED, or what the script refused with
   */
  call(
    script: Driven,
    keys: readonly string[],
    args: readonly (string | number)[],
    options: CallOptions = USUAL,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.ask(script, new DrivenCall(keys, args, resolve, reject), options)
    })
  }

  /** The same for a call that takes its answer by itself. Throws nothing: such a call fails. */
  ask<C extends Call>(route: Route<C>, call: C, options: CallOptions = USUAL): void {
    if (this.#closed) return call.fail(closedError())
    const link = options.replicated === true ? this.#slowLink() : this.link
    const { starting } = link
    if (starting === null) this.#enqueue(link, route, call, options)
    else void starting.then(() => this.#enqueue(link, route, call, options))
  }

  /**
   * Later calls fail; those under way are answered or run out of budget. Then closes the
   * connections that are the store's own.
   */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#sendAll()
    this.#closed = true
    const budgets = [this.#budget, ...this.#budgets.values()]
    await Promise.all(budgets.map((budget) => budget.close()))
    this.#slow?.close()
    this.link.close()
  }

  /** @throws OstlerError CLOSED */
  check(): void {
    if (this.#closed) throw closedError()
  }

  #slowLink(): Link {
    return (this.#slow ??= new Link(this.link.duplicate(), true, this.budgetMs))
  }

  #enqueue<C extends Call>(link: Link, route: Route<C>, call: C, options: CallOptions): void {
    if (this.#closed) return call.fail(closedError())
    if (!link.ready) return call.fail(link.absent())
    const budget = this.#budgetOf(options.budgetMs)
    // What is not sent yet is not counted: less than a batch of each kind.
    if (budget.size >= MOST_WAITING) {
      const message = `at most ${MOST_WAITING} calls can wait for Redis at once`
      return call.fail(new OstlerError('STORE_UNAVAILABLE', message))
    }
    const group = groupOf(link, route, call, options)
    let batch = this.#queued.get(group) as Batch<C> | undefined
    if (batch === undefined) {
      batch = new Batch(route, link, options.replicated === true, budget.budgetMs)
      this.#queued.set(group, batch)
    }
    batch.calls.push(call)
    batch.size += call.keys.length + call.args.length
    if (batch.calls.length === route.most || batch.size >= MOST_ARGUMENTS) {
      this.#queued.delete(group)
      this.#send(batch)
    } else if (!this.#scheduled) {
      this.#scheduled = true
      // A tick callback runs once all promise callbacks have: whoever was answered in the same
      // turn has asked again by then.
      process.nextTick(this.#flush)
    }
  }

  #budgetOf(budgetMs: number = this.budgetMs): Budget {
    if (budgetMs === this.budgetMs) return this.#budget
    let budget = this.#budgets.get(budgetMs)
    if (budget === undefined) {
      budget = new Budget(budgetMs)
      this.#budgets.set(budgetMs, budget)
    }
    return budget
  }

  #send(batch: Batch): void {
    void this.#sender.send(batch, this.#budgetOf(batch.budgetMs))
  }

  #sendAll(): void {
    this.#scheduled = false
    for (const batch of this.#queued.values()) this.#send(batch)
    this.#queued.clear()
  }
}

/** Calls of one group may travel together. */
function groupOf(link: Link, route: Route, call: Call, options: CallOptions): Route | string {
  if (options === USUAL && !link.cluster) return route
  const { replicated = false, budgetMs = 0 } = options
  return `${route.id} ${replicated} ${budgetMs} ${link.cluster ? tagOf(call.keys) : ''}`
}

function closedError(): OstlerError {
  return new OstlerError('CLOSED', 'the Redis store is closed')
}
