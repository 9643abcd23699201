import type { Case, Gauge, Table, Unit } from '../case.ts'
import { judge, type Judgement } from '../run/judge.ts'
import type { Results, Row } from '../run/results.ts'
import { isUnstable, median, spread, UNSTABLE, valuesOf } from '../run/summary.ts'
import { reasonFor, reasons } from './reasons.ts'
import { boundWords, number, shown } from './words.ts'

/** The whole of docs/benchmarks.md, from what a run found. */
export function pageOf(tables: readonly Table[], results: Results, file: string): string {
  const judgements = judge(tables, results)
  const reached = judgements.filter((each) => each.reached === true).length
  return [
    '# Benchmarks',
    '',
    `<!-- Written by \`npm run bench:peers\` from bench/results/${file}; edit bench/src instead. -->`,
    '',
    ...intro(results),
    '## What was promised, and what was found',
    '',
    `${reached} of ${judgements.length} bounds are reached. "each of ours" is judged by its worst row. The range is over the processes.`,
    '',
    '| work | promised | found | range | verdict |',
    '| --- | --- | ---: | ---: | --- |',
    ...judgements.map((each, i) => verdictLine(each, judgements[i - 1]?.table)),
    '',
    '## What is not reached, and why',
    '',
    ...whys(judgements),
    '',
    '## All rows',
    '',
    ...tables.flatMap((table) => rowsOf(table, results)),
  ].join('\n')
}

function intro({ at, seconds, machine, pace, missing, later = [] }: Results): readonly string[] {
  const { cpu, cores, memoryGb, system, versions } = machine
  const listed = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `Measured ${minuteOf(at)}, in ${Math.round(seconds / 60)} minutes, on ${cpu}, ${cores} cores, ${memoryGb} GB, ${system}.`,
    ...later.map((each) => `Measured again ${minuteOf(each.at)}: ${each.tables.join('; ')}.`),
    `Versions: ${listed.join(', ')}.`,
    '',
    `Contenders of a table run in the same ${pace.processes} processes, in rounds that each begin with another; every row also runs alone in a`,
    `process of its own where the table says so. A figure is the median over the processes, each of which gives the median of ${pace.rounds} rounds;`,
    'the spread is (largest - smallest) / median of the processes. Ratios are taken within a process. Quantiles are of single calls where a p99 is',
    `given; shorter operations are timed by the thousand, so that reading the timer does not count. A row whose runs differ by more than ${UNSTABLE} times`,
    'is marked as unstable. All is seeded, and each case throws where its operations did not do what it is named for. What a peer cannot do is',
    'said beside it. Absolute times are those of this machine; the ratios carry further.',
    '',
    ...(missing.length === 0 ? [] : ['Not measured:', '']),
    ...missing.map(({ table, why }) => `- ${table}: ${why}`),
    ...(missing.length === 0 ? [] : ['']),
  ]
}

/** Of an instant in ISO 8601. */
function minuteOf(at: string): string {
  return `${at.slice(0, 16).replace('T', ' ')} UTC`
}

/** The work is named where it is another than the line before's. */
function verdictLine(judgement: Judgement, before: string | undefined): string {
  const { bound, figure, range, unit, reached, row, table } = judgement
  const words = boundWords(bound, unit)
  const found = figure === null || unit === null ? '' : shown(figure, unit)
  const worst = bound.row === '*' && row !== null ? `${found} (${row})` : found
  const between =
    range === null || unit === null ? '' : `${bare(range[0], unit)} to ${bare(range[1], unit)}`
  const verdict = reached === null ? 'not measured' : reached ? 'reached' : '**not reached**'
  const work = table === before ? '' : table
  return `| ${work} | ${words} | ${worst} | ${between} | ${verdict} |`
}

/** Each reason once, for all tables that it is for. */
function whys(judgements: readonly Judgement[]): readonly string[] {
  const missed = judgements.filter(({ reached }) => reached === false)
  const starts = new Set(missed.map(({ table }) => reasonFor(table) ?? table))
  return [...starts].map((start) => `- **${start}**: ${reasons[start] ?? 'not looked into yet'}.`)
}

/** Without the unit where the figure beside it has the same. */
function bare(value: number, unit: Unit): string {
  return unit === 'ns' ? shown(value, unit) : number(value)
}

function rowsOf(table: Table, { rows }: Results): readonly string[] {
  const found = rows.filter((row) => row.table === table.name)
  const timed = found.filter((row) => row.kind === 'timed')
  const figures = found.filter((row) => row.kind === 'figure')
  return [
    `### ${table.name}`,
    '',
    table.about,
    '',
    ...(timed.length === 0
      ? []
      : [
          '| | median | p99 | mean | spread | alone | bytes a call |',
          '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
          ...timed.map((row) => timedLine(row, table)),
          '',
        ]),
    ...(figures.length === 0
      ? []
      : [
          '| | figure | spread |',
          '| --- | ---: | ---: |',
          ...figures.map((row) => figureLine(row, table)),
          '',
        ]),
  ]
}

function timedLine(row: Extract<Row, { kind: 'timed' }>, table: Table): string {
  const p50 = valuesOf(row, 'p50')
  const cells = [
    nameOf(row, table.cases),
    shown(median(p50), 'ns'),
    row.ops === 1 ? shown(median(valuesOf(row, 'p99')), 'ns') : '',
    shown(median(valuesOf(row, 'mean')), 'ns'),
    `${Math.round(spread(p50) * 100)} %${isUnstable(row) ? ', unstable' : ''}`,
    row.alone.length === 0 ? '' : shown(median(row.alone.map((each) => each.p50Ns)), 'ns'),
    row.bytes === null ? '' : number(Math.round(row.bytes)),
  ]
  return `| ${cells.join(' | ')} |`
}

function figureLine(row: Extract<Row, { kind: 'figure' }>, table: Table): string {
  const value = shown(median(row.values), row.unit)
  const between =
    row.values.length < 2 ? 'one process' : `${Math.round(spread(row.values) * 100)} %`
  return `| ${nameOf(row, table.gauges)} | ${value} | ${between} |`
}

/** Ours is set apart; what must be known of a peer stands beside its name. */
function nameOf(row: Row, entries: readonly (Case | Gauge)[] | undefined): string {
  const note = entries?.find(({ name }) => name === row.name)?.note
  const name = row.contender === 'ours' ? `**${row.name}**` : row.name
  const kind = row.contender === 'floor' ? 'floor' : null
  const said = [kind, note].filter((part) => part !== null && part !== undefined).join('; ')
  return said === '' ? name : `${name} (${said})`
}
