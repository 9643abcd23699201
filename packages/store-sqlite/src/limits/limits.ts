// hot path: one call decides over several policies and a permit. All are checked before any is changed, so a denial changes nothing.

import {
  MAX_LIMIT,
  type ConsumeRequest,
  type LatestVerdict,
  type RefundRequest,
  type ResolvedPolicy,
  type Usage,
  type Verdict,
} from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import type { Hasher } from '../file/hasher.ts'
import { Operations } from './operations.ts'
import { Permits } from './permits.ts'
import type { Row, Rows } from './rows.ts'
import { Windows } from './windows.ts'

export interface LimitsOptions {
  readonly maxKeys: number
  readonly maxOps: number
  readonly maxPermits: number
  /** When what is known of rows takes so much memory, it is let go. Default 100 MB. */
  readonly mostKnownBytes?: number
}

/** A call that is decided at an instant of the store's own. */
export type Call = Omit<ConsumeRequest, 'nowMs'>

/** The limits of the file: what `Store` promises of consume, peek, refund, usage, permits, renew and release. */
export class Limits {
  readonly #hasher: Hasher
  readonly #windows: Windows
  readonly #permits: Permits
  readonly #operations: Operations
  /** The rows of the call in hand, and what is known of each one's policy, by the policy's place in the call. */
  readonly #rows: Row[] = []
  readonly #rowsOf: Rows[] = []

  constructor(connection: Connection, options: LimitsOptions) {
    this.#hasher = connection.hasher
    this.#windows = new Windows(connection, options.maxKeys, options.mostKnownBytes)
    this.#permits = new Permits(connection, options.maxPermits)
    this.#operations = new Operations(connection, options.maxOps)
  }

  /**
   * Admits the call if every policy and the permit have room, then counts it in all; else changes nothing.
   * @throws OstlerError STORE_FULL when an admitted opId cannot be remembered, or at more than 1,024 policy names
   */
  consume(request: ConsumeRequest, nowMs: number): Verdict {
    return this.#verdict(request, nowMs, true)
  }

  /** The verdict that `consume` would give; changes nothing. */
  peek(request: ConsumeRequest, nowMs: number): Verdict {
    return this.#verdict(request, nowMs, false)
  }

  /** The same for a call without opId, or whose operation is new: `verdict` is written anew, and nothing allocated. */
  decide(call: Call, verdict: LatestVerdict, nowMs: number, write: boolean): void {
    this.#windows.makeWay()
    this.#check(call, verdict, nowMs)
    if (write && verdict.allowed) this.#count(call, verdict, nowMs)
  }

  /** Gives back `cost` in each policy where it still counts. Lanes give nothing back, for what is in them may be another key's. */
  refund(request: RefundRequest, nowMs: number): boolean {
    const { key, policies, cost, atMs, opId } = request
    this.#windows.makeWay()
    if (opId !== undefined) {
      const operation = this.#operations.find(key, opId, nowMs)
      if (operation === null || operation.verdict.atMs !== atMs || operation.cost < cost)
        return false
    }
    let given = false
    for (const policy of policies) {
      const rows = this.#windows.of(policy)
      const row = this.#windows.own(rows, key, nowMs)
      if (!rows.counters.refund(row, cost, policy, atMs)) continue
      this.#windows.change(rows, row)
      given = true
    }
    if (given && opId !== undefined) this.#operations.forget(key, opId)
    return given
  }

  usage(key: string, policies: readonly ResolvedPolicy[], nowMs: number): readonly Usage[] {
    this.#windows.makeWay()
    return policies.map((policy) => {
      const rows = this.#windows.of(policy)
      const used = rows.counters.used(this.#windows.find(rows, key, nowMs), policy)
      const { limit, resetAtMs } = rows.counters
      return { policy: policy.name, limit, used, remaining: Math.max(0, limit - used), resetAtMs }
    })
  }

  permits(key: string, nowMs: number): number {
    return this.#permits.count(this.#hasher.of('key', key), nowMs)
  }

  renew(key: string, permitId: string, deadlineMs: number, nowMs: number): boolean {
    return this.#permits.renew(key, this.#hasher.of('key', key), permitId, deadlineMs, nowMs)
  }

  release(key: string, permitId: string, nowMs: number): boolean {
    return this.#permits.release(key, this.#hasher.of('key', key), permitId, nowMs)
  }

  #verdict(request: ConsumeRequest, nowMs: number, write: boolean): Verdict {
    const { key, opId } = request
    const operation = opId === undefined ? null : this.#operations.find(key, opId, nowMs)
    if (operation !== null) return operation.verdict
    const verdict: LatestVerdict = {
      allowed: false,
      policy: 'none',
      limit: MAX_LIMIT,
      remaining: MAX_LIMIT,
      resetAtMs: nowMs,
      retryAfterMs: 0,
      atMs: nowMs,
    }
    this.decide(request, verdict, nowMs, write)
    return verdict
  }

