// hot path: one call decides over several policies and a permit. All are checked before any is
// written, so a denial changes nothing; all results are fields, so nothing is allocated. Slabs are
// looked up by name once for each list of policies and not per call.

import { OstlerError } from '../errors.ts'
import { checkKey } from '../limit/key.ts'
import { MAX_LIMIT, type ResolvedPolicy } from '../limit/policy.ts'
import type { Slab } from '../limit/slab.ts'
import type { Gate } from './gate.ts'
import type { MemoryPermits } from './memory-permits.ts'
import type { PermitRequest, Verdict } from './store.ts'

/** What all gates of a store share. */
export interface Ledger {
  /** The instant of the last call that changed anything: time never goes back behind it. */
  lastMs: number
  isClosed: boolean
  readonly permits: MemoryPermits
}

/** The gate of the memory store, with the permits that `consume` asks for beside the policies. */
export class MemoryGate implements Gate {
  allowed = false
  policy = 'none'
  limit: number = MAX_LIMIT
  remaining: number = MAX_LIMIT
  resetAtMs = 0
  retryAfterMs = 0
  atMs = 0
  readonly degraded = false
  slot = 0
  readonly #policies: readonly ResolvedPolicy[]
  readonly #slabs: readonly Slab<ResolvedPolicy>[]
  readonly #ledger: Ledger

  constructor(
    policies: readonly ResolvedPolicy[],
    slabs: readonly Slab<ResolvedPolicy>[],
    ledger: Ledger,
  ) {
    this.#policies = policies
    this.#slabs = slabs
    this.#ledger = ledger
  }

  consume(key: string, cost: number, hint: number): boolean {
    if (this.#policies.length === 1) return this.#take(key, cost, hint)
    if (!this.peek(key, cost, hint)) return false
    this.commit(key, cost, undefined)
    return true
  }

  peek(key: string, cost: number, hint: number): boolean {
    if (this.#ledger.isClosed) throw new OstlerError('CLOSED', 'the memory store is closed')
    this.check(key, cost, hint, undefined)
    if (this.slot === 0) checkKey(key)
    return this.allowed
  }

  /** As `check` and `commit`, of the only policy. */
  #take(key: string, cost: number, hint: number): boolean {
    const ledger = this.#ledger
    if (ledger.isClosed) throw new OstlerError('CLOSED', 'the memory store is closed')
    if (this.atMs < ledger.lastMs) this.atMs = ledger.lastMs
    const policy = this.#policies[0]
    const slab = this.#slabs[0]
    slab.nowMs = this.atMs
    const waitMs = slab.take(key, policy, cost, hint)
    this.#keep(slab, policy, waitMs)
    this.allowed = waitMs === 0
    if (waitMs !== 0) return false
    ledger.lastMs = this.atMs
    return true
  }

  /** Decides; changes nothing but the results. */
  check(key: string, cost: number, hint: number, permit: PermitRequest | undefined): void {
    const { lastMs } = this.#ledger
    if (this.atMs < lastMs) this.atMs = lastMs
    if (this.#policies.length === 0) this.#bindNone()
    else {
      const policy = this.#policies[0]
      const slab = this.#slabs[0]
      slab.nowMs = this.atMs
      this.#keep(slab, policy, slab.check(key, policy, cost, hint))
      if (this.#policies.length !== 1) this.#checkOthers(key, cost)
    }
    if (permit !== undefined) this.#checkPermit(key, permit)
    this.allowed = this.retryAfterMs === 0
  }

  /** Counts the call that the last check admitted; with the same arguments. */
  commit(key: string, cost: number, permit: PermitRequest | undefined): void {
    const policies = this.#policies
    const slabs = this.#slabs
    for (let i = 0; i < policies.length; i++) slabs[i].commit(key, policies[i], cost)
    if (policies.length !== 0) this.slot = slabs[0].lane ? 0 : slabs[0].slot
    this.#ledger.lastMs = this.atMs
    if (permit === undefined) return
    this.#ledger.permits.commit(key, permit.id, permit.deadlineMs, this.atMs)
  }

  /** The last verdict, to keep. */
  verdict(): Verdict {
    const { allowed, policy, limit, remaining, resetAtMs, retryAfterMs, atMs } = this
    return { allowed, policy, limit, remaining, resetAtMs, retryAfterMs, atMs }
  }

  #bindNone(): void {
    this.slot = 0
    this.policy = 'none'
    this.limit = MAX_LIMIT
    this.remaining = MAX_LIMIT
    this.resetAtMs = this.atMs
    this.retryAfterMs = 0
  }

  #keep(slab: Slab<ResolvedPolicy>, policy: ResolvedPolicy, waitMs: number): void {
    this.slot = slab.lane ? 0 : slab.slot
    this.policy = policy.name
    this.limit = slab.limit
    this.remaining = slab.remaining
    this.resetAtMs = slab.resetAtMs
    this.retryAfterMs = waitMs
  }

  #checkOthers(key: string, cost: number): void {
    const policies = this.#policies
    for (let i = 1; i < policies.length; i++) {
      const slab = this.#slabs[i]
      slab.nowMs = this.atMs
      const waitMs = slab.check(key, policies[i], cost, 0)
      if (!binds(waitMs, slab.remaining, this.retryAfterMs, this.remaining)) continue
      this.retryAfterMs = waitMs
      this.policy = policies[i].name
      this.limit = slab.limit
      this.remaining = slab.remaining
      this.resetAtMs = slab.resetAtMs
    }
  }

  #checkPermit(key: string, permit: PermitRequest): void {
    const { permits } = this.#ledger
    const { id, cap, deadlineMs } = permit
    const waitMs = permits.check(key, id, cap, deadlineMs, this.atMs, this.retryAfterMs)
    const free = cap > permits.held ? cap - permits.held : 0
    if (!binds(waitMs, free, this.retryAfterMs, this.remaining)) return
    this.policy = 'permits'
    this.limit = cap
    this.remaining = free
    this.resetAtMs = permits.latestMs
    this.retryAfterMs = waitMs
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
