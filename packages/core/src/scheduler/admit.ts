import {
  expectInteger,
  OstlerError,
  shown,
  throwIfAny,
  unknownField,
  type Problem,
} from '../errors.ts'
import { keyProblem } from '../limit/key.ts'
import { MAX_LIMIT } from '../limit/policy.ts'
import type { ConsumeRequest, Mode, Result, Store, Usage, Verdict } from '../store/store.ts'
import { events } from './events.ts'
import type { ResolvedTier } from './options.ts'
import { LOCAL } from './degraded.ts'
import type { AdmitRequest, Decision, Permit } from './requests.ts'
import { andThen } from './and-then.ts'
import type { Time } from './time.ts'

/** A permit lasts a day at most; renew it for longer. */
const MAX_PERMIT_MS = 86_400_000
const FIELDS: ReadonlySet<string> = new Set(['key', 'tier', 'cost', 'permit', 'opId'])

/** The first step of a request: may this key go on? Checks, asks the store, and dresses its verdict. */
export class Admission<M extends Mode> {
  readonly #store: Store<M>
  readonly #time: Time
  readonly #tiers: Map<string, ResolvedTier>
  readonly #nextId: () => string
  readonly #refunded: WeakSet<Decision> = new WeakSet()

  constructor(store: Store<M>, time: Time, tiers: Map<string, ResolvedTier>, nextId: () => string) {
    this.#store = store
    this.#time = time
    this.#tiers = tiers
    this.#nextId = nextId
  }