  #check({ key, policies, cost, permit }: Call, verdict: LatestVerdict, nowMs: number): void {
    const windows = this.#windows
    let name = 'none'
    let limit = MAX_LIMIT
    let remaining = MAX_LIMIT
    let resetAtMs = nowMs
    let retryMs = 0
    for (let i = 0; i < policies.length; i++) {
      const policy = policies[i]
      const rows = windows.of(policy)
      const row = windows.find(rows, key, nowMs)
      const { counters } = rows
      this.#rowsOf[i] = rows
      this.#rows[i] = row
      const waitMs = counters.check(row, cost, policy)
      if (!binds(waitMs, counters.remaining, retryMs, remaining)) continue
      name = policy.name
      limit = counters.limit
      remaining = counters.remaining
      resetAtMs = counters.resetAtMs
      retryMs = waitMs
    }
    if (permit !== undefined) {
      const hashed = this.#hasher.of('key', key)
      const said = this.#permits.check(key, hashed, permit, nowMs, retryMs)
      if (binds(said.waitMs, said.remaining, retryMs, remaining)) {
        name = 'permits'
        limit = said.limit
        remaining = said.remaining
        resetAtMs = said.resetAtMs
        retryMs = said.waitMs
      }
    }
    verdict.allowed = retryMs === 0
    verdict.policy = name
    verdict.limit = limit
    verdict.remaining = remaining
    verdict.resetAtMs = resetAtMs
    verdict.retryAfterMs = retryMs
    verdict.atMs = nowMs
  }

  /** Counts an admitted call everywhere. All that may be refused comes first, and what is changed in memory alone comes last. */
  #count(call: Call, verdict: Verdict, nowMs: number): void {
    const { key, policies, cost, permit, opId } = call
    const windows = this.#windows
    const rows = this.#rows
    const rowsOf = this.#rowsOf
    const count = policies.length
    const { sweeps } = windows
    for (let i = 0; i < count; i++) windows.makeRoom(rowsOf[i], rows[i], nowMs)
    // An idle row of this very key may have been swept to make room.
    if (windows.sweeps > sweeps) {
      for (let i = 0; i < count; i++) rows[i] = windows.find(rowsOf[i], key, nowMs)
    }
    if (opId !== undefined) this.#remember(call, opId, verdict)
    if (permit !== undefined) this.#permits.take(key, this.#hasher.of('key', key), permit, nowMs)
    for (let i = 0; i < count; i++) rows[i] = windows.place(rowsOf[i], rows[i], nowMs)
    for (let i = 0; i < count; i++) {
      rowsOf[i].counters.admit(rows[i], cost, policies[i])
      windows.change(rowsOf[i], rows[i])
    }
  }

  #remember(call: Call, opId: string, verdict: Verdict): void {
    const nowMs = verdict.atMs
    const untilMs = rememberedUntilMs(call, nowMs)
    if (untilMs <= nowMs) return
    this.#operations.makeRoom(nowMs)
    this.#operations.add(call.key, opId, { verdict, cost: call.cost }, untilMs)
  }
}

/** An operation is remembered for its longest window, or for its permit if that is longer. */
function rememberedUntilMs({ policies, permit }: Call, nowMs: number): number {
  let untilMs = permit === undefined ? nowMs : permit.deadlineMs
  for (const { windowMs } of policies) untilMs = Math.max(untilMs, nowMs + windowMs)
  return untilMs
}

/** Whether this answer binds more than the ones before: a denial by how long it lasts (-1: for ever), else the least left. */
function binds(waitMs: number, remaining: number, worstMs: number, least: number): boolean {
  if (waitMs === 0) return worstMs === 0 && remaining < least
  return worstMs !== -1 && (waitMs === -1 || waitMs > worstMs)
}
