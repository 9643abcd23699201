// Imports go down only: between packages, and between the rooms of core.
import { readdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix } from 'node:path'
import { importsOf, root, sourcesUnder } from './sources.mjs'

/** package: the packages of ours that it may import. */
const PACKAGES = {
  core: [],
  testkit: ['core'],
  'store-sqlite': ['core'],
  'store-redis': ['core'],
  simulator: ['core'],
  api: [],
  gateway: ['core', 'api'],
  client: ['api'],
  cli: ['core', 'simulator', 'api', 'gateway', 'store-sqlite', 'store-redis'],
}

/** room of core: the rooms that it may import. Loose files are their own rooms. */
const BASE = ['errors.ts', 'clock.ts', 'random.ts', 'room.ts', 'table.ts', 'list.ts']
const ROOMS = {
  'errors.ts': [],
  'clock.ts': [],
  'random.ts': [],
  'room.ts': [],
  'table.ts': ['room.ts'],
  'list.ts': ['room.ts'],
  'domain.ts': BASE,
  limit: BASE,
  health: BASE,
  geo: BASE,
  classify: BASE,
  pick: [...BASE, 'geo'],
  store: [...BASE, 'limit', 'health', 'geo', 'pick'],
  scheduler: [...BASE, 'domain.ts', 'limit', 'health', 'geo', 'classify', 'pick', 'store'],
}

/** What core is imported by: they hold no code. */
const ENTRIES = ['index.ts', 'packed.ts']

/** The only built-ins of Node that these may use: they must run wherever JavaScript does. */
const BUILT_INS = { core: ['node:diagnostics_channel'], api: [], client: [] }

export function layerProblems() {
  const names = readdirSync(join(root, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
  return names.flatMap((name) => {
    if (PACKAGES[name] === undefined) return [`packages/${name}: not in .ci/checks/layers.mjs`]
    return sourcesUnder(`packages/${name}/src`).flatMap((source) => fileProblems(name, source))
  })
}

function fileProblems(name, { path, text }) {
  return importsOf(text).flatMap(({ specifier, line }) => {
    const problem = importProblem(name, path, specifier)
    return problem === null ? [] : [`${path}:${line} ${problem}`]
  })
}

function importProblem(name, path, specifier) {
  if (specifier.startsWith('.')) return relativeProblem(name, path, specifier)
  if (specifier.startsWith('@ostler/')) {
    const other = specifier.split('/')[1]
    return PACKAGES[name].includes(other) ? null : `${name} may not import ${other}`
  }
  const allowed = BUILT_INS[name]
  if (allowed === undefined || !isBuiltin(specifier) || allowed.includes(specifier)) return null
  return `${name} may not import ${specifier}`
}

function relativeProblem(name, path, specifier) {
  const target = posix.join(posix.dirname(path), specifier)
  const source = `packages/${name}/src/`
  if (!target.startsWith(source)) return `${specifier} leaves the package`
  if (name !== 'core') return null
  const from = path.slice(source.length).split('/')[0]
  const to = target.slice(source.length).split('/')[0]
  if (from === to || ENTRIES.includes(from)) return null
  if (ROOMS[from] === undefined) return `room ${from} is not in .ci/checks/layers.mjs`
  return ROOMS[from].includes(to) ? null : `${from} may not import ${to}`
}
