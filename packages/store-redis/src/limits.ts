// hot path: admissions pass here; what is known of their policies is looked up, not made.

import type {
  ConsumeRequest,
  OstlerError,
  RefundRequest,
  ResolvedPolicy,
  Usage,
  Verdict,
} from '@ostler/core'
import { ADMIT, CONSUME, ConsumeCall, ConsumeRoute, argumentsOf } from './consume.ts'
import type { Denials } from './denials.ts'
import type { Engine } from './engine.ts'
import { hashed, type Keys } from './keys.ts'
import { compile, type Compiled } from './policies.ts'
import { Driven } from './driven.ts'

const REFUND = new Driven('refund', [
  'window',
  'window-refund',
  'tat',
  'tat-refund',
  'policies',
  'policy',
])
const USAGE = new Driven('usage', ['window', 'tat', 'policies', 'policy'])

interface Routes {
  readonly plain: ConsumeRoute
  readonly other: ConsumeRoute
}

/** The limits: what `Store` promises of consume, peek, refund and usage. One round trip each. */
export class RedisLimits {
  readonly #engine: Engine
  readonly #keys: Keys
  readonly #slack: string
  readonly #denials: Denials | null
  /** By what the policies were compiled to, which lives as long as their list. */
  readonly #routes = new WeakMap<Compiled, Routes>()

  /** `denials`: what is remembered of denied calls; null for nothing. */
  constructor(engine: Engine, keys: Keys, denials: Denials | null) {
    this.#engine = engine
    this.#keys = keys
    this.#slack = String(engine.slackMs)
    this.#denials = denials
  }

  consume(request: ConsumeRequest): Promise<Verdict> {
    return this.#decide(request, true)
  }

  peek(request: ConsumeRequest): Promise<Verdict> {
    return this.#decide(request, false)
  }

  async refund(request: RefundRequest): Promise<boolean> {
    const { policies, cost, atMs, opId, nowMs } = request
    const digest = this.#keys.digest(request.key)
    const { suffixes, args } = compile(policies)
    const given = this.#engine.given(nowMs)
    if (suffixes.length === 0) return this.#nothing(false)
    const keys = suffixes.map((suffix) => this.#keys.limit(digest, suffix))
    if (opId !== undefined) keys.push(this.#keys.limit(digest, `o:${hashed(opId)}`))
    const head = [given, this.#slack, String(cost), String(atMs)]
    const tail = [String(suffixes.length), opId === undefined ? '0' : '1', this.#keys.channel]
    try {
      return (await this.#engine.call(REFUND, keys, [...head, ...tail, ...args])) === 1
    } finally {
      // Also where it failed: it may have been carried out.
      this.#denials?.forget(digest)
    }
  }

  async usage(
    key: string,
    policies: readonly ResolvedPolicy[],
    nowMs: number,
  ): Promise<readonly Usage[]> {
    const digest = this.#keys.digest(key)
    const { suffixes, args } = compile(policies)
    const given = this.#engine.given(nowMs)
    if (suffixes.length === 0) return this.#nothing([])
    const keys = suffixes.map((suffix) => this.#keys.limit(digest, suffix))
    const head = [given, String(suffixes.length)]
    const answer = (await this.#engine.call(USAGE, keys, [...head, ...args])) as readonly number[]
    return policies.map((policy, i) => {
      const limit = policy.kind === 'exact' ? policy.limit : policy.burst
      const [used, resetAtMs] = [answer[2 * i], answer[2 * i + 1]]
      return { policy: policy.name, limit, used, remaining: Math.max(0, limit - used), resetAtMs }
    })
  }

  #decide(request: ConsumeRequest, write: boolean): Promise<Verdict> {
    const { key } = request
    const compiled = compile(request.policies)
    const given = this.#engine.given(request.nowMs)
    const denials = this.#denials
    const digest = denials?.digestOf(key) ?? this.#keys.digest(key)
    let mark: number | null = null
    if (denials !== null && request.cost === 1 && !isNamed(request)) {
      this.#engine.check()
      const denial = denials.knows(digest)
        ? denials.find(digest, compiled.text, reading(given))
        : null
      if (denial !== null) return Promise.resolve(denial)
      mark = denials.mark(digest)
    }
    const verdict = new Promise<Verdict>(takeEnds)
    const keys = this.#keysOf(request, digest, compiled)
    const args = argumentsOf(request, given, write)
    const call = new ConsumeCall(request, digest, keys, args, mark, resolveTaken, rejectTaken)
    const routes = this.#routesOf(compiled)
    this.#engine.ask(args.length === 0 ? routes.plain : routes.other, call)
    return verdict
  }

  #keysOf(request: ConsumeRequest, digest: string, { suffixes }: Compiled): readonly string[] {
    const { permit, opId } = request
    const keys: string[] = []
    for (const suffix of suffixes) keys.push(this.#keys.limit(digest, suffix))
    if (permit !== undefined) keys.push(this.#keys.limit(digest, 'p'))
    if (opId !== undefined) keys.push(this.#keys.limit(digest, `o:${hashed(opId)}`))
    // A Cluster finds the node by a key.
    if (keys.length === 0) keys.push(this.#keys.limit(digest, 'p'))
    return keys
  }

  #routesOf(compiled: Compiled): Routes {
    let routes = this.#routes.get(compiled)
    if (routes === undefined) {
      const [slack, { channel }, denials] = [this.#slack, this.#keys, this.#denials]
      const plain = compiled.isOneExact ? ADMIT : CONSUME
      routes = {
        plain: new ConsumeRoute(plain, true, compiled, slack, channel, denials),
        other: new ConsumeRoute(CONSUME, false, compiled, slack, channel, denials),
      }
      this.#routes.set(compiled, routes)
    }
    return routes
  }

  /** What needs no store to be known. */
  #nothing<T>(answer: T): T {
    this.#engine.check()
    return answer
  }
}

let resolveTaken: (verdict: Verdict) => void
let rejectTaken: (error: OstlerError) => void

/** What makes a promise: one function for all of them, for each would else have one made. */
function takeEnds(resolve: (verdict: Verdict) => void, reject: (error: unknown) => void): void {
  resolveTaken = resolve
  rejectTaken = reject
}

/** Whether a call brings a name of its own: what it comes to depends on more than its policies. */
function isNamed({ permit, opId }: ConsumeRequest): boolean {
  return permit !== undefined || opId !== undefined
}

/** A reading of the clock that denials are kept by: the caller's, or one of ours that never jumps. */
function reading(given: string): number {
  return given === '' ? performance.now() : Number(given)
}