  admit(request: AdmitRequest): Result<M, Decision> {
    const consume = this.#consumeRequest(request)
    const { tier } = request
    const decided = andThen(this.#store.consume(consume), (verdict) => {
      const decision = this.#decision(tier, consume, verdict)
      if (events.admit.hasSubscribers) events.admit.publish(decision)
      return decision
    })
    return decided as Result<M, Decision>
  }

  peek(request: AdmitRequest): Result<M, Decision> {
    const consume = this.#consumeRequest(request)
    const { tier } = request
    const decided = andThen(this.#store.peek(consume), (verdict) =>
      this.#decision(tier, consume, verdict),
    )
    return decided as Result<M, Decision>
  }

  refund(decision: Decision): Result<M, boolean> {
    const problem = keyProblem(decision?.key)
    if (problem !== null || !Number.isSafeInteger(decision.atMs)) {
      const message = `refund takes a decision of admit, got ${shown(decision)}`
      throw new OstlerError('INVALID_REQUEST', message)
    }
    const { policies } = this.#tier(decision.tier)
    this.#checkCost(decision.cost)
    if (decision.opId !== undefined) this.#opId(decision.opId)
    if (!decision.allowed || this.#refunded.has(decision)) return this.#value(false)
    const { key, cost, atMs, opId } = decision
    const nowMs = this.#time.nowMs()
    const request = {
      key,
      policies,
      cost,
      atMs,
      nowMs,
      ...(decision.degraded && { degraded: true }),
    }
    this.#refunded.add(decision)
    const notGiven = (error: unknown): never => {
      this.#refunded.delete(decision)
      throw error
    }
    try {
      const given = this.#store.refund(opId === undefined ? request : { ...request, opId })
      return (given instanceof Promise ? given.catch(notGiven) : given) as Result<M, boolean>
    } catch (error) {
      return notGiven(error)
    }
  }

  usage(key: string, tier?: string): Result<M, readonly Usage[]> {
    this.#checkKey(key)
    const nowMs = this.#time.nowMs()
    const tiers = tier === undefined ? [...this.#tiers.values()] : [this.#tier(tier)]
    const policies = [...new Map(tiers.flatMap((t) => t.policies).map((p) => [p.name, p])).values()]
    const cap = Math.max(...tiers.map((t) => t.permits ?? 0), 0)
    const used = andThen(this.#store.usage(key, policies, nowMs), (usage) =>
      cap === 0
        ? usage
        : andThen(this.#store.permits(key, nowMs), (held) => [
            ...usage,
            {
              policy: 'permits',
              limit: cap,
              used: held,
              remaining: Math.max(0, cap - held),
              resetAtMs: nowMs,
            },
          ]),
    )
    return used as Result<M, readonly Usage[]>
  }

  renew(permit: Permit, ttlMs: number): Result<M, Permit | null> {
    this.#checkPermit(permit)
    this.#checkTtl(ttlMs, 'ttlMs')
    const nowMs = this.#time.nowMs()
    const deadlineMs = nowMs + ttlMs
    const renewed = andThen(
      this.#store.renew(permit.key, permit.id, deadlineMs, nowMs),
      (held): Permit | null => (held ? { ...permit, deadlineMs } : null),
    )
    return renewed as Result<M, Permit | null>
  }

  release(permit: Permit): Result<M, boolean> {
    this.#checkPermit(permit)
    return this.#store.release(permit.key, permit.id, this.#time.nowMs())
  }

  #consumeRequest(request: AdmitRequest): ConsumeRequest {
    if (typeof request !== 'object' || request === null) {
      throw new OstlerError('INVALID_REQUEST', `must be { key, tier, ... }, got ${shown(request)}`)
    }
    for (const field in request) if (!FIELDS.has(field)) this.#refuseField(field)
    const { key, cost = 1, permit, opId } = request
    this.#checkKey(key)
    const tier = this.#tier(request.tier)
    this.#checkCost(cost)
    const nowMs = this.#time.nowMs()
    const consume = { key, policies: tier.policies, cost, nowMs }
    if (permit === undefined && opId === undefined) return consume
    return {
      ...consume,
      ...(permit !== undefined && { permit: this.#permit(request, tier, permit, nowMs) }),
      ...(opId !== undefined && { opId: this.#opId(opId) }),
    }
  }

  #permit(
    request: AdmitRequest,
    tier: ResolvedTier,
    permit: { readonly ttlMs: number },
    nowMs: number,
  ): NonNullable<ConsumeRequest['permit']> {
    if (tier.permits === null) {
      const message = `tier ${shown(request.tier)} offers no permits: give it \`permits\``
      throw new OstlerError('INVALID_REQUEST', message)
    }
    this.#checkTtl(permit?.ttlMs, 'permit.ttlMs')
    // A repeated operation asks for the permit that it was given the first time.
    const id = request.opId ?? this.#nextId()
    return { id, cap: tier.permits, deadlineMs: nowMs + permit.ttlMs }
  }

  #opId(opId: string): string {
    const problem = keyProblem(opId)
    if (problem !== null) throw new OstlerError('INVALID_REQUEST', `opId ${problem}`)
    return opId
  }

  #decision(tier: string, consume: ConsumeRequest, verdict: Verdict): Decision {
    const { key, permit } = consume
    const decision = {
      allowed: verdict.allowed,
      policy: verdict.policy,
      limit: verdict.limit,
      remaining: verdict.remaining,
      resetAtMs: verdict.resetAtMs,
      retryAfterMs: verdict.retryAfterMs,
      atMs: verdict.atMs,
      key,
      tier,
      cost: consume.cost,
      source: verdict.degraded === true ? LOCAL : this.#store.name,
      degraded: verdict.degraded === true,
    }
    if (permit === undefined && consume.opId === undefined) return decision
    return {
      ...decision,
      ...(consume.opId !== undefined && { opId: consume.opId }),
      ...(permit !== undefined &&
        verdict.allowed && {
          permit: { id: permit.id, key, deadlineMs: heldUntilMs(consume, permit, verdict) },
        }),
    }
  }

  #tier(name: string): ResolvedTier {
    const tier = this.#tiers.get(name)
    if (tier !== undefined) return tier
    const known = [...this.#tiers.keys()].slice(0, 10).join(', ') || 'none'
    throw new OstlerError('UNKNOWN_TIER', `tier must be one of: ${known}; got ${shown(name)}`)
  }

  #checkKey(key: unknown): void {
    const problem = keyProblem(key)
    if (problem !== null) throw new OstlerError('INVALID_KEY', `key ${problem}`)
  }

  #checkPermit(permit: Permit): void {
    const problem = keyProblem(permit?.id) ?? keyProblem(permit?.key)
    if (problem === null) return
    throw new OstlerError('INVALID_REQUEST', `must be a permit of admit, got ${shown(permit)}`)
  }

  #checkTtl(ttlMs: unknown, path: string): void {
    const problems: Problem[] = []
    expectInteger(problems, path, ttlMs, 1, MAX_PERMIT_MS)
    throwIfAny('INVALID_REQUEST', problems)
  }

  #checkCost(cost: number): void {
    if (Number.isInteger(cost) && cost >= 1 && cost <= MAX_LIMIT) return
    const message = `cost must be an integer from 1 to ${MAX_LIMIT}, got ${shown(cost)}`
    throw new OstlerError('INVALID_REQUEST', message)
  }

  #refuseField(field: string): never {
    const message = `request ${unknownField(field, 'an admit request', FIELDS)}`
    throw new OstlerError('INVALID_REQUEST', message)
  }

  #value<T>(value: T): Result<M, T> {
    return (this.#store.mode === 'sync' ? value : Promise.resolve(value)) as Result<M, T>
  }
}

/** A repeated operation holds the permit that it was given the first time, which is the instant that its verdict names. */
function heldUntilMs(
  consume: ConsumeRequest,
  permit: NonNullable<ConsumeRequest['permit']>,
  verdict: Verdict,
): number {
  return Math.min(permit.deadlineMs, verdict.atMs + permit.deadlineMs - consume.nowMs)
}
