import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ostler } from '@ostler/client'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { fileOf, folderOf, printed, write } from './run.ts'
import { needsWorld, pages, promised, root, snippetsOf } from './snippets.ts'
import { startWorld, type World } from './world.ts'

const snippets = pages()
  .flatMap(snippetsOf)
  .filter((snippet) => snippet.excuse === null && needsWorld(snippet))
const page = readFileSync(join(root, 'docs/client.md'), 'utf8')
const [, example] = page.split('<!-- example -->')

/** The example of the page, as often as it is run: a module runs once. */
const runs = ['fetched', 'limited', 'not-found', 'forbidden', 'unexpected']
const code = /```ts\n([\s\S]*?)```/.exec(example)?.[1] ?? ''
const folder = folderOf('client')

let world: World

beforeAll(async () => {
  write(folder, [...snippets, ...runs.map((at) => ({ at, code }))])
  world = await startWorld({ broker: snippets.some((snippet) => snippet.code.includes('amqp://')) })
}, 90_000)

afterAll(() => world?.close())

afterEach(() => vi.unstubAllEnvs())

test.each(snippets)('runs: $at', async ({ at, code }) => {
  vi.stubEnv('OSTLER_BASE_URL', world.url)
  vi.stubEnv('OSTLER_API_KEY', world.key)
  const lines = await printed(fileOf(folder, at))
  const expected = promised(code)
  if (expected.length > 0) expect(lines).toEqual(expected)
})

describe('the example of error handling, as it is printed', () => {
  async function run(name: string, baseUrl = world.url): Promise<readonly string[]> {
    vi.stubEnv('OSTLER_BASE_URL', baseUrl)
    return printed(fileOf(folder, name))
  }

  test('says what was fetched', async () => {
    expect(await run('fetched')).toEqual(['Fetched with 200'])
  })

  test('says when a limit lets it through again', async () => {
    const narrow = await startWorld({ limit: 1 })
    try {
      await new Ostler({ apiKey: narrow.key, baseUrl: narrow.url }).usage()
      const [line, ...more] = await run('limited', narrow.url)
      expect(more).toEqual([])
      expect(line).toMatch(/^Rate limited, retry after: \d+$/)
      // Longer than is waited for.
      expect(Number(line.split(' ').at(-1))).toBeGreaterThan(60)
    } finally {
      await narrow.close()
    }
  })

  test('says that there is nothing of this name', async () => {
    expect(await run('not-found', `${world.url}/nowhere`)).toEqual(['Not found'])
  })

  test('says that the key may not do that', async () => {
    const narrow = await startWorld({ scopes: ['usage'] })
    try {
      expect(await run('forbidden', narrow.url)).toEqual(['Insufficient permissions'])
    } finally {
      await narrow.close()
    }
  })

  test('says what it did not foresee', async () => {
    const narrow = await startWorld({ agents: [] })
    try {
      const lines = await run('unexpected', narrow.url)
      expect(lines).toEqual([
        'Unexpected error: no agent is available for shop.example: fleet empty',
      ])
    } finally {
      await narrow.close()
    }
  })
})

test('each answer of the comparison has its tests, and each of them exists', () => {
  const [, table] = page.split('<!-- comparison -->')
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => line.split('|').map((cell) => cell.trim()))
  expect(rows.map(([, on]) => on)).toEqual([
    'Retry-After over a minute',
    '409',
    'a network error',
    'an abort in the back-off',
    '422',
    'time-outs',
  ])
  const texts = ['retries', 'gateway'].map((name) =>
    readFileSync(join(root, `test/client/${name}.test.ts`), 'utf8'),
  )
  for (const row of rows) {
    const titles = row[6].split('; ')
    expect(titles.length).toBeGreaterThan(0)
    for (const title of titles) {
      expect(
        texts.some((text) => text.includes(`'${title}'`)),
        title,
      ).toBe(true)
    }
  }
})

test('the page names every class of errors, and no other', () => {
  const named = [...page.matchAll(/^\| (?:· )*`(\w+Error)`/gm)].map(([, name]) => name)
  const classes = Object.keys(Ostler).filter((name) => name.endsWith('Error'))
  expect(named.sort()).toEqual(classes.sort())
})
