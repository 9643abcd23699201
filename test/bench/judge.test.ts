import { describe, expect, it } from 'vitest'
import type { Bound, Kind, Table } from '../../bench/src/case.ts'
import { boundWords } from '../../bench/src/report/words.ts'
import { judge, type Judgement } from '../../bench/src/run/judge.ts'
import type { FigureRow, Results, Row, TimedRow } from '../../bench/src/run/results.ts'

describe('a bound', () => {
  it('divides what the same process found', () => {
    const rows = [timed('ostler', [10, 30, 20]), timed('floor', [10, 15, 10], 'floor')]
    const found = judged({ row: 'ostler', against: 'floor', most: 2 }, rows)
    expect(found).toMatchObject({ figure: 2, range: [1, 2], unit: 'times', reached: true })
  })

  it('is missed beyond its most', () => {
    const rows = [timed('ostler', [21]), timed('floor', [10], 'floor')]
    expect(judged({ row: 'ostler', against: 'floor', most: 2 }, rows).reached).toBe(false)
  })

  it('takes the best of several peers, and tells how many times as fast', () => {
    const rows = [timed('ostler', [10]), timed('a', [90], 'peer'), timed('b', [40], 'peer')]
    const bound = { row: 'ostler', against: ['a', 'b'], faster: true, least: 5 }
    expect(judged(bound, rows)).toMatchObject({ figure: 4, reached: false })
  })

  it('takes floors off before it judges', () => {
    const rows = [
      timed('ostler', [100]),
      timed('floor', [40], 'floor'),
      timed('clock', [35], 'floor'),
    ]
    const bound = { row: 'ostler', beyond: ['floor', 'clock'], most: 30 }
    expect(judged(bound, rows)).toMatchObject({ figure: 25, unit: 'ns', reached: true })
  })

  it('for each of ours is judged by the worst of them', () => {
    const rows = [timed('one', [10]), timed('two', [30]), timed('peer', [99], 'peer')]
    expect(judged({ row: '*', most: 20 }, rows)).toMatchObject({ row: 'two', reached: false })
  })

  it('compares with the row of the same name in another table', () => {
    const rows = [timed('one', [30]), { ...timed('one', [10]), table: 'small' }]
    expect(judged({ row: '*', table: 'small', most: 2 }, rows).figure).toBe(3)
  })

  it('of bytes or of a figure needs no times', () => {
    const figure: FigureRow = {
      kind: 'figure',
      table: 'a table',
      name: 'held',
      contender: 'ours',
      unit: 'MB',
      values: [90, 110, 95],
    }
    const rows = [{ ...timed('ostler', [1]), bytes: 0 }, figure]
    expect(judged({ row: 'ostler', of: 'bytes', most: 0 }, rows).reached).toBe(true)
    expect(judged({ row: 'held', most: 100 }, rows)).toMatchObject({ figure: 95, unit: 'MB' })
  })

  it('is neither reached nor missed where something was not measured', () => {
    const ours = timed('ostler', [10])
    expect(judged({ row: 'ostler', against: 'a peer', most: 2 }, [ours]).reached).toBeNull()
    expect(judged({ row: 'other', most: 2 }, [ours]).reached).toBeNull()
    expect(judged({ row: 'ostler', of: 'bytes', most: 2 }, [ours]).reached).toBeNull()
  })
})

describe('a bound in words', () => {
  it('reads as a promise', () => {
    expect(boundWords({ row: 'ostler', against: 'a floor', most: 2 })).toBe(
      'ostler: at most 2 times a floor',
    )
    expect(boundWords({ row: '*', of: 'p99', most: 3_000 })).toBe(
      'each of ours, p99: at most 3,000 ns',
    )
    expect(boundWords({ row: 'ostler', against: ['a', 'b'], faster: true, least: 10 })).toBe(
      'ostler: at least 10 times as fast as a or b',
    )
  })
})

function judged(bound: Bound, rows: readonly Row[]): Judgement {
  const table: Table = { name: 'a table', about: '', bounds: [bound] }
  const [found] = judge([table], { rows } as unknown as Results)
  return found
}

function timed(name: string, values: readonly number[], contender: Kind = 'ours'): TimedRow {
  return {
    kind: 'timed',
    table: 'a table',
    name,
    contender,
    ops: 1,
    together: values.map((ns) => ({ p50Ns: ns, p99Ns: 2 * ns, meanNs: ns, samples: 1 })),
    alone: [],
    bytes: null,
  }
}
