import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** The rows of the fault table: the fault, the store, and what it comes to. */
function rows(): string[][] {
  const text = readFileSync(join(root, 'docs/stores.md'), 'utf8')
  const [, table = ''] = text.split('<!-- faults -->')
  const lines = table.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** Every test of the stores, by its title. */
function titles(): Set<string> {
  const dir = join(root, 'test/stores')
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' })
  const found = new Set<string>()
  for (const file of files.filter((name) => name.endsWith('.test.ts'))) {
    const text = readFileSync(join(dir, file), 'utf8')
    for (const [, title] of text.matchAll(/\b(?:test|it)(?:\.each\([^)]*\))?\(\s*'([^']+)'/g)) {
      found.add(title)
    }
  }
  return found
}

test('each line of the fault table is a test', () => {
  const known = titles()
  const promised = rows().map(([fault, , outcome]) => `${fault}: ${outcome}`)
  expect(promised.length).toBeGreaterThan(20)
  expect(promised.filter((title) => !known.has(title))).toEqual([])
})
