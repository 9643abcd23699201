// hot path: one call decides over several policies and a permit. All are checked before any is changed, so a denial changes nothing.

import {
  MAX_LIMIT,
  type ConsumeRequest,
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
}

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
    this.#windows = new Windows(connection, options.maxKeys)
    this.#permits = new Permits(connection, options.maxPermits)
    this.#operations = new Operations(connection, options.maxOps)
  }

  /**
   * Admits the call if every policy and the permit have room, then counts it in all; else changes nothing.
   * @throws OstlerError STORE_FULL when an admitted opId cannot be remembered, or at more than 1,024 policy names
   */
  consume(request: ConsumeRequest, nowMs: number): Verdict {
    return this.#decide(request, nowMs, true)
  }

  /** The verdict that `consume` would give; changes nothing. */
  peek(request: ConsumeRequest, nowMs: number): Verdict {
    return this.#decide(request, nowMs, false)
  }

  /** Gives back `cost` in each policy where it still counts. Lanes give nothing back, for what is in them may be another key's. */
  refund(request: RefundRequest, nowMs: number): boolean {
    const { key, policies, cost, atMs, opId } = request
    this.#windows.forgetNames()
    if (opId !== undefined) {
      const operation = this.#operations.find(key, opId, nowMs)
      if (operation === null || operation.verdict.atMs !== atMs || operation.cost < cost)
        return false
    }
    let given = false
    for (const policy of policies) {
      const rows = this.#windows.of(policy)
      const row = this.#windows.own(rows, key, nowMs)
      if (!row.counter.refund(cost, policy, atMs, nowMs)) continue
      this.#windows.change(rows, row)
      given = true
    }
    if (given && opId !== undefined) this.#operations.forget(key, opId)
    return given
  }

  usage(key: string, policies: readonly ResolvedPolicy[], nowMs: number): readonly Usage[] {
    this.#windows.forgetNames()
    return policies.map((policy) => {
      const { counter } = this.#windows.find(this.#windows.of(policy), key, nowMs)
      const used = counter.used(policy, nowMs)
      const { limit, resetAtMs } = counter
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

  #decide(request: ConsumeRequest, nowMs: number, write: boolean): Verdict {
    const { key, policies, cost, permit, opId } = request
    this.#windows.forgetNames()
    if (opId !== undefined) {
      const operation = this.#operations.find(key, opId, nowMs)
      if (operation !== null) return operation.verdict
    }
    let name = 'none'
    let limit = MAX_LIMIT
    let remaining = MAX_LIMIT
    let resetAtMs = nowMs
    let retryMs = 0
    for (let i = 0; i < policies.length; i++) {
      const policy = policies[i]
      const rows = this.#windows.of(policy)
      const row = this.#windows.find(rows, key, nowMs)
      const { counter } = row
      this.#rowsOf[i] = rows
      this.#rows[i] = row
      const waitMs = counter.check(cost, policy, nowMs)
      if (!binds(waitMs, counter.remaining, retryMs, remaining)) continue
      name = policy.name
      limit = counter.limit
      remaining = counter.remaining
      resetAtMs = counter.resetAtMs
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
    const allowed = retryMs === 0
    const verdict: Verdict = {
      allowed,
      policy: name,
      limit,
      remaining,
      resetAtMs,
      retryAfterMs: retryMs,
      atMs: nowMs,
    }
    if (write && allowed) this.#count(request, verdict)
    return verdict
  }

  /** Counts an admitted call everywhere. All that may be refused comes first, and what is changed in memory alone comes last. */
  #count(request: ConsumeRequest, verdict: Verdict): void {
    const { key, policies, cost, permit, opId } = request
    const nowMs = verdict.atMs
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
    if (opId !== undefined) this.#remember(request, opId, verdict)
    if (permit !== undefined) this.#permits.take(key, this.#hasher.of('key', key), permit, nowMs)
    for (let i = 0; i < count; i++) rows[i] = windows.place(rowsOf[i], rows[i], nowMs)
    for (let i = 0; i < count; i++) {
      rows[i].counter.admit(cost, policies[i], nowMs)
      windows.change(rowsOf[i], rows[i])
    }
  }

  #remember(request: ConsumeRequest, opId: string, verdict: Verdict): void {
    const nowMs = verdict.atMs
    const untilMs = rememberedUntilMs(request, nowMs)
    if (untilMs <= nowMs) return
    this.#operations.makeRoom(nowMs)
    this.#operations.add(request.key, opId, { verdict, cost: request.cost }, untilMs)
  }
}

/** An operation is remembered for its longest window, or for its permit if that is longer. */
function rememberedUntilMs({ policies, permit }: ConsumeRequest, nowMs: number): number {
  let untilMs = permit === undefined ? nowMs : permit.deadlineMs
  for (const { windowMs } of policies) untilMs = Math.max(untilMs, nowMs + windowMs)
  return untilMs
}

/** Whether this answer binds more than the ones before: a denial by how long it lasts (-1: for ever), else the least left. */
function binds(waitMs: number, remaining: number, worstMs: number, least: number): boolean {
  if (waitMs === 0) return worstMs === 0 && remaining < least
  return worstMs !== -1 && (waitMs === -1 || waitMs > worstMs)
}
