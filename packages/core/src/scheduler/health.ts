import { expectInteger, shown, throwIfAny, unknownField, type Problem } from '../errors.ts'
import { stateAt, type PairRecord } from '../health/record.ts'
import { exitOf, type StoredAgent } from '../pick/agent.ts'
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
    problems.push({ path: 'page', message: unknownField(other, 'a page', ['offset', 'limit']) })
  }
  expectInteger(problems, 'offset', offset, 0, Number.MAX_SAFE_INTEGER)
  expectInteger(problems, 'limit', limit, 1, 1000)
  throwIfAny('INVALID_REQUEST', problems)
  return { offset, limit }
}

/**
 * How a domain's agents stand. Those that are not available are listed by id: by their pair, or because they rest as a whole
 * (after errors of their own, or excluded by hand for all domains), which counts as unavailable. Drained agents stand as their pair does.
 * O(agents that are not available * log n).
 */
export function healthOf(
  view: View<PairRecord>,
  roster: Roster,
  page: Required<Page>,
  nowMs: number,
): DomainHealth {
  const { fleet } = roster
  const listed = new Map<number, Listed>()
  for (const [exit, record] of view.entries()) {
    const state = stateAt(record, nowMs)
    if (state.health === 'available') continue
    const { health, reason, untilMs } = state
    fleet.eachOfExit(exit, (agent) => {
      listed.set(agent, { id: fleet.agents.idOf(agent), exit, health, reason, untilMs })
    })
  }
  fleet.resting.inOrder((agent, restMs) => {
    if (restMs > nowMs) listed.set(agent, resting(roster, agent, restMs, listed.get(agent), nowMs))
    return true
  })
  const counts = { available: fleet.size - listed.size, limited: 0, unavailable: 0 }
  let nextRecoveryAtMs = Infinity
  for (const { health, untilMs } of listed.values()) {
    counts[health]++
    if (untilMs > nowMs) nextRecoveryAtMs = Math.min(nextRecoveryAtMs, untilMs)
  }
  const agents = [...listed.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  const end = page.offset + page.limit
  return {
    domain: view.domain,
    counts,
    ...(view.incidentAtMs > 0 && { incident: { openedAtMs: view.incidentAtMs } }),
    nextRecoveryAtMs: nextRecoveryAtMs < Infinity ? nextRecoveryAtMs : null,
    agents: agents.slice(page.offset, end),
    next: end < agents.length ? end : null,
  }
}

/** A resting agent, whose pair may be excluded as well: it is back when both are over. */
function resting(
  roster: Roster,
  agent: number,
  restMs: number,
  pair: Listed | undefined,
  nowMs: number,
): Listed {
  const described = roster.fleet.agents.get(agent) as StoredAgent
  const { id } = described
  const exit = exitOf(described)
  const reason = roster.isByHand(exit, nowMs) ? 'manual' : 'agent_error'
  return { id, exit, health: 'unavailable', reason, untilMs: Math.max(restMs, pair?.untilMs ?? 0) }
}
