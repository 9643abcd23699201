import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Results } from './results.ts'

const folder = join(import.meta.dirname, '../../results')

/** Keeps a run's raw results in place of those before: git has the older ones. Answers the file's name. */
export function saveResults(results: Results): string {
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  const file = join(folder, `${results.at.slice(0, 10)}.json`)
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`)
  return file
}
