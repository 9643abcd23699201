import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from './snippets.ts'

const page = readFileSync(join(root, 'docs/semantics.md'), 'utf8')
const laws = page
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.length === 7 && /^`[a-z-]+`$/.test(cells[1]))
  .map((cells) => ({ name: code(cells[1])[0], keepers: code(cells[4]), tests: code(cells[5]) }))

describe('docs/semantics.md', () => {
  it('names each promise once', () => {
    const names = laws.map(({ name }) => name)
    expect(names.length).toBeGreaterThanOrEqual(26)
    expect(new Set(names).size).toBe(names.length)
  })

  for (const { name, keepers, tests } of laws) {
    it(`leads from ${name} to its function and its property`, () => {
      const files = keepers.filter((word) => word.endsWith('.ts'))
      const sources = files.map((file) => read(`packages/core/src/${file}`))
      expect(files.length).toBeGreaterThan(0)
      for (const word of keepers.filter((each) => !each.endsWith('.ts'))) {
        expect(
          sources.some((source) => new RegExp(`\\b${word}\\b`).test(source)),
          word,
        ).toBe(true)
      }
      expect(tests.length).toBeGreaterThan(0)
      for (const test of tests) expect(read(`test/${test}`)).toMatch(new RegExp(`['"\`]${name}\\b`))
    })
  }
})

/** The words of a cell that are set as code. */
function code(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1])
}

function read(path: string): string {
  expect(existsSync(join(root, path)), path).toBe(true)
  return readFileSync(join(root, path), 'utf8')
}
