import { describe, expect, it } from 'vitest'
import type { TimedRow, Timing } from '../../bench/src/run/results.ts'
import { isUnstable, median, spread } from '../../bench/src/run/summary.ts'

describe('median', () => {
  it('is the middle of an odd number of values, in whatever order', () => {
    expect(median([5, 1, 100])).toBe(5)
  })

  it('is between the two middle ones of an even number', () => {
    expect(median([4, 1, 2, 100])).toBe(3)
  })

  it('leaves the values in their order', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })
})

describe('spread', () => {
  it('is what the values differ by, as a share of their median', () => {
    expect(spread([90, 100, 120])).toBeCloseTo(0.3)
  })

  it('is 0 for zeros', () => {
    expect(spread([0, 0, 0])).toBe(0)
  })
})

describe('a row', () => {
  it('is stable while its runs are within three times of each other', () => {
    expect(isUnstable(row([100, 150], [299]))).toBe(false)
  })

  it('is unstable where one process, alone or not, took more than three times as long as another', () => {
    expect(isUnstable(row([100, 301], []))).toBe(true)
    expect(isUnstable(row([100, 110], [1_000]))).toBe(true)
  })
})

function row(together: readonly number[], alone: readonly number[]): TimedRow {
  const timing = (p50Ns: number): Timing => ({ p50Ns, p99Ns: p50Ns, meanNs: p50Ns, samples: 1 })
  return {
    kind: 'timed',
    table: 'a table',
    name: 'a row',
    contender: 'ours',
    ops: 1,
    together: together.map(timing),
    alone: alone.map(timing),
    bytes: null,
  }
}
