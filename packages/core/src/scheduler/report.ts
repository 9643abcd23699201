// hot path: every dispatch is reported.

import { OstlerError, shown, unknownField } from '../errors.ts'
import type { OutcomeKind, PairRecord } from '../health/record.ts'
import { NONE } from '../pick/open-leases.ts'
import type { View } from '../pick/view.ts'
import { keyProblem, MAX_KEY_BYTES } from '../limit/key.ts'
import type { Lease, Mode, Outcome, Result, Settled, Store } from '../store/store.ts'
import { events } from './events.ts'
import type { ResolvedOptions } from './options.ts'
import type { Roster } from './roster.ts'
import type { Throttle } from './throttle.ts'
import type { Time } from './time.ts'
import type { Views } from './views.ts'

/** Every kind: a new one that is missing here does not compile. */
const KINDS: Readonly<Record<OutcomeKind, true>> = {
  ok: true,
  rate_limited: true,
  challenged: true,
  blocked: true,
  target_error: true,
  agent_error: true,
  neutral: true,
}
const FIELDS: readonly string[] = ['kind', 'evidence', 'retryAfterMs', 'latencyMs']
const MAX_EVIDENCE = 500
/** The longest host is 253 characters. */
const MAX_DOMAIN = 255
const DOMAIN = /^[a-z0-9._:[\]-]+$/

/** The last step of a request: what came of it? The store decides; the view and the fleet follow at once. */
export class Reporter<M extends Mode> {
  readonly #options: ResolvedOptions<M>
  readonly #store: Store<M>
  readonly #isAsync: boolean
  readonly #time: Time
  readonly #roster: Roster
  readonly #views: Views
  readonly #throttle: Throttle

  constructor(
    options: ResolvedOptions<M>,
    time: Time,
    roster: Roster,
    views: Views,
    throttle: Throttle,
  ) {
    this.#options = options
    this.#store = options.store
    this.#isAsync = options.store.mode === 'async'
    this.#time = time
    this.#roster = roster
    this.#views = views
    this.#throttle = throttle
  }

  report(lease: Lease, outcome: Outcome): Result<M, Settled> {
    const dispatched = copyOf(lease)
    const slot = this.#slotOf(dispatched.id)
    if (!isLease(dispatched, this.#agentOf(slot))) refuseLease(lease)
    const view = this.#views.ready(dispatched.domain)
    // Who has a view was picked for, and is a domain.
    if (view === undefined && !isDomain(dispatched.domain)) refuseLease(lease)
    const checked = checkedOutcome(outcome)
    const nowMs = this.#time.nowMs()
    const { health, incident, breaker } = this.#options
    const answer = this.#store.settle({
      lease: dispatched,
      outcome: checked,
      nowMs,
      viewVersion: view === undefined ? 0 : view.version,
      health,
      incident,
      breaker,
      exits: this.#roster.fleet.exits,
    })
    if (this.#isAsync) {
      const later = answer as Promise<Settled>
      return this.#followLater(dispatched, slot, checked, later, view, nowMs) as Result<M, Settled>
    }
    void this.#follow(dispatched, slot, checked, answer as Settled, view, nowMs)
    return answer
  }

