import type { ConsumeRequest, RefundRequest, ResolvedPolicy, Usage, Verdict } from '@ostler/core'
import { NaivePermits } from './permits.ts'

interface Hit {
  readonly key: string
  readonly policy: string
  readonly atMs: number
  cost: number
}

interface Op {
  readonly key: string
  readonly opId: string
  readonly verdict: Verdict
  readonly cost: number
  readonly untilMs: number
}

type ExactPolicy = ResolvedPolicy & { readonly kind: 'exact' }

/**
 * The limiter as a list of hits: a call counts what is in the window, and is admitted if every policy and the permit have room.
 * Exact policies only. O(hits).
 */
export class NaiveLimiter {
  readonly #hits: Hit[] = []
  #ops: Op[] = []
  readonly permits: NaivePermits = new NaivePermits()

  consume(request: ConsumeRequest): Verdict {
    const verdict = this.peek(request)
    const { key, cost, opId, policies, permit, nowMs } = request
    if (!verdict.allowed || this.#op(key, opId, nowMs) !== undefined) return verdict
    for (const policy of policies) this.#hits.push({ key, policy: policy.name, atMs: nowMs, cost })
    if (permit !== undefined) this.permits.take(key, permit.id, permit.deadlineMs, nowMs)
    if (opId !== undefined) {
      const untilMs = Math.max(nowMs + longestWindow(policies), permit?.deadlineMs ?? 0)
      this.#ops.push({ key, opId, verdict, cost, untilMs })
    }
    return verdict
  }

  peek(request: ConsumeRequest): Verdict {
    const known = this.#op(request.key, request.opId, request.nowMs)
    if (known !== undefined) return known.verdict
    const { policies, permit, cost, nowMs } = request
    const answers = policies.map((policy) => this.#ask(request, exact(policy), cost))
    if (permit !== undefined) answers.push(this.permits.ask(request.key, permit, nowMs))
    return binding(answers, nowMs)
  }

  /** An operation is given back once, and then decided afresh: what was given back must be counted again. */
  refund(request: RefundRequest): boolean {
    const { key, opId, policies, atMs, cost, nowMs } = request
    const op = this.#op(key, opId, nowMs)
    if (opId !== undefined && op === undefined) return false
    if (op !== undefined && (op.verdict.atMs !== atMs || op.cost < cost)) return false
    let given = false
    for (const policy of policies) {
      if (this.#giveBack(request, exact(policy))) given = true
    }
    if (given && op !== undefined) this.#ops = this.#ops.filter((other) => other !== op)
    return given
  }

  /** Whether an admitted operation would give its verdict again. */
  remembers(key: string, opId: string, nowMs: number): boolean {
    return this.#op(key, opId, nowMs) !== undefined
  }

  usage(key: string, policies: readonly ResolvedPolicy[], nowMs: number): readonly Usage[] {
    return policies.map((policy) => {
      const hits = this.#counting(key, exact(policy), nowMs)
      const used = sum(hits)
      return {
        policy: policy.name,
        limit: policy.limit,
        used,
        remaining: Math.max(0, policy.limit - used),
        resetAtMs: resetAt(hits, exact(policy), nowMs),
      }
    })
  }

  #op(key: string, opId: string | undefined, nowMs: number): Op | undefined {
    if (opId === undefined) return undefined
    return this.#ops.find((op) => op.key === key && op.opId === opId && op.untilMs > nowMs)
  }

  #counting(key: string, policy: ExactPolicy, nowMs: number): Hit[] {
    return this.#hits.filter(
      (hit) =>
        hit.key === key &&
        hit.policy === policy.name &&
        hit.cost > 0 &&
        effective(hit.atMs, policy) > nowMs - policy.windowMs,
    )
  }

  #ask({ key, nowMs }: ConsumeRequest, policy: ExactPolicy, cost: number): Verdict {
    const hits = this.#counting(key, policy, nowMs)
    const used = sum(hits)
    const allowed = used + cost <= policy.limit
    return {
      allowed,
      policy: policy.name,
      limit: policy.limit,
      remaining: Math.max(0, policy.limit - used - (allowed ? cost : 0)),
      resetAtMs: allowed
        ? effective(nowMs, policy) + policy.windowMs
        : resetAt(hits, policy, nowMs),
      retryAfterMs: allowed ? 0 : this.#retryAfter(hits, policy, cost, nowMs),
      atMs: nowMs,
    }
  }

  /** Lets the oldest hits go until the call fits. */
  #retryAfter(hits: Hit[], policy: ExactPolicy, cost: number, nowMs: number): number {
    if (cost > policy.limit) return -1
    let used = sum(hits)
    for (const hit of hits.toSorted((a, b) => a.atMs - b.atMs)) {
      used -= hit.cost
      if (used + cost <= policy.limit) {
        return effective(hit.atMs, policy) + policy.windowMs - nowMs
      }
    }
    throw new Error('an empty window holds any call that its limit does')
  }

  #giveBack({ key, atMs, cost, nowMs }: RefundRequest, policy: ExactPolicy): boolean {
    const same = this.#counting(key, policy, nowMs).filter(
      (hit) => effective(hit.atMs, policy) === effective(atMs, policy),
    )
    if (sum(same) < cost) return false
    let left = cost
    for (const hit of same) {
      const part = Math.min(left, hit.cost)
      hit.cost -= part
      left -= part
    }
    return true
  }
}

/** Of a denial the one that holds out longest, of an admission the one with least left; the first of equals. */
function binding(answers: readonly Verdict[], nowMs: number): Verdict {
  const denials = answers.filter((answer) => !answer.allowed)
  if (denials.length > 0) {
    const never = denials.find((answer) => answer.retryAfterMs === -1)
    if (never !== undefined) return never
    const longest = Math.max(...denials.map((answer) => answer.retryAfterMs))
    return denials.find((answer) => answer.retryAfterMs === longest)!
  }
  if (answers.length === 0) {
    const limit = 2 ** 31 - 1
    const nothing = { remaining: limit, resetAtMs: nowMs, retryAfterMs: 0, atMs: nowMs }
    return { allowed: true, policy: 'none', limit, ...nothing }
  }
  const least = Math.min(...answers.map((answer) => answer.remaining))
  return answers.find((answer) => answer.remaining === least)!
}

function effective(atMs: number, policy: ExactPolicy): number {
  return Math.floor(atMs / policy.quantumMs) * policy.quantumMs + policy.quantumMs - 1
}

function resetAt(hits: readonly Hit[], policy: ExactPolicy, nowMs: number): number {
  if (hits.length === 0) return nowMs
  return Math.max(...hits.map((hit) => effective(hit.atMs, policy))) + policy.windowMs
}

function sum(hits: readonly Hit[]): number {
  return hits.reduce((total, hit) => total + hit.cost, 0)
}

function longestWindow(policies: readonly ResolvedPolicy[]): number {
  return Math.max(0, ...policies.map((policy) => policy.windowMs))
}

function exact(policy: ResolvedPolicy): ExactPolicy {
  if (policy.kind === 'exact') return policy
  throw new Error(`the naive limiter knows exact policies only, got ${policy.name}`)
}
