import type { Case, Gauge, Table } from '../case.ts'
import type { NamedTable } from '../tables/index.ts'
import { inFreshProcess, type Job } from './jobs.ts'
import type { FigureRow, Pace, Row, TimedRow, Timing } from './results.ts'

/** Measures a table: its cases against each other, each alone, what each of ours allocates, and its gauges. */
export async function measureTable(
  { room, table }: NamedTable,
  pace: Pace,
  withPeers: boolean,
): Promise<readonly Row[]> {
  const processes = table.heavy === true ? pace.heavy : pace.processes
  const job = { room, table: table.name, pace: { ...pace, processes }, first: 0 }
  const rows: Row[] = []
  const cases = (table.cases ?? []).filter(({ kind }) => withPeers || kind !== 'peer')
  const together = await timedTogether(cases, job)
  for (const one of cases) rows.push(await timedRow(one, table, together.get(one.name) ?? [], job))
  for (const gauge of table.gauges ?? []) {
    if (withPeers || gauge.kind !== 'peer') rows.push(...(await figureRows(gauge, job)))
  }
  return rows
}

type Part = Omit<Job, 'what' | 'rows'>

/** In each process another case begins, so that none is always warm or always cold. */
async function timedTogether(cases: readonly Case[], job: Part): Promise<Map<string, Timing[]>> {
  const found = new Map<string, Timing[]>(cases.map(({ name }) => [name, []]))
  if (cases.length === 0) return found
  const rows = cases.map(({ name }) => name)
  for (let i = 0; i < job.pace.processes; i++) {
    const { timings } = await inFreshProcess({ ...job, what: 'time', rows, first: i })
    for (const name of rows) found.get(name)?.push(timings[name])
  }
  return found
}

async function timedRow(
  one: Case,
  table: Table,
  together: readonly Timing[],
  job: Part,
): Promise<TimedRow> {
  const { name, kind, ops = 1 } = one
  const rows = [name]
  const alone: Timing[] = []
  const times = (table.alone?.includes(name) ?? true) ? job.pace.alone : 0
  for (let i = 0; i < times; i++) {
    const { timings } = await inFreshProcess({ ...job, what: 'time', rows })
    alone.push(timings[name])
  }
  let bytes: number | null = null
  if (table.bytes === true && kind === 'ours') {
    bytes = (await inFreshProcess({ ...job, what: 'bytes', rows })).bytes
  }
  return { kind: 'timed', table: table.name, name, contender: kind, ops, together, alone, bytes }
}

async function figureRows(gauge: Gauge, job: Part): Promise<readonly FigureRow[]> {
  const values = new Map<string, { row: FigureRow; values: number[] }>()
  for (let i = 0; i < Math.min(gauge.processes ?? Infinity, job.pace.processes); i++) {
    const { figures } = await inFreshProcess({ ...job, what: 'gauge', rows: [gauge.name] })
    for (const { name, unit, value, kind: contender = gauge.kind } of figures) {
      const known = values.get(name)?.values ?? []
      known.push(value)
      const row: FigureRow = {
        kind: 'figure',
        table: job.table,
        name,
        contender,
        unit,
        values: known,
      }
      values.set(name, { row, values: known })
    }
  }
  return [...values.values()].map(({ row }) => row)
}
