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
import { counterOf, type Counter, type Said } from './counters.ts'
import { Operations } from './operations.ts'
import { Permits } from './permits.ts'
import { Windows, type Place } from './windows.ts'

export interface LimitsOptions {
  readonly maxKeys: number
  readonly maxOps: number
  readonly maxPermits: number
}

/** One policy of a call: where its key's state stands, and what the policy makes of it. */
interface Part {
  readonly policy: string
  readonly place: Place
  readonly counter: Counter
}

const NOTHING: Said = { waitMs: 0, limit: MAX_LIMIT, remaining: MAX_LIMIT, resetAtMs: 0 }

/** The limits of the file: what `Store` promises of consume, peek, refund, usage, permits, renew and release. */
export class Limits {
  readonly #hasher: Hasher
  readonly #windows: Windows
  readonly #permits: Permits
  readonly #operations: Operations

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
    if (opId !== undefined) {
      const operation = this.#operations.find(key, opId, nowMs)
      if (operation === null || operation.verdict.atMs !== atMs || operation.cost < cost)
        return false
    }
    const hashed = this.#hasher.of('key', key)
    let given = false
    for (const policy of policies) {
      const name = nameOf(policy)
      const place = this.#windows.own(name, hashed)
      if (place.id === 0) continue
      const kept = counterOf(policy, place).refunded(cost, atMs, nowMs)
      if (kept === null) continue
      given = true
      if (kept.idleMs > nowMs) this.#windows.change(place, kept.state, kept.idleMs)
      else this.#windows.drop(place, name)
    }
    if (given && opId !== undefined) this.#operations.forget(key, opId)
    return given
  }

  usage(key: string, policies: readonly ResolvedPolicy[], nowMs: number): readonly Usage[] {
    const hashed = this.#hasher.of('key', key)
    return policies.map((policy) => {
      const place = this.#windows.find(nameOf(policy), hashed, nowMs)
      const { used, limit, resetAtMs } = counterOf(policy, place).used(nowMs)
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
    if (opId !== undefined) {
      const operation = this.#operations.find(key, opId, nowMs)
      if (operation !== null) return operation.verdict
    }
    const hashed = this.#hasher.of('key', key)
    const parts: Part[] = []
    let binding: Said = { ...NOTHING, resetAtMs: nowMs }
    let name = 'none'
    for (const policy of policies) {
      const place = this.#windows.find(nameOf(policy), hashed, nowMs)
      const counter = counterOf(policy, place)
      parts.push({ policy: nameOf(policy), place, counter })
      const said = counter.check(cost, nowMs)
      if (!binds(said, binding)) continue
      binding = said
      name = policy.name
    }
    if (permit !== undefined) {
      const said = this.#permits.check(key, hashed, permit, nowMs, binding.waitMs)
      if (binds(said, binding)) {
        binding = said
        name = 'permits'
      }
    }
    const { waitMs, limit, remaining, resetAtMs } = binding
    const allowed = waitMs === 0
    const verdict: Verdict = {
      allowed,
      policy: name,
      limit,
      remaining,
      resetAtMs,
      retryAfterMs: waitMs,
      atMs: nowMs,
    }
    if (write && allowed) this.#count(request, hashed, parts, verdict)
    return verdict
  }

  /** Writes an admitted call everywhere. All that may be refused comes first. */
  #count(request: ConsumeRequest, hashed: Buffer, parts: readonly Part[], verdict: Verdict): void {
    const { key, cost, permit, opId } = request
    const nowMs = verdict.atMs
    const untilMs = opId === undefined ? 0 : rememberedUntilMs(request, nowMs)
    for (const { place, policy } of parts)
      if (place.id === 0) this.#windows.checkName(policy, nowMs)
    if (opId !== undefined && untilMs > nowMs) {
      this.#operations.makeRoom(nowMs)
      this.#operations.add(key, opId, { verdict, cost }, untilMs)
    }
    for (const { place, policy, counter } of parts) {
      const { state, idleMs } = counter.admitted(cost, nowMs)
      this.#windows.keep(place, policy, hashed, state, idleMs, nowMs)
    }
    if (permit !== undefined) this.#permits.take(key, hashed, permit, nowMs)
    this.#windows.tidy(nowMs)
  }
}

/** An operation is remembered for its longest window, or for its permit if that is longer. */
function rememberedUntilMs({ policies, permit }: ConsumeRequest, nowMs: number): number {
  let untilMs = permit === undefined ? nowMs : permit.deadlineMs
  for (const { windowMs } of policies) untilMs = Math.max(untilMs, nowMs + windowMs)
  return untilMs
}

/** Exact and smooth policies of one name are strangers: a policy that changes its kind starts from nothing. */
function nameOf({ kind, name }: ResolvedPolicy): string {
  return `${kind}:${name}`
}

/**
 * Whether this answer binds more than the ones before: a denial by how long it lasts (-1: for ever), else the least left.
 */
function binds(said: Said, worst: Said): boolean {
  if (said.waitMs === 0) return worst.waitMs === 0 && said.remaining < worst.remaining
  return worst.waitMs !== -1 && (said.waitMs === -1 || said.waitMs > worst.waitMs)
}
