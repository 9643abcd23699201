import type { Machine } from '../run/machine.ts'
import type { Judgement } from '../run/judge.ts'
import type { Row } from '../run/results.ts'
import { isUnstable, median, spread, valuesOf } from '../run/summary.ts'
import { boundWords, number, shown } from './words.ts'

const NAME = 44

export function printMachine({ cpu, cores, memoryGb, system, versions }: Machine): void {
  console.log(`${cpu}, ${cores} cores, ${memoryGb} GB, ${system}`)
  console.log(
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  )
}

export function printRows(rows: readonly Row[]): void {
  if (rows.some(({ kind }) => kind === 'timed')) {
    printLine('', ['median', 'p99', 'spread', 'alone', 'bytes'])
  }
  for (const row of rows) {
    if (row.kind === 'figure') printLine(row.name, [shown(median(row.values), row.unit)])
    else {
      const p50 = valuesOf(row, 'p50')
      printLine(row.name, [
        shown(median(p50), 'ns'),
        row.ops === 1 ? shown(median(valuesOf(row, 'p99')), 'ns') : '',
        `${number(spread(p50) * 100)} %`,
        row.alone.length === 0 ? '' : shown(median(row.alone.map((each) => each.p50Ns)), 'ns'),
        row.bytes === null ? '' : number(row.bytes),
        ...(isUnstable(row) ? ['unstable'] : []),
      ])
    }
  }
}

export function printJudgements(judgements: readonly Judgement[]): void {
  for (const judgement of judgements) {
    const { figure, unit, reached, row } = judgement
    const verdict = reached === null ? 'not measured' : reached ? 'reached' : 'NOT REACHED'
    const found = figure === null || unit === null ? '' : `${shown(figure, unit)}, `
    const worst = judgement.bound.row === '*' && row !== null ? ` (${row})` : ''
    console.log(`  ${boundWords(judgement.bound, unit)}: ${found}${verdict}${worst}`)
  }
}

function printLine(name: string, cells: readonly string[]): void {
  console.log(`  ${name.padEnd(NAME)}${cells.map((cell) => cell.padStart(12)).join('')}`)
}
