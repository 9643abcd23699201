import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from './snippets.ts'

const page = readFileSync(join(root, 'docs/semantics.md'), 'utf8')
const entry = /^- \*\*`([a-z-]+)`\.\*\*[^]*?_Kept\s+by_\s+([^]*?);\s+_property\s+in_\s+([^]*?)\.$/gm
const laws = [...page.matchAll(entry)].map(([, name, keepers, tests]) => ({
  name,
  keepers: code(keepers),
  tests: code(tests),
}))

describe('docs/semantics.md', () => {
  it('names each promise once', () => {
    const names = laws.map(({ name }) => name)
    expect(names.length).toBeGreaterThanOrEqual(26)
    expect(new Set(names).size).toBe(names.length)
  })

  for (const { name, keepers, tests } of laws) {
    it(`leads from ${name} to its function and its property`, () => {
      const files = keepers.filter((word) => word.endsWith('.ts'))
      expect(keepers.length, 'a file and its function').toBeGreaterThan(files.length)
      const sources = files.map((file) => read(`packages/core/src/${file}`))
      expect(files.length).toBeGreaterThan(0)
      for (const word of keepers.filter((each) => !each.endsWith('.ts'))) {
        expect(
          sources.some((source) => new RegExp(`\\b${word}\\b`).test(source)),
          word,
        ).toBe(true)
      }
      expect(tests.length).toBeGreaterThan(0)
      const title = new RegExp(`['"\`](?:[a-z-]+, )*${name}[,:]`)
      for (const test of tests) expect(read(`test/${test}`)).toMatch(title)
    })
  }
})

/** The words that are set as code. */
function code(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1])
}

function read(path: string): string {
  expect(existsSync(join(root, path)), path).toBe(true)
  return readFileSync(join(root, path), 'utf8')
}
