import type {
  AcquireRequest,
  BreakerPolicy,
  Candidate,
  ConsumeRequest,
  HealthPolicy,
  IncidentPolicy,
  Lease,
  Outcome,
  ResolvedPolicy,
  Settled,
  Store,
} from '@ostler/core'
import { expectKind } from './assert.ts'

/** The instant at which every case starts: a whole minute. */
export const T = 1_200_000_000

export const MINUTE: number = 60_000
export const HOUR: number = 3_600_000

export const HEALTH: HealthPolicy = {
  ladder: [
    { health: 'limited', durationMs: 30_000 },
    { health: 'limited', durationMs: 120_000 },
    { health: 'unavailable', durationMs: 300_000 },
    { health: 'unavailable', durationMs: 1_200_000 },
    { health: 'unavailable', durationMs: 3_600_000 },
  ],
  rateLimitedMs: 30_000,
  strikeDecayMs: HOUR,
  okStreakToForget: 3,
  jitter: 0,
}

export const INCIDENT: IncidentPolicy = {
  minExclusions: 10,
  exclusionShare: 0.05,
  minFailures: 5,
  failureShare: 0.3,
}

export const BREAKER: BreakerPolicy = { threshold: 3, restMs: 10_000, maxRestMs: 300_000 }

/** An exact policy of a window of 10 s. */
export function exact(limit: number, name = 'p', windowMs = 10_000, quantumMs = 1): ResolvedPolicy {
  return { kind: 'exact', name, limit, windowMs, quantumMs }
}

/** A call of cost 1 at T by key `k`. */
export function call(
  policies: readonly ResolvedPolicy[],
  overrides: Partial<ConsumeRequest> = {},
): ConsumeRequest {
  return { key: 'k', policies, cost: 1, nowMs: T, ...overrides }
}

export function candidate(
  agentId: string,
  exit: string = agentId,
  maxConcurrency = 100,
): Candidate {
  return { agentId, exit, maxConcurrency }
}

/** A request for domain `d` at T, with a lease of a minute. */
export function wanting(
  candidates: readonly Candidate[],
  leaseId: string,
  overrides: Partial<AcquireRequest> = {},
): AcquireRequest {
  const nowMs = overrides.nowMs ?? T
  const deadlineMs = nowMs + MINUTE
  const usual = { domain: 'd', deadlineMs, nowMs, viewVersion: 0, health: HEALTH }
  return { ...usual, candidates, leaseId, ...overrides }
}

/** Acquires, and gives the lease that a scheduler would hand out; throws if the store refuses. */
export async function lease(store: Store, request: AcquireRequest): Promise<Lease> {
  const { index, epoch, probe } = expectKind(await store.acquire(request), 'acquired')
  const { agentId, exit } = request.candidates[index]
  const { leaseId, domain, nowMs, deadlineMs } = request
  return { id: leaseId, agentId, exit, domain, epoch, pickedAtMs: nowMs, deadlineMs, probe }
}

/** Settles at an instant, with a fleet of 100 exits. */
export async function settle(
  store: Store,
  told: Lease,
  outcome: Outcome,
  nowMs: number = T,
  exits = 100,
): Promise<Settled> {
  return store.settle({
    lease: told,
    outcome,
    nowMs,
    viewVersion: 0,
    health: HEALTH,
    incident: INCIDENT,
    breaker: BREAKER,
    exits,
  })
}

/** Leases exit `a` for domain `d` and reports it blocked: unavailable for five minutes. */
export async function block(
  store: Store,
  nowMs: number = T,
  leaseId = 'blocked',
): Promise<Settled> {
  const told = await lease(store, wanting([candidate('a')], leaseId, { nowMs }))
  return settle(store, told, { kind: 'blocked' }, nowMs)
}
