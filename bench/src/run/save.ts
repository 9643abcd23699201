import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Results } from './results.ts'

const folder = join(import.meta.dirname, '../../results')

/** Keeps a run's raw results in place of those before: git has the older ones. Answers the file's name. */
export function saveResults(results: Results): string {
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  const name = `${results.at.slice(0, 10)}.json`
  writeFileSync(join(folder, name), `${JSON.stringify(results, null, 1)}\n`)
  return name
}

/** The results that are kept. @throws Error where there are none */
export function keptResults(): { readonly name: string; readonly results: Results } {
  const [name] = readdirSync(folder).filter((each) => each.endsWith('.json'))
  if (name === undefined) throw new Error('no results are kept; run npm run bench:peers')
  return { name, results: JSON.parse(readFileSync(join(folder, name), 'utf8')) as Results }
}
