import type { Bound, Measure, Table, Unit } from '../case.ts'
import type { Results, Row } from './results.ts'
import { median, valuesOf } from './summary.ts'

/** What came of one promise. */
export interface Judgement {
  readonly table: string
  readonly bound: Bound
  /** The row that decided: the worst where the bound is for all of ours. Null where it was not measured. */
  readonly row: string | null
  /** Null where it was not measured. */
  readonly figure: number | null
  /** The smallest and the largest over the processes. */
  readonly range: readonly [number, number] | null
  /** Null where it was not measured. */
  readonly unit: Unit | null
  /** Null where it was not measured. */
  readonly reached: boolean | null
}

/** Holds each table's promises against what was measured. */
export function judge(tables: readonly Table[], results: Results): readonly Judgement[] {
  return tables.flatMap((table) =>
    table.bounds.map((bound) => judgeBound(table.name, bound, results.rows)),
  )
}

/** The worst of the rows that the bound is for. */
function judgeBound(table: string, bound: Bound, rows: readonly Row[]): Judgement {
  const here = rows.filter((row) => row.table === table)
  const subjects = here.filter(({ name, contender }) =>
    bound.row === '*' ? contender === 'ours' : name === bound.row,
  )
  let worst: Judgement | null = null
  for (const row of subjects) {
    const judged = judgeRow(bound, row, here, rows)
    if (judged.figure === null) return judged
    const isWorse = worst === null || excess(judged) > excess(worst)
    if (isWorse) worst = judged
  }
  return worst ?? unmeasured(table, bound)
}

/** How far beyond its bound: above 1 is missed. */
function excess({ bound, figure }: Judgement): number {
  if (figure === null) return Infinity
  return bound.least === undefined ? figure / (bound.most ?? 1) : bound.least / figure
}

function judgeRow(bound: Bound, row: Row, here: readonly Row[], rows: readonly Row[]): Judgement {
  const measure = bound.of ?? (row.kind === 'figure' ? 'value' : 'p50')
  const values = boundValues(bound, row, measure, here, rows)
  if (values.length === 0) return unmeasured(row.table, bound)
  const figure = median(values)
  const isKept = figure <= (bound.most ?? Infinity) && figure >= (bound.least ?? -Infinity)
  return {
    table: row.table,
    bound,
    row: row.name,
    figure,
    range: [Math.min(...values), Math.max(...values)],
    unit: unitOf(bound, row, measure),
    reached: isKept,
  }
}

/** The bounded number for each process: the quotient of what the same process found, where it found both. */
function boundValues(
  bound: Bound,
  row: Row,
  measure: Measure,
  here: readonly Row[],
  rows: readonly Row[],
): readonly number[] {
  const others = bound.beyond?.map((name) => named(here, name)) ?? []
  if (others.includes(undefined)) return []
  const own = valuesOf(row, measure).map((value, i) =>
    others.reduce((left, other) => left - at(other, measure, i), value),
  )
  const rivals = rivalsOf(bound, row, here, rows)
  if (rivals === null) return own
  if (rivals.length === 0 || rivals.includes(undefined)) return []
  const best = (i: number): number => Math.min(...rivals.map((rival) => at(rival, measure, i)))
  return own.map((value, i) => (bound.faster === true ? best(i) / value : value / best(i)))
}

/** Null where the bound is for the number itself. */
function rivalsOf(
  { against, table }: Bound,
  { name }: Row,
  here: readonly Row[],
  rows: readonly Row[],
): readonly (Row | undefined)[] | null {
  if (table !== undefined) return [rows.find((row) => row.table === table && row.name === name)]
  if (against === undefined) return null
  const names = typeof against === 'string' ? [against] : against
  return names.map((rival) => named(here, rival))
}

function named(rows: readonly Row[], name: string): Row | undefined {
  return rows.find((row) => row.name === name)
}

/** What process i found; one that did not take part is stood in for by the median. */
function at(row: Row | undefined, measure: Measure, i: number): number {
  if (row === undefined) return Number.NaN
  const values = valuesOf(row, measure)
  return values[i] ?? (values.length === 0 ? Number.NaN : median(values))
}

function unitOf(bound: Bound, row: Row, measure: Measure): Unit {
  if (bound.against !== undefined || bound.table !== undefined) return 'times'
  if (row.kind === 'figure') return row.unit
  return measure === 'bytes' ? 'bytes' : 'ns'
}

function unmeasured(table: string, bound: Bound): Judgement {
  return { table, bound, row: null, figure: null, range: null, unit: null, reached: null }
}
