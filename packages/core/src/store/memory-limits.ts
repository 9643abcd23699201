import { OstlerError } from '../errors.ts'
import type { ResolvedPolicy } from '../limit/policy.ts'
import { ExactSlab, type Slab } from '../limit/slab.ts'
import { SmoothSlab } from '../limit/smooth.ts'
import { ExpiringMap } from './expiring.ts'
import { MemoryGate, type Ledger } from './memory-gate.ts'
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
   * Seeds the fingerprints that keys are known by, and the hash that spreads them over shared
   * lanes: an unsigned 32-bit integer, best a secret. `memoryStore` draws one where none is given.
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
  readonly #gates = new WeakMap<readonly ResolvedPolicy[], MemoryGate>()
  readonly #ledger: Ledger

  /** The options are trusted: `memoryStore` has checked them. */
  constructor(options: MemoryLimitsOptions = {}) {
    const { maxKeys = 100_000, maxOps = 100_000, maxPermits = 100_000, seed = 0 } = options
    this.#maxKeys = maxKeys
    this.#maxOps = maxOps
    this.#seed = seed
    this.#permits = new MemoryPermits(maxPermits)
    this.#ledger = { lastMs: 0, isClosed: false, permits: this.#permits }
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
    if (request.permit !== undefined || request.opId !== undefined) {
      return this.#decide(request, true)
    }
    const gate = this.gate(request.policies)
    gate.atMs = request.nowMs
    gate.consume(request.key, request.cost, 0)
    return gate.verdict()
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
    const nowMs = this.#effectiveMs(request.nowMs)
    if (opId !== undefined) {
      const op = this.#ops.get(opKey(key, opId), nowMs)
      if (op === undefined || op.verdict.atMs !== atMs || op.cost < cost) return false
    }
    let given = false
    for (const policy of policies) {
      const slab = this.#slabFor(policy)
      slab.nowMs = nowMs
      if (slab.refund(key, policy, cost, atMs)) given = true
    }
    if (!given) return false
    this.#ledger.lastMs = nowMs
    if (opId !== undefined) this.#ops.delete(opKey(key, opId))
    return true
  }

  /**
   * What the key has used of each policy: `limit - used` is left, or 0 where the limit was lowered.
   * Changes nothing.
   */
  usage(key: string, policies: readonly ResolvedPolicy[], nowMs: number): readonly Usage[] {
    const atMs = this.#effectiveMs(nowMs)
    return policies.map((policy) => {
      const slab = this.#slabFor(policy)
      slab.nowMs = atMs
      const used = slab.usedBy(key, policy)
      const { limit, resetAtMs } = slab
      return { policy: policy.name, limit, used, remaining: Math.max(0, limit - used), resetAtMs }
    })
  }

  permits(key: string, nowMs: number): number {
    return this.#permits.count(key, this.#effectiveMs(nowMs))
  }

  renew(key: string, permitId: string, deadlineMs: number, nowMs: number): boolean {
    const atMs = this.#effectiveMs(nowMs)
    if (!this.#permits.renew(key, permitId, deadlineMs, atMs)) return false
    this.#ledger.lastMs = atMs
    return true
  }

  release(key: string, permitId: string, nowMs: number): boolean {
    const atMs = this.#effectiveMs(nowMs)
    if (!this.#permits.release(key, permitId, atMs)) return false
    this.#ledger.lastMs = atMs
    return true
  }

  /** The gate of a list of policies: one for as long as somebody keeps the list. */
  gate(policies: readonly ResolvedPolicy[]): MemoryGate {
    const known = this.#gates.get(policies)
    if (known !== undefined) return known
    const slabs = policies.map((policy) => this.#slabFor(policy))
    const gate = new MemoryGate(policies, slabs, this.#ledger)
    this.#gates.set(policies, gate)
    return gate
  }

  /** From now on its gates refuse too. */
  close(): void {
    this.#ledger.isClosed = true
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
    if (opId !== undefined) {
      const op = this.#ops.get(opKey(key, opId), this.#effectiveMs(request.nowMs))
      if (op !== undefined) return op.verdict
    }
    const gate = this.gate(policies)
    gate.atMs = request.nowMs
    gate.check(key, cost, 0, permit)
    const verdict = gate.verdict()
    if (!write || !verdict.allowed) return verdict
    if (opId !== undefined) this.#remember(request, opId, verdict)
    gate.commit(key, cost, permit)
    return verdict
  }

  #effectiveMs(nowMs: number): number {
    const { lastMs } = this.#ledger
    return nowMs > lastMs ? nowMs : lastMs
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

/** Keys hold no control characters, so the line break makes the pair unambiguous. */
function opKey(key: string, opId: string): string {
  return `${key}\n${opId}`
}
