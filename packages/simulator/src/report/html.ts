import type { Comparison } from '../run/compare.ts'
import type { MinuteResult, PolicyResult } from '../run/tally.ts'
import { barChart, colourOf, escapeHtml, lineChart, type Line } from './chart.ts'
import { count, counted, duration, percent } from './figures.ts'

const STYLE = `
:root { color-scheme: light dark;
  --ink: #1c1c1a; --faint: #77756f; --rule: #e3e0d8; --paper: #fdfcf9 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9e7e1; --faint: #98958d; --rule: #383630; --paper: #171613 }
}
body { font: 16px/1.55 ui-serif, Georgia, serif; color: var(--ink); background: var(--paper);
  max-width: 900px; margin: 3rem auto; padding: 0 1.2rem }
h1 { font-size: 1.9rem; margin: 0 0 .3rem } h2 { font-size: 1.15rem; margin: 2.4rem 0 .5rem }
p { margin: .3rem 0 } .faint { color: var(--faint) } .wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  font-size: .92rem }
th, td { text-align: right; padding: .38rem .55rem; border-bottom: 1px solid var(--rule) }
th:first-child, td:first-child { text-align: left } th { font-weight: 600; color: var(--faint) }
svg { width: 100%; height: auto; font: 12px ui-sans-serif, system-ui, sans-serif }
.grid { stroke: var(--rule) } .line { fill: none; stroke-width: 1.8; stroke-linejoin: round }
.x { text-anchor: middle; fill: var(--faint) } .v { fill: var(--ink); dominant-baseline: middle }
.y { text-anchor: end; dominant-baseline: middle; fill: var(--faint) }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .45em }
`

/**
 * The comparison as one HTML page that needs nothing else: no scripts, no fonts, no images from
 * elsewhere.
 */
export function comparisonHtml(comparison: Comparison): string {
  const { results } = comparison
  const success = lines(results, ({ ok, requests }) => (requests === 0 ? null : ok / requests))
  const wasted = lines(results, (minute) => minute.wasted)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ostler: ${escapeHtml(comparison.scenario)}</title><style>${STYLE}</style></head><body>
<h1>Who picks best?</h1>
${introduction(comparison)}
<h2>In all</h2><div class="wide">${policyTable(results)}</div>
<p class="faint">Success: of all requests, those that brought their page, from where a strict
hint wants it. Wasted: dispatched to an exit that the domain was blocking at that moment.
Distances: from the hint to the agent, for requests with a hint.</p>
<h2>Success, minute by minute</h2>
${lineChart(success, leastOf(success), 1, percent)}
<h2>Wasted requests, minute by minute</h2>
${lineChart(wasted, 0, mostOf(wasted), (value) => count(Math.round(value)))}
<h2>Wasted requests, in all</h2>
${barChart(
  results.map((result) => ({ name: result.policy, value: result.wasted })),
  (value) => count(value),
)}
<h2>Success by kind of domain</h2><div class="wide">${kindTable(results)}</div>
<h2>What each policy does</h2>
${results.map(policyLine).join('\n')}
</body></html>
`
}

function introduction(comparison: Comparison): string {
  const requests = comparison.calls - comparison.limited
  return `<p>Scenario <b>${escapeHtml(comparison.scenario)}</b>, seed ${comparison.seed}:
${duration(comparison.durationMs)} of virtual time, ${counted(comparison.agents, 'agent')} on
${counted(comparison.exits, 'exit')} in ${counted(comparison.countries, 'country', 'countries')},
${counted(comparison.domains, 'domain')}.</p>
<p>${counted(comparison.calls, 'call')} of ${counted(comparison.clients, 'client')}:
${count(comparison.limited)} over their limits, ${counted(requests, 'request')}.
Every policy was given the same ones.</p>`
}

function policyLine({ policy, summary }: PolicyResult, i: number): string {
  return `<p>${key(i)}<b>${escapeHtml(policy)}</b>: ${escapeHtml(summary)}</p>`
}

function policyTable(results: readonly PolicyResult[]): string {
  const head = [
    'policy',
    'success',
    'of dispatched',
    'wasted',
    'share',
    'exclusions',
    'probes',
    'km, median',
    'km, p95',
    'in country',
    'refused',
  ]
  const rows = results.map((result, i) => [
    key(i) + escapeHtml(result.policy),
    percent(result.servedShare),
    percent(result.successShare),
    count(result.wasted),
    percent(result.wastedShare),
    count(result.exclusions),
    count(result.probes),
    count(result.distanceKm.median),
    count(result.distanceKm.p95),
    percent(result.inCountryShare),
    count(result.refused),
  ])
  return table(head, rows)
}

function kindTable(results: readonly PolicyResult[]): string {
  const head = ['policy', ...(results[0]?.kinds.map(({ kind }) => escapeHtml(kind)) ?? [])]
  const rows = results.map(({ policy, kinds }, i) => [
    key(i) + escapeHtml(policy),
    ...kinds.map(({ ok, requests }) => percent(requests === 0 ? null : ok / requests)),
  ])
  return table(head, rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]) =>
    `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table>`
}

function key(index: number): string {
  return `<span class="key" style="background:${colourOf(index)}"></span>`
}

function lines(
  results: readonly PolicyResult[],
  value: (minute: MinuteResult) => number | null,
): Line[] {
  return results.map(({ policy, minutes }) => ({ name: policy, values: minutes.map(value) }))
}

function mostOf(chart: readonly Line[]): number {
  return Math.max(1, ...chart.flatMap((line) => line.values.map((value) => value ?? 0)))
}

/** A tenth below the least, in whole twentieths, so that differences show. */
function leastOf(chart: readonly Line[]): number {
  const least = Math.min(1, ...chart.flatMap((line) => line.values.map((value) => value ?? 1)))
  return Math.max(0, Math.floor((least - 0.02) * 20) / 20)
}
