import {
  transition,
  type AcquireRequest,
  type Acquired,
  type PairEvent,
  type PairRecord,
} from '@ostler/core'
import type { Domain } from './domains.ts'
import { ON_PROBATION, REFUSED } from './pairs.ts'
import { tidy, type Parts } from './parts.ts'

/**
 * Gives the first candidate that is not excluded and has a free slot, and takes its slot, and the probe of a pair on probation.
 * @throws OstlerError STORE_FULL, before anything is taken
 */
export function acquire(parts: Parts, request: AcquireRequest, nowMs: number): Acquired {
  tidy(parts, nowMs)
  const { domains, pairs, leases, fleet, views } = parts
  const { candidates, viewVersion, leaseId } = request
  const held = leases.find(leaseId, nowMs)
  const domain = domains.find(request.domain)
  if (held !== null) {
    const { index, epoch, probe } = held
    const changes = views.changes(request.domain, domain, viewVersion, nowMs)
    return { kind: 'acquired', index, epoch, probe, changes }
  }
  const busyUntilMs = candidates.map(() => 0)
  for (const [index, { agentId, exit, maxConcurrency }] of candidates.entries()) {
    if (fleet.isExcluded(exit, nowMs)) continue
    const epoch = pairs.epochToGo(exit, domain, nowMs)
    if (epoch === REFUSED) continue
    busyUntilMs[index] = leases.busyUntilMs(agentId, maxConcurrency, nowMs)
    if (busyUntilMs[index] === 0) return give(parts, request, index, epoch, domain, nowMs)
  }
  const changes = views.changes(request.domain, domain, viewVersion, nowMs)
  return { kind: 'refused', busyUntilMs, changes }
}

function give(
  { domains, pairs, leases, views }: Parts,
  request: AcquireRequest,
  index: number,
  epochToGo: number,
  known: Domain | undefined,
  nowMs: number,
): Acquired {
  const { leaseId, deadlineMs, viewVersion, health } = request
  const { agentId, exit } = request.candidates[index]
  leases.makeRoom(nowMs)
  const domain = known ?? domains.add(request.domain, nowMs)
  const probe = epochToGo === ON_PROBATION
  let epoch = epochToGo
  if (probe) {
    const before = pairs.record(exit, domain, nowMs)
    const event: PairEvent = { kind: 'probe', leaseId, deadlineMs }
    const after = transition(before, event, nowMs, health) as PairRecord
    pairs.write(exit, domain, after)
    epoch = after.epoch
  }
  leases.take({ id: leaseId, agent: agentId, domain: domain.id, deadlineMs, epoch, index, probe })
  domains.took(domain)
  const changes = views.changes(request.domain, domain, viewVersion, nowMs)
  return { kind: 'acquired', index, epoch, probe, changes }
}
