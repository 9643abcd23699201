import {
  incidentAt,
  isExclusion,
  LATE_REPORT_MS,
  observe,
  stateAt,
  transition,
  trip,
  type AgentBreaker,
  type PairEvent,
  type PairRecord,
  type SettleRequest,
  type Settled,
  type Watch,
} from '@ostler/core'
import type { Head } from '../file/head.ts'
import type { Domain } from './domains.ts'
import type { Fleet } from './fleet.ts'
import type { HeldLease } from './log-rows.ts'
import type { Leases } from './leases.ts'
import { tidy, type Parts } from './parts.ts'

const CLEARED: AgentBreaker = Object.freeze({ failures: 0, downUntilMs: 0 })

/**
 * Frees a lease and applies its outcome to the domain's incident, the pair and the agent's breaker.
 *
 * The epoch fences the pair alone: of a lease that is outstanding, the domain's incident and the agent's breaker hear the
 * outcome even when the pair has moved on (`stale`). An outcome that opens an incident is already capped by it.
 * @throws OstlerError STORE_FULL, before anything is written
 */
export function settle(parts: Parts, head: Head, request: SettleRequest, nowMs: number): Settled {
  tidy(parts, nowMs)
  const { domains, pairs, leases, fleet, views } = parts
  const { lease, outcome, viewVersion } = request
  const { exit } = lease
  const held = leases.find(lease.id, nowMs)
  let domain = domains.find(lease.domain)
  const before = pairs.record(exit, domain, nowMs)
  const told = (
    kind: 'applied' | 'stale',
    changed: boolean,
    record: PairRecord | null,
    breaker: AgentBreaker | null,
  ): Settled => {
    const changes = views.changes(lease.domain, domain, viewVersion, nowMs)
    return { kind, changed, record, breaker, changes }
  }
  const stale = before !== null && lease.epoch < before.epoch
  const excludes = isExclusion(outcome.kind)
  if (held === null && (stale || !excludes || nowMs - lease.pickedAtMs >= LATE_REPORT_MS)) {
    return told('stale', false, before, null)
  }
  const quiet = domain === undefined || domain.watch === null
  if (held !== null && outcome.kind === 'ok' && before === null && quiet) {
    leases.free(held)
    return told('applied', false, null, trippedBy(fleet, request, nowMs))
  }
  // The tried are counted with the leases on their way: those past their deadline are not among them.
  leases.drainToCount(nowMs)
  const watch = observed(request, domain, leases, held, excludes && !stale, before, nowMs)
  const after = transition(before, eventOf(request, watch, nowMs), nowMs, request.health)
  const changed = after !== before
  // All that may be refused is behind: from here on the decision is carried out.
  if (changed) pairs.makeRoom(exit, domain, nowMs)
  if (held !== null) leases.free(held)
  if ((domain === undefined ? null : domain.watch) !== watch) {
    domain ??= domains.add(lease.domain, nowMs)
    // An incident that opens or ends is a change of the domain.
    const opened = incidentAt(domain.watch, nowMs)?.openedAtMs
    const isChange = incidentAt(watch, nowMs)?.openedAtMs !== opened
    domains.setWatch(domain, watch, isChange ? head.nextVersion() : domain.version)
  }
  if (changed) {
    domain ??= domains.add(lease.domain, nowMs)
    pairs.write(exit, domain, after as PairRecord)
  }
  return told(stale ? 'stale' : 'applied', changed, after, trippedBy(fleet, request, nowMs))
}

function eventOf({ lease, outcome }: SettleRequest, watch: Watch | null, nowMs: number): PairEvent {
  const { epoch, id: leaseId, exit, domain } = lease
  const capped = incidentAt(watch, nowMs) !== null
  return { kind: 'outcome', outcome, epoch, leaseId, capped, exit, domain }
}

/** What is counted of the domain after an outcome. */
function observed(
  request: SettleRequest,
  domain: Domain | undefined,
  leases: Leases,
  held: HeldLease | null,
  mayExclude: boolean,
  before: PairRecord | null,
  nowMs: number,
): Watch | null {
  const { lease, outcome, incident, exits } = request
  const event = {
    outcome: outcome.kind,
    exit: lease.exit,
    newlyExcluded: mayExclude && stateAt(before, nowMs).health === 'available',
    dispatched: domain === undefined ? 0 : domain.dispatched,
    inFlight: domain === undefined ? 0 : leases.inFlight(domain) - (held === null ? 0 : 1),
  }
  return observe(domain === undefined ? null : domain.watch, event, nowMs, incident, exits)
}

/** The agent's breaker, where the outcome changed it. */
function trippedBy(fleet: Fleet, request: SettleRequest, nowMs: number): AgentBreaker | null {
  const { lease, outcome, breaker: policy } = request
  const before = fleet.breaker(lease.agentId)
  if (before === null && outcome.kind !== 'agent_error') return null
  const after = trip(before, outcome.kind, nowMs, policy)
  if (after === before) return null
  fleet.setBreaker(lease.agentId, after)
  return after ?? CLEARED
}
