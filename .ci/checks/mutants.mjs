// Each planted bug still fits what it is planted into: else nobody hears that a test has lost what it held.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mutants } from '../../test/mutants/mutants.mjs'
import { root } from './sources.mjs'

export function mutantProblems() {
  return mutants.map((mutant) => staleness(mutant)).filter(Boolean)
}

/** What keeps a bug from being planted; null where nothing does. */
export function staleness({ name, file, find, tests }) {
  const found = readFileSync(join(root, file), 'utf8').split(find).length - 1
  if (found !== 1) return `${name}: the patch is stale, ${file} holds its text ${found} times`
  const missing = tests.filter((test) => !existsSync(join(root, test)))
  return missing.length > 0 ? `${name}: no such test file: ${missing.join(', ')}` : null
}
