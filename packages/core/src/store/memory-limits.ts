// hot path: one call decides over several policies and a permit. All are checked before any is
// written, so a denial changes nothing; each check leaves its results in fields, so the verdict is
// the only thing allocated.

import { OstlerError } from '../errors.ts'
import { MAX_LIMIT, type ResolvedPolicy } from '../limit/policy.ts'
import { ExactSlab, type Slab } from '../limit/slab.ts'
import { SmoothSlab } from '../limit/smooth.ts'
import { ExpiringMap } from './expiring.ts'
import { MemoryPermits } from './memory-permits.ts'
import type { ConsumeRequest, RefundRequest, Usage, Verdict } from './store.ts'

export interface MemoryLimitsOptions {
  /** Keys with a record of their own, per policy name: 1 to 10,000,000. Default 100,000. */
  readonly maxKeys?: number
  /** Operations remembered by their opId at once: 1 to 10,000,000. Default 100,000. */
  readonly maxOps?: number
  /** Permits held at once, over all keys: 1 to 10,000,000. Default 100,000. */
  readonly maxPermits?: number
  /**
   * Seeds the hash that spreads keys over shared lanes: an unsigned 32-bit integer, best a secret.
   * `memoryStore` draws one where none is given.
   */
  readonly seed?: number
}

/** What the limiter holds, for people. Bytes are those of its arrays, without keys and tables. */
export interface MemoryLimitsSize {
  readonly policies: number
  readonly keys: number
  readonly lanes: number
  readonly bytes: number
}

interface Op {
  readonly verdict: Verdict
  readonly cost: number
}

/** Policy names are written by people; more than this many are a mistake. */
const MAX_NAMES = 1024

/**
 * The limits of the memory store: what `Store` promises of consume, peek, refund, usage, permits,
 * renew and release. Time never goes back: each call is decided at the later of `nowMs` and the
 * instant of the last call that changed anything.
 */
export class MemoryLimits {
  readonly #maxKeys: number
  readonly #maxOps: number
  readonly #seed: number
  readonly #exact = new Map<string, ExactSlab>()
  readonly #smooth = new Map<string, SmoothSlab>()
  readonly #permits: MemoryPermits
  readonly #ops: ExpiringMap<Op>
  /** The slabs of the call in hand, by policy. */
  readonly #slabs: Slab<ResolvedPolicy>[] = []
  #lastMs = 0

  /** The options are trusted: `memoryStore` has checked them. */
  constructor(options: MemoryLimitsOptions = {}) {
    const { maxKeys = 100_000, maxOps = 100_000, maxPermits = 100_000, seed = 0 } = options
    this.#maxKeys = maxKeys
    this.#maxOps = maxOps
    this.#seed = seed
    this.#permits = new MemoryPermits(maxPermits)
    this.#ops = new ExpiringMap(maxOps)
  }

  /**
   * Admits the call if every policy and the permit have room, then counts it in all; else changes
   * nothing. An opId that was admitted gives its verdict again until the longest window of that
   * call (or its permit, if later) is over; once given back it is decided afresh.
   * O(policies * log hits). @throws OstlerError STORE_FULL when an admitted opId can't be remembered,
   * or at more than 1,024 policy names; then nothing has changed.
   */
  consume(request: ConsumeRequest): Verdict {
    return this.#decide(request, true)
  }

  /** The verdict that `consume` would give; changes nothing. */
  peek(request: ConsumeRequest): Verdict {
    return this.#decide(request, false)
  }

  /**
   * Gives back `cost` in each policy where it still counts; false where it does in none. Exact
   * policies: the hits at the effective time of `atMs`, if there are as many. Smooth ones: what
   * can't have drained since. Lanes give nothing back, for what is in them may be another key's.
   * With an opId: only what that op was admitted for, once. Permits stay: release them.
   */
  refund(request: RefundRequest): boolean {
    const { key, policies, cost, atMs, opId } = request
    const nowMs = request.nowMs > this.#lastMs ? request.nowMs : this.#lastMs
    if (opId !== undefined) {
      const op = this.#ops.get(opKey(key, opId), nowMs)
      if (op === undefined || op.verdict.atMs !== atMs || op.cost < cost) return false
    }
    let given = false
    for (const policy of policies) {
      const slab = this.#slabFor(policy)
      if (slab.refund(key, policy, cost, atMs, nowMs)) given = true
    }
    if (!given) return false
    this.#lastMs = nowMs
    if (opId !== undefined) this.#ops.delete(opKey(key, opId))
    return true
  }

  /**
   * What the key has used of each policy: `limit - used` is left, or 0 where the limit was lowered.
   * Changes nothing.
   */
  usage(key: string, policies: readonly ResolvedPolicy[], nowMs: number): readonly Usage[] {
    const atMs = nowMs > this.#lastMs ? nowMs : this.#lastMs
    return policies.map((policy) => {
      const slab = this.#slabFor(policy)
      const used = slab.usedBy(key, policy, atMs)
      const { limit, resetAtMs } = slab
      return { policy: policy.name, limit, used, remaining: Math.max(0, limit - used), resetAtMs }
    })
  }

  permits(key: string, nowMs: number): number {
    return this.#permits.count(key, nowMs > this.#lastMs ? nowMs : this.#lastMs)
  }

