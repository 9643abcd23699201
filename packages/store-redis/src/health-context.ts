import { randomBytes } from 'node:crypto'
import type { Call, Route } from './call.ts'
import type { Driven } from './driven.ts'
import type { CallOptions, Engine } from './engine.ts'
import type { Keys } from './keys.ts'

/** Redis takes the base of a new server's versions from this many bits of chance. */
const DRAWS = 2 ** 20
/** The most domains whose keys are remembered. */
const MOST_DOMAINS = 10_000

/**
 * What the health and the fleet half of a store share: keys of one hash tag, arguments, and whom
 * changes come from.
 */
export class HealthContext {
  readonly keys: Keys
  /** The counters and the time of all: the first key of every decision. */
  readonly meta: string
  /** This store, among those that hear of each other's changes. */
  readonly who: string = randomBytes(6).toString('hex')
  readonly #engine: Engine
  readonly #parts = new Map<string, readonly string[]>()
  readonly #durable: CallOptions | undefined

  /** `replicated`: what is decided about a pair resolves once replicas have it. */
  constructor(engine: Engine, keys: Keys, options: { readonly replicated?: boolean } = {}) {
    this.#engine = engine
    this.keys = keys
    this.meta = keys.health('meta')
    this.#durable = options.replicated === true ? { replicated: true } : undefined
  }

  /** The arguments that `open_meta` reads. */
  head(nowMs: number): [given: string, draw: number, slackMs: number] {
    const draw = Math.floor(Math.random() * DRAWS)
    return [this.#engine.given(nowMs), draw, this.#engine.slackMs]
  }

  /** The arguments that `announce` reads, the domain's name aside. */
  headOfChange(nowMs: number): (string | number)[] {
    return [...this.head(nowMs), this.keys.channel, this.who]
  }

  /** The counters, and all keys of a domain in the order that the scripts count on. */
  domainKeys(domain: string): string[] {
    return [this.meta, ...this.partsOf(domain)]
  }

  /** All keys of a domain in the order that the scripts count on; the last few are remembered. */
  partsOf(domain: string): readonly string[] {
    let parts = this.#parts.get(domain)
    if (parts === undefined) {
      parts = ['m', 'd', 'v', 'o', 'i', 's'].map((part) => this.keys.health(`${part}:${domain}`))
      if (this.#parts.size >= MOST_DOMAINS) this.#parts.clear()
      this.#parts.set(domain, parts)
    }
    return parts
  }

  /** The counters, and some keys of the fleet. */
  fleetKeys(...parts: readonly string[]): string[] {
    return [this.meta, ...parts.map((part) => this.keys.health(part))]
  }

  call(
    script: Driven,
    keys: string[],
    args: (string | number)[],
    options?: CallOptions,
  ): Promise<unknown> {
    return this.#engine.call(script, keys, args, options)
  }

  /** Whether the caller's time decides. */
  get isCallers(): boolean {
    return this.#engine.clock === undefined
  }

  /** Has a call answered that takes its answer by itself. */
  ask<C extends Call>(route: Route<C>, call: C): void {
    this.#engine.ask(route, call)
  }

  /** A decision that must outlast a failover where the options say so. */
  decide(script: Driven, keys: string[], args: (string | number)[]): Promise<unknown> {
    return this.#engine.call(script, keys, args, this.#durable)
  }
}
