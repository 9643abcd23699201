import type { HealthPolicy, IncidentPolicy, Lease, Outcome } from '@ostler/core'
import { NaiveIncident } from './incident.ts'
import { applyOutcome } from './outcomes.ts'
import { freshPair, naiveStateAt, remember, type NaivePair } from './pair.ts'

/** A report as the health of its pair and domain sees it. */
export interface NaiveReport {
  readonly lease: Lease
  readonly outcome: Outcome
  /** Dispatches of the domain on their way, this one aside. */
  readonly inFlight: number
  /** Distinct exits of the fleet. */
  readonly exits: number
}

/** Pairs by name, and one guard per domain. */
export class NaiveHealth {
  readonly #pairs = new Map<string, NaivePair>()
  readonly #incidents = new Map<string, NaiveIncident>()
  readonly #exitRests = new Map<string, number>()
  readonly #policy: HealthPolicy
  readonly #incidentPolicy: IncidentPolicy

  constructor(policy: HealthPolicy, incidentPolicy: IncidentPolicy) {
    this.#policy = policy
    this.#incidentPolicy = incidentPolicy
  }

  /** The pair as it is kept; a fresh one where nothing is known any more. */
  pair(exit: string, domain: string, nowMs: number): NaivePair {
    const name = `${exit}|${domain}`
    const known = this.#pairs.get(name)
    if (known !== undefined && nowMs < known.forgetAtMs) return known
    const pair = freshPair(exit, domain)
    this.#pairs.set(name, pair)
    return pair
  }

  incident(domain: string): NaiveIncident {
    let incident = this.#incidents.get(domain)
    if (incident === undefined) {
      incident = new NaiveIncident(this.#incidentPolicy)
      this.#incidents.set(domain, incident)
    }
    return incident
  }

  /** When the exit is at work again after a manual rest; 0 if it is. */
  exitRestUntilMs(exit: string): number {
    return this.#exitRests.get(exit) ?? 0
  }

  probe(lease: Lease, nowMs: number): void {
    const pair = this.pair(lease.exit, lease.domain, nowMs)
    pair.probe = { leaseId: lease.id, deadlineMs: lease.deadlineMs }
    remember(pair, nowMs, this.#policy)
  }

  report({ lease, outcome, inFlight, exits }: NaiveReport, nowMs: number): void {
    const { exit, domain } = lease
    const pair = this.pair(exit, domain, nowMs)
    const { kind } = outcome
    const incident = this.incident(domain)
    const refused = kind === 'rate_limited' || kind === 'challenged' || kind === 'blocked'
    const failed = kind === 'target_error' || kind === 'challenged' || kind === 'blocked'
    if (kind === 'ok') incident.succeeded(nowMs)
    if (failed || refused) {
      const newlyExcluded =
        refused && lease.epoch >= pair.epoch && naiveStateAt(pair, nowMs) === 'available'
      incident.trouble({ exit, failed, newlyExcluded, inFlight, exits }, nowMs)
    }
    const incidentOpen = incident.openedAtMs(nowMs) > 0
    applyOutcome(pair, lease, outcome, { nowMs, policy: this.#policy, incidentOpen })
  }

  /** Excludes by hand; `*` rests the exit as a whole. */
  exclude(exit: string, domain: string, untilMs: number, nowMs: number): void {
    if (domain === '*') {
      this.#exitRests.set(exit, untilMs)
      return
    }
    const pair = this.pair(exit, domain, nowMs)
    const before = pair.forgetAtMs
    pair.epoch++
    pair.manualUntilMs = untilMs
    remember(pair, nowMs, this.#policy)
    pair.forgetAtMs = Math.max(pair.forgetAtMs, before)
  }

  restore(exit: string, domain: string, nowMs: number): void {
    if (domain === '*') {
      this.#exitRests.delete(exit)
      return
    }
    const { epoch } = this.pair(exit, domain, nowMs)
    const pair = freshPair(exit, domain, epoch + 1)
    remember(pair, nowMs, this.#policy)
    this.#pairs.set(`${exit}|${domain}`, pair)
  }
}