  /** Where this process keeps the slot of a lease, or -1. Longer names than may be given are not looked for. */
  #slotOf(id: unknown): number {
    const mayBe = typeof id === 'string' && id.length <= MAX_KEY_BYTES
    return mayBe ? this.#roster.slots.find(id) : NONE
  }

  /** Whom a slot was taken of, where the fleet still has it. */
  #agentOf(slot: number): string | null {
    const { fleet, slots } = this.#roster
    const agent = slot === NONE ? NONE : slots.agentOf(slot)
    return agent === NONE ? null : fleet.agents.idOf(agent)
  }

  async #followLater(
    lease: Lease,
    slot: number,
    outcome: Outcome,
    answer: Promise<Settled>,
    view: View<PairRecord> | undefined,
    nowMs: number,
  ): Promise<Settled> {
    const settled = await answer
    // The answer is for the view that was asked about: another may have taken its place meanwhile.
    const isSame = view !== undefined && view === this.#views.ready(lease.domain)
    await this.#follow(lease, slot, outcome, settled, isSame ? view : undefined, nowMs)
    return settled
  }

  /** Lets this process see at once what the store has decided. */
  #follow(
    lease: Lease,
    slot: number,
    outcome: Outcome,
    settled: Settled,
    view: View<PairRecord> | undefined,
    nowMs: number,
  ): void | Promise<void> {
    const { fleet, slots } = this.#roster
    slots.expire(nowMs, this.#options.drainPerPick)
    if (this.#throttle.isOn) this.#throttle.gave(lease.domain, lease.id)
    const agent = slots.close(lease.id, slot)
    if (agent !== -1 && outcome.kind === 'ok' && nowMs < lease.deadlineMs) {
      const latencyMs = outcome.latencyMs ?? nowMs - lease.pickedAtMs
      fleet.loads.addLatency(agent, Math.max(latencyMs, 1))
    }
    if (view !== undefined) this.#views.absorb(view, settled.changes, nowMs, agent)
    if (events.report.hasSubscribers) events.report.publish({ lease, outcome, settled })
    if (settled.changed && events.transition.hasSubscribers) {
      events.transition.publish({ domain: lease.domain, exit: lease.exit, record: settled.record })
    }
    const changed = settled.breaker !== null || this.#roster.differs(settled.fleetVersion)
    return changed ? this.#roster.follow(nowMs) : undefined
  }
}

/** A copy, so that what is reported stays what was checked while the store decides: each field is read once. */
function copyOf(lease: Lease): Lease {
  if (typeof lease !== 'object' || lease === null) refuseLease(lease)
  const { id, agentId, exit, domain, epoch, pickedAtMs, deadlineMs, probe } = lease
  return { id, agentId, exit, domain, epoch, pickedAtMs, deadlineMs, probe }
}

/**
 * The domain's form is left to the caller. Where a lease of this name was given for the agent of `knownId`, both names are good.
 */
function isLease(lease: Lease, knownId: string | null): boolean {
  const { id, agentId, exit, domain, epoch, pickedAtMs, deadlineMs, probe } = lease
  const isKnown = knownId === agentId
  if (!isKnown && !(isName(id) && isName(agentId))) return false
  if (exit !== agentId && !isName(exit)) return false
  return (
    isCount(epoch) &&
    isCount(pickedAtMs) &&
    isCount(deadlineMs) &&
    typeof domain === 'string' &&
    typeof probe === 'boolean'
  )
}

function refuseLease(lease: Lease): never {
  const isPick = (lease as { readonly kind?: unknown } | null)?.kind === 'picked'
  const got = isPick ? 'the pick itself: pass pick.lease' : shown(lease)
  throw new OstlerError('INVALID_LEASE', `report takes the lease of a pick, got ${got}`)
}

function isName(text: unknown): boolean {
  return keyProblem(text) === null
}

function isCount(number: unknown): boolean {
  return Number.isSafeInteger(number) && (number as number) >= 0
}

/** What `domainOf` may have given: it is not asked again, for it costs more than the report. */
function isDomain(domain: string): boolean {
  return domain.length <= MAX_DOMAIN && DOMAIN.test(domain)
}

/** A copy of an outcome in which nothing is wrong. @throws OstlerError INVALID_OUTCOME */
export function checkedOutcome(outcome: Outcome): Outcome {
  if (typeof outcome !== 'object' || outcome === null) {
    throw new OstlerError('INVALID_OUTCOME', `outcome must be { kind, ... }, got ${shown(outcome)}`)
  }
  for (const field in outcome)
    if (!isField(field)) refuse(unknownField(field, 'an outcome', FIELDS))
  const { kind, evidence, retryAfterMs, latencyMs } = outcome
  if (!isKind(kind))
    refuse(`.kind must be one of ${Object.keys(KINDS).join(', ')}, got ${shown(kind)}`)
  if (evidence !== undefined && typeof evidence !== 'string') {
    refuse(`.evidence must be a string, got ${shown(evidence)}`)
  }
  if (retryAfterMs !== undefined) checkMs('retryAfterMs', retryAfterMs)
  if (latencyMs !== undefined) checkMs('latencyMs', latencyMs)
  // Almost every outcome is one of these two.
  if (evidence === undefined && retryAfterMs === undefined) {
    return latencyMs === undefined ? { kind } : { kind, latencyMs }
  }
  return {
    kind,
    ...(evidence !== undefined && { evidence: evidence.slice(0, MAX_EVIDENCE) }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(latencyMs !== undefined && { latencyMs }),
  }
}

function checkMs(name: string, ms: unknown): void {
  if (Number.isFinite(ms) && (ms as number) >= 0) return
  refuse(`.${name} must be milliseconds of 0 or more, got ${shown(ms)}`)
}

/** By comparison, as names and kinds are kept once: each costs a look at its address. */
function isField(name: string): boolean {
  switch (name) {
    case 'kind':
    case 'evidence':
    case 'retryAfterMs':
    case 'latencyMs':
      return true
    default:
      return false
  }
}

function isKind(kind: OutcomeKind): boolean {
  switch (kind) {
    case 'ok':
    case 'rate_limited':
    case 'challenged':
    case 'blocked':
    case 'target_error':
    case 'agent_error':
    case 'neutral':
      return true
    default:
      return (kind satisfies never) && false
  }
}

function refuse(problem: string): never {
  throw new OstlerError('INVALID_OUTCOME', `outcome${problem.startsWith('.') ? '' : ' '}${problem}`)
}
