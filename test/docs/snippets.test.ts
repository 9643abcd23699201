import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { fileOf, folderOf, printed, write } from './run.ts'
import { needsWorld, pages, promised, root, snippetsOf } from './snippets.ts'

const folder = folderOf('snippets')
const snippets = pages().flatMap(snippetsOf)
const code = snippets.filter(({ language }) => ['ts', 'js'].includes(language))
const running = code.filter(({ excuse }) => excuse === null)

beforeAll(() => write(folder, running))

describe('the snippets of README and docs', () => {
  it('are found', () => {
    expect(running.length).toBeGreaterThan(3)
    expect(running.some(({ at }) => at.startsWith('README.md'))).toBe(true)
  })

  it('that do not run say why', () => {
    for (const { at, excuse } of code) {
      if (excuse !== null) expect(excuse.length, at).toBeGreaterThan(10)
    }
  })

  it('have the types that they need', () => {
    const config = join(folder, 'tsconfig.json')
    const options = {
      composite: false,
      customConditions: ['@ostler/source'],
      isolatedDeclarations: false,
      noEmit: true,
      noUnusedLocals: false,
      rewriteRelativeImportExtensions: false,
      tsBuildInfoFile: null,
      types: ['node'],
    }
    const base = join(root, 'packages/tsconfig.base.json')
    writeFileSync(config, JSON.stringify({ extends: base, compilerOptions: options }))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const ran = spawnSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8', cwd: root })
    expect(ran.stdout).toBe('')
    expect(ran.status).toBe(0)
  })

  // Those of the client run where there is a gateway: see client.test.ts.
  for (const { at, code: text } of running.filter((snippet) => !needsWorld(snippet))) {
    it(`run: ${at}`, async () => {
      const lines = await printed(fileOf(folder, at))
      const expected = promised(text)
      if (expected.length > 0) expect(lines).toEqual(expected)
    })
  }
})

describe('the commands of README and docs', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const named = pages().flatMap((page) =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/npm (?:run (?:-s )?)?([a-z][\w:]*)/g)]
      .map(([, name]) => ({ page, name }))
      .filter(({ name }) => !['install', 'ci', 'run', 'config', 'pack'].includes(name)),
  )

  it('exist', () => {
    expect(named.length).toBeGreaterThan(3)
    for (const { page, name } of named) expect(Object.keys(scripts), page).toContain(name)
  })
})

describe('the pages', () => {
  it('link only to files that exist', () => {
    const files = new Set(listed(root, ''))
    for (const page of pages()) {
      const text = readFileSync(join(root, page), 'utf8')
      for (const [, target] of text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g)) {
        const path = join('/', page, '..', target).slice(1).replace(/\/$/, '')
        expect(files, `${page} links to ${target}`).toContain(path)
      }
    }
  })
})

/** Files and folders by path from the root. */
function listed(dir: string, prefix: string): string[] {
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => !['node_modules', 'dist', '.git'].includes(entry.name))
    .flatMap((entry) => {
      const path = `${prefix}${entry.name}`
      return entry.isDirectory() ? [path, ...listed(join(dir, entry.name), `${path}/`)] : [path]
    })
}
