import { expectInteger, shown, throwIfAny, type Problem } from '../errors.ts'
import { stateAt, type PairRecord } from '../health/record.ts'
import type { View } from '../pick/view.ts'
import type { DomainHealth } from './requests.ts'
import type { Roster } from './roster.ts'

/** Which part of a domain's agents to list. */
export interface Page {
  /** The first to list, from 0. */
  readonly offset?: number
  /** 1 to 1,000. Default 100. */
  readonly limit?: number
}

type Listed = DomainHealth['agents'][number]

/** Checks a page. @throws OstlerError INVALID_REQUEST */
export function checkedPage(page: Page): Required<Page> {
  const problems: Problem[] = []
  if (typeof page !== 'object' || page === null) {
    problems.push({ path: 'page', message: `must be { offset?, limit? }, got ${shown(page)}` })
    throwIfAny('INVALID_REQUEST', problems)
  }
  const { offset = 0, limit = 100, ...others } = page
  for (const other of Object.keys(others)) {
    problems.push({ path: other, message: 'is not a field of a page: offset, limit' })
  }
  expectInteger(problems, 'offset', offset, 0, Number.MAX_SAFE_INTEGER)
  expectInteger(problems, 'limit', limit, 1, 1000)
  throwIfAny('INVALID_REQUEST', problems)
  return { offset, limit }
}

/**
 * How a domain's pairs stand. Agents that are not available are listed by id; those of exits that have left the fleet are not.
 * O(exits that are not available * log n).
 */
export function healthOf(
  view: View<PairRecord>,
  roster: Roster,
  page: Required<Page>,
  nowMs: number,
): DomainHealth {
  const { fleet } = roster
  const listed: Listed[] = []
  const counts = { available: fleet.size, limited: 0, unavailable: 0 }
  let nextRecoveryAtMs = Infinity
  for (const [exit, record] of view.entries()) {
    const state = stateAt(record, nowMs)
    if (state.health === 'available') continue
    fleet.eachOfExit(exit, (agent) => {
      counts.available--
      counts[state.health]++
      const id = fleet.agents[agent]?.id ?? ''
      const { health, reason, untilMs } = state
      listed.push({ id, exit, health, reason, untilMs })
      if (untilMs > nowMs && untilMs < nextRecoveryAtMs) nextRecoveryAtMs = untilMs
    })
  }
  listed.sort((a, b) => (a.id < b.id ? -1 : 1))
  const end = page.offset + page.limit
  return {
    domain: view.domain,
    counts,
    ...(view.incidentAtMs > 0 && { incident: { openedAtMs: view.incidentAtMs } }),
    nextRecoveryAtMs: nextRecoveryAtMs < Infinity ? nextRecoveryAtMs : null,
    agents: listed.slice(page.offset, end),
    next: end < listed.length ? end : null,
  }
}
