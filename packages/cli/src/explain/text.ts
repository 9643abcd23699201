import type {
  Agent,
  ExhaustedCause,
  Explained,
  ExplainedCandidate,
  ExplainedLocality,
  PairState,
} from '@ostler/core'
import { columns, count, counted, duration } from '@ostler/simulator'

const MOST_LOCALITIES = 12
const MOST_TEXT = 30

/**
 * What a pick came to, in a few lines of at most 80 columns; `why` adds the walk and the
 * candidates.
 */
export function explainedText(
  explained: Explained,
  domain: string,
  why: boolean,
  nowMs: number,
): string {
  const lines =
    explained.kind === 'picked' ? pickedLines(explained) : exhaustedLines(explained, nowMs)
  const head = [`domain    ${cut(domain, 68)}`, ...lines]
  if (!why) return `${head.join('\n')}\n`
  const { localities, candidates } = explained
  const shown = [...walkLines(localities), '', ...candidateLines(candidates, nowMs)]
  return `${[...head, '', ...shown].join('\n')}\n`
}

/** What may be shown of an agent: all but its url, which may hold credentials. */
export function shownAgent(agent: Agent): Omit<Agent, 'url'> {
  const { url, ...shown } = agent
  void url
  return shown
}

function pickedLines(picked: Explained & { kind: 'picked' }): string[] {
  const { agent, locality, distanceKm, probe } = picked
  const place = [agent.city, agent.region ?? agent.country].filter((part) => part !== undefined)
  const where = place.length === 0 ? '' : `  (${cut(place.join(', '), 30)})`
  const network = agent.asn === undefined ? '' : `  AS${agent.asn}`
  return [
    `agent     ${cut(agent.id, 70 - where.length)}${where}`,
    `exit      ${cut(agent.exitIp ?? agent.id, 70 - network.length)}${network}`,
    `locality  ${cut(locality, 70)}`,
    `distance  ${km(distanceKm)}`,
    ...(probe ? ['probe     yes: the trial that may bring this exit back'] : []),
  ]
}

const CAUSES: Readonly<Record<ExhaustedCause, string>> = {
  fleet_empty: 'there are no agents',
  geo_empty: 'the hint allows no agent of the fleet',
  filter_empty: 'no agent passes pin, avoid and tags',
  pinned_excluded: 'every pinned agent is excluded, resting or full',
  at_capacity: 'every available agent is at capacity',
  all_excluded: 'every eligible agent is excluded, drained or resting',
  incident: 'the domain has an incident: as many dispatches are under way as it is given',
} as const

function exhaustedLines(exhausted: Explained & { kind: 'exhausted' }, nowMs: number): string[] {
  const { cause, retryAtMs, counts } = exhausted
  const retry =
    retryAtMs === null
      ? 'time alone does not help'
      : `in ${duration(Math.max(0, retryAtMs - nowMs))} (${instant(retryAtMs)})`
  return [
    `agent     none: ${CAUSES[cause]}`,
    `cause     ${cause}`,
    `retry     ${retry}`,
    `fleet     ${counted(counts.agents, 'agent')}, ${count(counts.excluded)} excluded, ` +
      `${count(counts.down)} down, ${count(counts.busy)} busy`,
  ]
}

function walkLines(localities: readonly ExplainedLocality[]): string[] {
  const shown = localities.slice(0, MOST_LOCALITIES)
  const rows = shown.map((locality) => [
    cut(locality.name, MOST_TEXT),
    km(locality.distanceKm),
    count(locality.total),
    count(locality.available),
    count(locality.excluded),
    count(locality.down),
    count(locality.busy),
  ])
  const more = localities.length - shown.length
  return [
    'The walk, nearest first',
    ...indented([
      ['locality', 'distance', 'agents', 'available', 'excluded', 'down', 'busy'],
      ...rows,
    ]),
    ...(more > 0 ? [`  and ${more} more, down to ${cut(localities.at(-1)!.name, 40)}`] : []),
  ]
}

const REASONS: Readonly<Record<ExplainedCandidate['reason'], string>> = {
  picked: 'picked',
  busier: 'drawn, the other won',
  excluded: 'excluded',
  probation: 'on probation',
  probing: 'a probe is under way',
  drained: 'drained',
  resting: 'resting',
  full: 'no free slot',
  avoided: 'avoided',
  not_pinned: 'not pinned',
  tag_missing: 'a tag is missing',
  too_far: 'beyond the radius',
  not_drawn: 'not drawn',
}

function candidateLines(candidates: readonly ExplainedCandidate[], nowMs: number): string[] {
  if (candidates.length === 0) return ['Candidates: none']
  const rows = candidates.map(({ agent, reason, distanceKm, state }) => [
    cut(agent.id, MOST_TEXT),
    cut(agent.city ?? agent.country ?? '-', 16),
    km(distanceKm),
    REASONS[reason] + untilText(state, nowMs),
  ])
  return ['Candidates', ...leftLast([['agent', 'city', 'distance', 'why'], ...rows])]
}

function untilText(state: PairState, nowMs: number): string {
  if (state.health === 'available' || state.untilMs <= nowMs) return ''
  return `, ${duration(state.untilMs - nowMs)} yet`
}

function indented(rows: readonly (readonly string[])[]): string[] {
  return columns(rows).map((line) => `  ${line}`)
}

/** Columns with text in the first, second and last: flush left there. */
function leftLast(rows: readonly (readonly string[])[]): string[] {
  const width = (i: number) => Math.max(...rows.map((row) => row[i].length))
  const [first, second, third] = [width(0), width(1), width(2)]
  return rows.map(([agent, city, distance, why]) =>
    cut(
      `  ${agent.padEnd(first)}  ${city.padEnd(second)}  ${distance.padStart(third)}  ${why}`,
      80,
    ).trimEnd(),
  )
}

function km(distanceKm: number | null): string {
  return distanceKm === null ? '-' : `${count(Math.round(distanceKm))} km`
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
