import { MAX_LIMIT, type ResolvedPolicy } from '../limit/policy.ts'
import { memoryStore } from '../store/memory.ts'
import type { ConsumeRequest, RefundRequest, Store, Usage, Verdict } from '../store/store.ts'
import type { Debt } from './debt.ts'
import type { ResolvedDegraded } from './degraded-options.ts'

/** A denied caller may come back when the store is likely to have been asked again. */
const ASK_AGAIN_MS = 1_000

/**
 * Counts limits by this process's share of each while the store is out of reach. It outlives an outage, so that a window that sees several of
 * them admits the share once.
 */
export class Shares {
  readonly #options: ResolvedDegraded
  readonly #debt: Debt
  readonly #local: Store<'sync'> = memoryStore()
  readonly #shares: WeakMap<readonly ResolvedPolicy[], readonly ResolvedPolicy[]> = new WeakMap()

  constructor(options: ResolvedDegraded, debt: Debt) {
    this.#options = options
    this.#debt = debt
  }

  /** What the store would be asked to `consume`, or with `write` false to `peek`. */
  consume(request: ConsumeRequest, write: boolean): Verdict {
    const { limits } = this.#options
    if (limits !== 'local') return blanket(limits === 'allow', request.nowMs)
    const verdict = this.#shared(request, write)
    const { key, permit } = request
    if (write && verdict.allowed && permit !== undefined) {
      this.#hold(key, permit.id, permit.deadlineMs)
    }
    return verdict
  }

  #shared(request: ConsumeRequest, write: boolean): Verdict {
    const { permit, policies, cost } = request
    const shared: ConsumeRequest = {
      ...request,
      policies: this.#of(policies),
      ...(permit !== undefined && { permit: { ...permit, cap: this.#share(permit.cap) } }),
    }
    const verdict = write ? this.#local.consume(shared) : this.#local.peek(shared)
    // What does not fit a share may fit the limit, once the store is back.
    const fits = policies.every((policy) => cost <= capacityOf(policy))
    if (verdict.retryAfterMs !== -1 || !fits) return { ...verdict, degraded: true }
    return { ...verdict, retryAfterMs: ASK_AGAIN_MS, degraded: true }
  }

  refund(request: RefundRequest): boolean {
    return this.#local.refund({ ...request, policies: this.#of(request.policies) })
  }

  usage(key: string, policies: readonly ResolvedPolicy[], nowMs: number): readonly Usage[] {
    return this.#local.usage(key, this.#of(policies), nowMs)
  }

  permits(key: string, nowMs: number): number {
    return this.#local.permits(key, nowMs)
  }

  renew(key: string, permitId: string, deadlineMs: number, nowMs: number): boolean {
    if (!this.#local.renew(key, permitId, deadlineMs, nowMs)) return false
    this.#hold(key, permitId, deadlineMs)
    return true
  }

  /** The store is told in any case: it may have given the permit though its answer was lost. */
  release(key: string, permitId: string, nowMs: number): boolean {
    this.#local.release(key, permitId, nowMs)
    this.#debt.add({ kind: 'release', key, permitId })
    return true
  }

  /** What is held here is held in the store too, once it is back. */
  #hold(key: string, permitId: string, deadlineMs: number): void {
    this.#debt.add({ kind: 'hold', key, permitId, deadlineMs })
  }

  /** This instance's shares of a list: the same list each time, for the store looks up by it. */
  #of(policies: readonly ResolvedPolicy[]): readonly ResolvedPolicy[] {
    if (this.#options.instances === 1) return policies
    let shares = this.#shares.get(policies)
    if (shares === undefined) {
      shares = policies.map((policy) => this.#shareOf(policy))
      this.#shares.set(policies, shares)
    }
    return shares
  }

  #shareOf(policy: ResolvedPolicy): ResolvedPolicy {
    const limit = this.#share(policy.limit)
    if (policy.kind === 'exact') return { ...policy, limit }
    return { ...policy, limit, burst: this.#share(policy.burst) }
  }

  #share(limit: number): number {
    return limit === 0 ? 0 : Math.max(1, Math.floor(limit / this.#options.instances))
  }
}

/** The same for every call, whatever it asks for. */
function blanket(allowed: boolean, nowMs: number): Verdict {
  const limit = allowed ? MAX_LIMIT : 0
  const retryAfterMs = allowed ? 0 : ASK_AGAIN_MS
  const counted = { policy: 'none', limit, remaining: limit, resetAtMs: nowMs + retryAfterMs }
  return { allowed, ...counted, retryAfterMs, atMs: nowMs, degraded: true }
}

/** The most that one call may cost. */
function capacityOf(policy: ResolvedPolicy): number {
  return policy.kind === 'exact' ? policy.limit : policy.burst
}
