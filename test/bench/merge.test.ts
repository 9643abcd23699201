import { expect, test } from 'vitest'
import { merged } from '../../bench/src/run/merge.ts'
import type { FigureRow, Results } from '../../bench/src/run/results.ts'

test('tables that are measured anew take the place of what was kept of them, and say when that was', () => {
  const kept = results('2026-01-01', [row('one', 1), row('two', 2)], 'three')
  const first = merged(kept, results('2026-01-02', [row('two', 20), row('three', 30)]))
  expect(valuesOf(first)).toEqual({ one: 1, two: 20, three: 30 })
  expect(first.missing).toEqual([])
  expect([first.at, first.later]).toEqual([
    '2026-01-01',
    [{ at: '2026-01-02', tables: ['two', 'three'] }],
  ])
  const second = merged(first, results('2026-01-03', [row('three', 31)], 'two'))
  expect(valuesOf(second)).toEqual({ one: 1, three: 31 })
  expect(second.missing).toEqual([{ table: 'two', why: 'none' }])
  expect(second.later).toEqual([{ at: '2026-01-03', tables: ['three', 'two'] }])
})

test('results of another machine are not mixed', () => {
  const kept = results('2026-01-01', [row('one', 1)])
  const { machine } = kept
  for (const other of [{ cores: 3 }, { cpu: 'slow' }, { versions: { node: '99.0.0' } }]) {
    const anew = { ...results('2026-01-02', [row('one', 2)]), machine: { ...machine, ...other } }
    expect(() => merged(kept, anew)).toThrow('the results that are kept are of fast, 2 cores')
  }
})

function results(at: string, rows: readonly FigureRow[], missing?: string): Results {
  const pace = { processes: 1, heavy: 1, alone: 0, warmUpMs: 0, rounds: 1, roundMs: 1 }
  const versions = { node: '20.0.0' }
  const machine = { cpu: 'fast', cores: 2, memoryGb: 1, system: 'linux x64', versions }
  const lost = missing === undefined ? [] : [{ table: missing, why: 'none' }]
  return { at, seconds: 1, pace, machine, rows, missing: lost }
}

function row(table: string, value: number): FigureRow {
  return { kind: 'figure', table, name: table, contender: 'ours', unit: 'times', values: [value] }
}

function valuesOf({ rows }: Results): Readonly<Record<string, number>> {
  return Object.fromEntries(
    (rows as readonly FigureRow[]).map((each) => [each.name, each.values[0]]),
  )
}
