import { expect, test } from 'vitest'
import { reasonFor, reasons } from '../../bench/src/report/reasons.ts'
import { allTables } from '../../bench/src/tables/index.ts'

test('each reason is for a table that promises something, and names experiments that there are', async () => {
  const tables = (await allTables()).map(({ table }) => table)
  const names = tables.map(({ name }) => name)
  const promising = tables.filter(({ bounds }) => bounds.length > 0).map(({ name }) => name)
  for (const [start, reason] of Object.entries(reasons)) {
    expect(promising.map(reasonFor), start).toContain(start)
    const named = [...reason.matchAll(/"(why: [^"]+)"/g)].map(([, name]) => name)
    expect(named.length, start).toBeGreaterThan(0)
    for (const name of named) expect(names).toContain(name)
  }
})

test('rows of a table have names of their own, and its promises are of rows that it has', async () => {
  for (const { table } of await allTables()) {
    const rows = [...(table.cases ?? []), ...(table.gauges ?? [])].map(({ name }) => name)
    expect(new Set(rows).size, table.name).toBe(rows.length)
    if (table.gauges !== undefined) continue
    for (const { row, against, beyond = [] } of table.bounds) {
      const others = [row === '*' ? [] : row, against ?? [], beyond].flat()
      expect(rows, table.name).toEqual(expect.arrayContaining(others))
    }
  }
})
