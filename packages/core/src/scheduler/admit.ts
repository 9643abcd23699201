// hot path: `admit` of a store in this process allocates its decision and nothing else, and looks a
// tier up by name only when it is another than the last call's.

import {
  expectInteger,
  OstlerError,
  shown,
  throwIfAny,
  unknownField,
  type Problem,
} from '../errors.ts'
import { checkKey, keyProblem, MAX_KEY_BYTES } from '../limit/key.ts'
import type { ConsumeRequest, Mode, Result, Store, Usage, Verdict } from '../store/store.ts'
import type { Fallback } from './degraded.ts'
import { events } from './events.ts'
import { checkCost, decisionOf, isCost, KeyHandle } from './key.ts'
import type { AdmitRequest, Decision, Permit } from './requests.ts'
import { andThen } from './and-then.ts'
import type { StandingTier, Tiers } from './tiers.ts'
import type { Time } from './time.ts'

/** A permit lasts a day at most; renew it for longer. */
const MAX_PERMIT_MS = 86_400_000
const FIELDS: readonly string[] = ['key', 'tier', 'cost', 'permit', 'opId']
// A module's own constants are folded into machine code, imported ones are loaded at each use.
const LONGEST_KEY = MAX_KEY_BYTES
const admitted = events.admit

/** The first step of a request: may this key go on? Checks, asks the store, and dresses its verdict. */
export class Admission<M extends Mode> {
  readonly #store: Store<M>
  readonly #fallback: Fallback<M> | null
  readonly #time: Time
  readonly #tiers: Tiers
  readonly #nextId: () => string
  readonly #refunded: WeakSet<Decision> = new WeakSet()

  /** `fallback`: the store itself, where it is one that may be out of reach. */
  constructor(
    store: Store<M>,
    fallback: Fallback<M> | null,
    time: Time,
    tiers: Tiers,
    nextId: () => string,
  ) {
    this.#store = store
    this.#fallback = fallback
    this.#time = time
    this.#tiers = tiers
    this.#nextId = nextId
  }

  admit(request: AdmitRequest): Result<M, Decision> {
    checkFields(request)
    // Read once: a getter could answer otherwise after the check.
    const { key, tier: name, cost = 1, permit, opId } = request
    const tier = this.#checkedTier(key, name, cost)
    const gate = tier.gate ?? this.#tiers.open(tier)
    if (gate !== null && permit === undefined && opId === undefined) {
      gate.atMs = this.#time.nowMs()
      gate.consume(key, cost, 0)
      const decision = decisionOf(gate, key, tier.name, cost, this.#store.name)
      if (admitted.hasSubscribers) admitted.publish(decision)
      return decision as Result<M, Decision>
    }
    const consume = this.#consumeRequest(tier, key, cost, permit, opId)
    const told = (verdict: Verdict): Decision => {
      const decision = this.#decision(tier.name, consume, verdict)
      if (admitted.hasSubscribers) admitted.publish(decision)
      return decision
    }
    const fallback = this.#fallback
    if (fallback !== null) return fallback.consumeThen(consume, told)
    return andThen(this.#store.consume(consume), told) as Result<M, Decision>
  }

  peek(request: AdmitRequest): Result<M, Decision> {
    checkFields(request)
    const { key, tier: name, cost = 1, permit, opId } = request
    const tier = this.#checkedTier(key, name, cost)
    const consume = this.#consumeRequest(tier, key, cost, permit, opId)
    const decided = andThen(this.#store.peek(consume), (verdict) =>
      this.#decision(tier.name, consume, verdict),
    )
    return decided as Result<M, Decision>
  }

  /** A key to be asked about again and again. */
  key(key: string, tier: string): KeyHandle {
    checkKey(key)
    const standing = this.#tiers.get(tier)
    if (this.#store.mode === 'async') {
      const why = 'for its fields hold one answer at a time: use admit'
      throw new OstlerError('INVALID_REQUEST', `key needs a synchronous store, ${why}`)
    }
    return new KeyHandle(key, standing, this.#tiers, this.#time, this.#store.name)
  }

  refund(decision: Decision): Result<M, boolean> {
    const problem = keyProblem(decision?.key)
    if (problem !== null || !Number.isSafeInteger(decision.atMs)) {
      const message = `refund takes a decision of admit, got ${shown(decision)}`
      throw new OstlerError('INVALID_REQUEST', message)
    }
    const { policies } = this.#tiers.get(decision.tier)
    checkCost(decision.cost)
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
    checkKey(key)
    const nowMs = this.#time.nowMs()
    const tiers = tier === undefined ? [...this.#tiers.values()] : [this.#tiers.get(tier)]
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

  /** Checks what a request always has, and gives its tier. A gate checks the key, where it is new. */
  #checkedTier(key: string, name: string, cost: number): StandingTier {
    if (typeof key !== 'string' || key.length > LONGEST_KEY) checkKey(key)
    const tier = this.#tiers.find(name)
    if (tier !== undefined && isCost(cost)) return tier
    checkKey(key)
    const known = this.#tiers.get(name)
    checkCost(cost)
    return known
  }

  #consumeRequest(
    tier: StandingTier,
    key: string,
    cost: number,
    permit: AdmitRequest['permit'],
    opId: string | undefined,
  ): ConsumeRequest {
    checkKey(key)
    const nowMs = this.#time.nowMs()
    const consume = { key, policies: tier.policies, cost, nowMs }
    if (permit === undefined && opId === undefined) return consume
    return {
      ...consume,
      ...(permit !== undefined && { permit: this.#permit(tier, permit, opId, nowMs) }),
      ...(opId !== undefined && { opId: this.#opId(opId) }),
    }
  }

  #permit(
    tier: StandingTier,
    permit: { readonly ttlMs: number },
    opId: string | undefined,
    nowMs: number,
  ): NonNullable<ConsumeRequest['permit']> {
    if (tier.permits === null) {
      const message = `tier ${shown(tier.name)} offers no permits: give it \`permits\``
      throw new OstlerError('INVALID_REQUEST', message)
    }
    this.#checkTtl(permit?.ttlMs, 'permit.ttlMs')
    // A repeated operation asks for the permit that it was given the first time.
    const id = opId ?? this.#nextId()
    return { id, cap: tier.permits, deadlineMs: nowMs + permit.ttlMs }
  }

  #opId(opId: string): string {
    const problem = keyProblem(opId)
    if (problem !== null) throw new OstlerError('INVALID_REQUEST', `opId ${problem}`)
    return opId
  }

  #decision(tier: string, consume: ConsumeRequest, verdict: Verdict): Decision {
    const { key, permit } = consume
    const decision = decisionOf(verdict, key, tier, consume.cost, this.#store.name)
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

function checkFields(request: AdmitRequest): void {
  if (typeof request !== 'object' || request === null) {
    throw new OstlerError('INVALID_REQUEST', `must be { key, tier, ... }, got ${shown(request)}`)
  }
  for (const field in request) if (!isField(field)) refuseField(field)
}

function isField(field: string): boolean {
  return (
    field === 'key' ||
    field === 'tier' ||
    field === 'cost' ||
    field === 'permit' ||
    field === 'opId'
  )
}

function refuseField(field: string): never {
  const message = `request ${unknownField(field, 'an admit request', FIELDS)}`
  throw new OstlerError('INVALID_REQUEST', message)
}