  renew(key: string, permitId: string, deadlineMs: number, nowMs: number): boolean {
    const atMs = nowMs > this.#lastMs ? nowMs : this.#lastMs
    if (!this.#permits.renew(key, permitId, deadlineMs, atMs)) return false
    this.#lastMs = atMs
    return true
  }

  release(key: string, permitId: string, nowMs: number): boolean {
    const atMs = nowMs > this.#lastMs ? nowMs : this.#lastMs
    if (!this.#permits.release(key, permitId, atMs)) return false
    this.#lastMs = atMs
    return true
  }

  size(): MemoryLimitsSize {
    const slabs = [...this.#exact.values(), ...this.#smooth.values()]
    let keys = 0
    let lanes = 0
    let bytes = 0
    for (const slab of slabs) {
      keys += slab.keys.size
      lanes += slab.keys.lanes
      bytes += slab.bytes
    }
    return { policies: slabs.length, keys, lanes, bytes }
  }

  #decide(request: ConsumeRequest, write: boolean): Verdict {
    const { key, policies, cost, permit, opId } = request
    const nowMs = request.nowMs > this.#lastMs ? request.nowMs : this.#lastMs
    if (opId !== undefined) {
      const op = this.#ops.get(opKey(key, opId), nowMs)
      if (op !== undefined) return op.verdict
    }
    let name = 'none'
    let limit = MAX_LIMIT
    let remaining = MAX_LIMIT
    let resetAtMs = nowMs
    let retryMs = 0
    for (let i = 0; i < policies.length; i++) {
      const policy = policies[i]
      const slab = this.#slabFor(policy)
      this.#slabs[i] = slab
      const waitMs = slab.check(key, policy, cost, nowMs)
      if (!binds(waitMs, slab.remaining, retryMs, remaining)) continue
      name = policy.name
      limit = slab.limit
      remaining = slab.remaining
      resetAtMs = slab.resetAtMs
      retryMs = waitMs
    }
    if (permit !== undefined) {
      const permits = this.#permits
      const waitMs = permits.check(key, permit.id, permit.cap, permit.deadlineMs, nowMs, retryMs)
      const free = permit.cap > permits.held ? permit.cap - permits.held : 0
      if (binds(waitMs, free, retryMs, remaining)) {
        name = 'permits'
        limit = permit.cap
        remaining = free
        resetAtMs = permits.latestMs
        retryMs = waitMs
      }
    }
    const verdict: Verdict = {
      allowed: retryMs === 0,
      policy: name,
      limit,
      remaining,
      resetAtMs,
      retryAfterMs: retryMs,
      atMs: nowMs,
    }
    if (write && retryMs === 0) this.#commit(request, verdict)
    return verdict
  }

  /** Writes an admitted call everywhere. All that can fail comes first. */
  #commit(request: ConsumeRequest, verdict: Verdict): void {
    const { key, policies, cost, permit, opId } = request
    const nowMs = verdict.atMs
    if (opId !== undefined) this.#remember(request, opId, verdict)
    for (let i = 0; i < policies.length; i++) {
      this.#slabs[i].commit(key, policies[i], cost, nowMs)
    }
    if (permit !== undefined) this.#permits.commit(key, permit.id, permit.deadlineMs, nowMs)
    this.#lastMs = nowMs
  }

  #remember(request: ConsumeRequest, opId: string, verdict: Verdict): void {
    const { key, policies, cost, permit } = request
    const nowMs = verdict.atMs
    let untilMs = permit === undefined ? nowMs : permit.deadlineMs
    for (const policy of policies) untilMs = Math.max(untilMs, nowMs + policy.windowMs)
    if (untilMs <= nowMs) return
    const id = opKey(key, opId)
    if (!this.#ops.hasRoom(id, nowMs)) {
      const message = `at most ${this.#maxOps} operations with an opId (maxOps) can be live at once`
      throw new OstlerError('STORE_FULL', message)
    }
    this.#ops.set(id, { verdict, cost }, untilMs, nowMs)
  }

  /**
   * Exact and smooth policies of one name are strangers: a policy that changes its kind starts from
   * nothing.
   */
  #slabFor(policy: ResolvedPolicy): Slab<ResolvedPolicy> {
    const slab =
      policy.kind === 'exact' ? this.#exact.get(policy.name) : this.#smooth.get(policy.name)
    return slab ?? this.#addSlab(policy)
  }

  #addSlab(policy: ResolvedPolicy): ExactSlab | SmoothSlab {
    if (this.#exact.size + this.#smooth.size >= MAX_NAMES) {
      const message = `at most ${MAX_NAMES} policy names can be in use`
      throw new OstlerError('STORE_FULL', `${message}, got one more: ${policy.name}`)
    }
    if (policy.kind === 'exact') {
      const slab = new ExactSlab(this.#maxKeys, this.#seed)
      this.#exact.set(policy.name, slab)
      return slab
    }
    const slab = new SmoothSlab(this.#maxKeys, this.#seed)
    this.#smooth.set(policy.name, slab)
    return slab
  }
}

/**
 * Whether this answer binds more than the ones before: a denial by how long it lasts (-1: for
 * ever), else the least left.
 */
function binds(waitMs: number, remaining: number, worstMs: number, least: number): boolean {
  if (waitMs === 0) return worstMs === 0 && remaining < least
  return worstMs !== -1 && (waitMs === -1 || waitMs > worstMs)
}

/** Keys hold no control characters, so the line break makes the pair unambiguous. */
function opKey(key: string, opId: string): string {
  return `${key}\n${opId}`
}
