import type { Measure } from '../case.ts'
import type { Row } from './results.ts'

/** A row whose runs differ by more than this has met something else than its own cost, such as a bad compilation. */
export const UNSTABLE = 3

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/** (largest - smallest) / median: 0 for values that are all the same. */
export function spread(values: readonly number[]): number {
  const middle = median(values)
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / middle
}

/** One number of a row, from each process that ran it with the others of its table. */
export function valuesOf(row: Row, measure: Measure): readonly number[] {
  if (row.kind === 'figure') return row.values
  switch (measure) {
    case 'p50':
      return row.together.map(({ p50Ns }) => p50Ns)
    case 'p99':
      return row.together.map(({ p99Ns }) => p99Ns)
    case 'mean':
      return row.together.map(({ meanNs }) => meanNs)
    case 'bytes':
      return row.bytes === null ? [] : [row.bytes]
    case 'value':
      return []
    default:
      return measure satisfies never
  }
}

/** Whether the runs of a row, alone and with others, are too far from each other to say anything. */
export function isUnstable(row: Row): boolean {
  if (row.kind === 'figure') return false
  const medians = [...row.together, ...row.alone].map(({ p50Ns }) => p50Ns)
  return Math.max(...medians) > UNSTABLE * Math.min(...medians)
}
