import type { Comparison } from '../run/compare.ts'
import type { PolicyResult } from '../run/tally.ts'
import { columns, count, counted, duration, percent } from './figures.ts'

/**
 * The comparison as text for a terminal of 80 columns: what was asked, how each policy did, and
 * where.
 */
export function comparisonTable(comparison: Comparison): string {
  const { results } = comparison
  const asked = comparison.calls - comparison.limited
  const domains = counted(comparison.domains, 'domain')
  return [
    `Scenario ${comparison.scenario}, seed ${comparison.seed}: ` +
      `${duration(comparison.durationMs)} of virtual time`,
    `${counted(comparison.agents, 'agent')} on ${counted(comparison.exits, 'exit')} in ` +
      `${counted(comparison.countries, 'country', 'countries')}, ${domains}`,
    `${counted(comparison.calls, 'call')} of ${counted(comparison.clients, 'client')}: ` +
      `${count(comparison.limited)} over their limits, ${counted(asked, 'request')}`,
    '',
    ...columns([
      ['policy', 'success', 'wasted', 'share', 'excluded', 'probes', 'km p50', 'p95', 'refused'],
      ...results.map(policyRow),
    ]),
    '',
    'success   of all requests: brought their page, from where a strict hint wants it',
    'wasted    dispatched to an exit that the domain was blocking at that moment',
    'excluded  times that something was taken out of use;  probes: trials of such',
    'km        from the hint to the agent, for requests with a hint',
    '',
    'Success by kind of domain',
    ...columns([
      ['policy', ...(results[0]?.kinds.map(({ kind }) => kind.slice(0, 11)) ?? [])],
      ...results.map(kindRow),
    ]),
    '',
  ].join('\n')
}

function policyRow(result: PolicyResult): string[] {
  return [
    result.policy,
    percent(result.servedShare),
    count(result.wasted),
    percent(result.wastedShare),
    count(result.exclusions),
    count(result.probes),
    count(result.distanceKm.median),
    count(result.distanceKm.p95),
    count(result.refused),
  ]
}

function kindRow({ policy, kinds }: PolicyResult): string[] {
  return [
    policy,
    ...kinds.map(({ ok, requests }) => percent(requests === 0 ? null : ok / requests)),
  ]
}
