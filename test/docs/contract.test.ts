import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERRORS, HEADERS } from '@ostler/api'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const doc = readFileSync(join(root, 'docs/contract.md'), 'utf8')
const SAME = 'of these words'

/** A line of the contract, and the test that holds it: titles from the outermost `describe` on. */
interface Line {
  readonly promise: string
  readonly titles: readonly string[]
  readonly file: string
}

function linesOf(section: string): readonly Line[] {
  const [, part = ''] = doc.split(`<!-- ${section} -->`)
  const rows = part
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll('\\', '').replaceAll('`', '')),
    )
  return rows.map(([promise, title, file]) => ({
    promise,
    titles: title === SAME ? [promise] : title.split(' › '),
    file,
  }))
}

const SECTIONS = ['errors', 'format', 'routes', 'codes', 'limits', 'safety'] as const
const all = SECTIONS.flatMap(linesOf)

/** Whether a file has a test, or a group of tests, of this title. */
function hasTitle(file: string, title: string): boolean {
  const text = readFileSync(join(root, 'test', file), 'utf8')
  const titles = text.matchAll(/(?:\b(?:test|it|describe)(?:\.\w+)?|\))\(\s*(['"`])(.*?)\1,/g)
  return [...titles].some(([, , found]) => found === title)
}

test('each line of the contract has a test, and each test exists', () => {
  expect(all.length).toBeGreaterThan(100)
  const missing = all.filter(({ promise, titles, file }) => {
    if (promise === '' || !existsSync(join(root, 'test', file))) return true
    return !titles.every((title) => hasTitle(file, title))
  })
  expect(missing).toEqual([])
})

test('each test of a line of the contract is on its page', () => {
  const text = readFileSync(join(root, 'test/gateway/contract.test.ts'), 'utf8')
  const titles = [...text.matchAll(/^test(?:\.each\(.*\))?\(\s*'([^']+)'/gm)].map(([, t]) => t)
  const held = all
    .filter(({ file }) => file === 'gateway/contract.test.ts')
    .flatMap((line) => line.titles)
  expect(titles.length).toBeGreaterThan(45)
  expect(titles.filter((title) => !held.includes(title))).toEqual([])
})

test('each code of the registry is a line, with its status', () => {
  const told = linesOf('codes').map(({ promise }) => promise)
  for (const [code, { status, title }] of Object.entries(ERRORS)) {
    expect(told).toContain(`${status} ${code}: ${title}`)
  }
})

test('each route of the OpenAPI document is a line, and so is each header', () => {
  const text = readFileSync(join(root, 'packages/gateway/openapi.json'), 'utf8')
  const paths = JSON.parse(text).paths as Record<string, object>
  const told = linesOf('routes').map(({ promise }) => promise)
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods)) {
      const route = `${method.toUpperCase()} ${path}`
      expect(
        told.some((line) => line.startsWith(`${route}:`)),
        route,
      ).toBe(true)
    }
  }
  for (const name of Object.values(HEADERS)) expect(doc.toLowerCase()).toContain(name)
})
