import type { ConsumeRequest, RefundRequest, ResolvedPolicy, Usage, Verdict } from '@ostler/core'
import type { Denials } from './denials.ts'
import type { Engine } from './engine.ts'
import { hashed, type Keys } from './keys.ts'
import { compile, type Compiled } from './policies.ts'
import { defineScript } from './scripts.ts'

const CONSUME = defineScript('consume', ['window', 'tat', 'policies', 'permits'])
const REFUND = defineScript('refund', ['window', 'window-refund', 'tat', 'tat-refund', 'policies'])
const USAGE = defineScript('usage', ['window', 'tat', 'policies'])

/** What `lua/consume.lua` answers. */
type Decided = readonly [
  retryAfterMs: number,
  policy: number | string,
  limit: number,
  remaining: number,
  resetAtMs: number,
  atMs: number,
]

/** The limits: what `Store` promises of consume, peek, refund and usage. One round trip each. */
export class RedisLimits {
  readonly #engine: Engine
  readonly #keys: Keys
  readonly #slack: string
  readonly #denials: Denials | null

  /** `denials`: what is remembered of denied calls; null for nothing. */
  constructor(engine: Engine, keys: Keys, denials: Denials | null) {
    this.#engine = engine
    this.#keys = keys
    this.#slack = String(engine.slackMs)
    this.#denials = denials
  }

  consume(request: ConsumeRequest): Promise<Verdict> {
    return this.#decide(request, '1')
  }

  peek(request: ConsumeRequest): Promise<Verdict> {
    return this.#decide(request, '0')
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

  #decide(request: ConsumeRequest, write: '0' | '1'): Promise<Verdict> {
    const { policies, cost, permit, opId } = request
    const digest = this.#keys.digest(request.key)
    const compiled = compile(policies)
    const given = this.#engine.given(request.nowMs)
    const denials = this.#denials
    if (denials === null || cost !== 1 || permit !== undefined || opId !== undefined) {
      return this.#ask(request, digest, compiled, given, write)
    }
    this.#engine.check()
    const known = denials.find(digest, compiled.text, reading(given))
    if (known !== null) return Promise.resolve(known)
    return this.#askAndKeep(request, digest, compiled, given, write, denials)
  }

  async #askAndKeep(
    request: ConsumeRequest,
    digest: string,
    compiled: Compiled,
    given: string,
    write: '0' | '1',
    denials: Denials,
  ): Promise<Verdict> {
    const mark = denials.mark(digest)
    const sentMs = reading(given)
    const verdict = await this.#ask(request, digest, compiled, given, write)
    if (verdict.allowed || verdict.retryAfterMs < 0) return verdict
    if (given !== '') {
      const { atMs } = verdict
      denials.keep(digest, compiled.text, verdict, mark, atMs, atMs + verdict.retryAfterMs)
      return verdict
    }
    // The server decided after `sentMs`; its clock may run a little faster than ours.
    const untilMs = sentMs + verdict.retryAfterMs * 0.999 - 2
    denials.keep(digest, compiled.text, verdict, mark, performance.now(), untilMs)
    return verdict
  }

  async #ask(
    request: ConsumeRequest,
    digest: string,
    compiled: Compiled,
    given: string,
    write: '0' | '1',
  ): Promise<Verdict> {
    const { permit, opId } = request
    const { suffixes, args, names } = compiled
    const keys = suffixes.map((suffix) => this.#keys.limit(digest, suffix))
    if (permit !== undefined) keys.push(this.#keys.limit(digest, 'p'))
    if (opId !== undefined) keys.push(this.#keys.limit(digest, `o:${hashed(opId)}`))
    // A Cluster finds the node by a key.
    if (keys.length === 0) keys.push(this.#keys.limit(digest, 'p'))
    const decided = (await this.#engine.call(CONSUME, keys, [
      given,
      write,
      this.#slack,
      String(request.cost),
      String(suffixes.length),
      permit === undefined ? '' : hashed(permit.id),
      permit === undefined ? '' : String(permit.cap),
      permit === undefined ? '' : String(permit.deadlineMs),
      opId === undefined ? '0' : '1',
      this.#keys.channel,
      ...args,
    ])) as Decided
    const [retryAfterMs, binding, limit, remaining, resetAtMs, atMs] = decided
    const policy = typeof binding === 'number' ? names[binding] : binding
    const allowed = retryAfterMs === 0
    // Another tier's denial of the same key may end at another time now.
    if (allowed && write === '1') this.#denials?.forget(digest)
    return { allowed, policy, limit, remaining, resetAtMs, retryAfterMs, atMs }
  }

  /** What needs no store to be known. */
  #nothing<T>(answer: T): T {
    this.#engine.check()
    return answer
  }
}

/** A reading of the clock that denials are kept by: the caller's, or one of ours that never jumps. */
function reading(given: string): number {
  return given === '' ? performance.now() : Number(given)
}
