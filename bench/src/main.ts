import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pageOf } from './report/page.ts'
import { printJudgements, printMachine, printRows } from './report/print.ts'
import { startRedis } from './rig/redis.ts'
import { judge } from './run/judge.ts'
import { machine } from './run/machine.ts'
import { measureTable } from './run/measure.ts'
import { merged } from './run/merge.ts'
import type { Missing, Pace, Results, Row } from './run/results.ts'
import { keptResults, saveResults } from './run/save.ts'
import { allTables, type NamedTable } from './tables/index.ts'

// npm run bench                       ours and the floors, in about 2 minutes
// npm run bench -- admit "pick and"   tables whose name holds one of the words
// npm run bench:peers                 side by side with others, in about 11 minutes; writes docs/benchmarks.md
// npm run bench:peers -- gateway       these tables anew, among the results that are kept; writes docs/benchmarks.md
// npm run bench:peers -- --page       only writes docs/benchmarks.md again, from the results that are kept
const QUICK: Pace = { processes: 3, heavy: 1, alone: 0, warmUpMs: 500, rounds: 3, roundMs: 20 }
const FULL: Pace = { processes: 3, heavy: 3, alone: 1, warmUpMs: 700, rounds: 3, roundMs: 20 }
const root = join(import.meta.dirname, '../..')

const args = process.argv.slice(2)
const withPeers = args.includes('--peers')
const words = args.filter((arg) => !arg.startsWith('--'))
const tables = await allTables()

if (args.includes('--page')) {
  const { name, results } = keptResults()
  writePage(results, name)
} else await measure()

async function measure(): Promise<void> {
  const chosen = tables.filter(({ table }) =>
    words.length === 0
      ? withPeers || table.full !== true
      : words.some((word) => table.name.includes(word)),
  )
  if (chosen.length === 0) {
    console.error(
      `no table is named so; there are:\n  ${tables.map(({ table }) => table.name).join('\n  ')}`,
    )
    process.exitCode = 2
    return
  }
  const results = await resultsOf(chosen, withPeers ? FULL : QUICK)
  console.log(`\n${results.seconds} s`)
  if (withPeers) {
    const all = words.length === 0 ? results : merged(keptResults().results, results)
    writePage(all, saveResults(all))
  }
  process.exitCode = results.missing.length === 0 ? 0 : 1
}

async function resultsOf(chosen: readonly NamedTable[], pace: Pace): Promise<Results> {
  const startMs = performance.now()
  const at = new Date().toISOString()
  const host = machine(withPeers)
  printMachine(host)
  const rows: Row[] = []
  const missing: Missing[] = []
  const redis = chosen.some(({ table }) => table.needs === 'redis') ? await redisOrWhyNot() : null
  const soFar = (): Results => {
    const seconds = Math.round((performance.now() - startMs) / 1_000)
    return { at, seconds, pace, machine: host, rows, missing }
  }
  for (const named of chosen) {
    const { table } = named
    const sinceMs = performance.now()
    console.log(`\n${table.name}`)
    try {
      if (table.needs === 'redis' && typeof redis === 'string') throw new Error(redis)
      const isExperiment = table.name.startsWith('why: ')
      const found = await measureTable(named, isExperiment ? QUICK : pace, withPeers)
      rows.push(...found)
      printRows(found)
      printJudgements(judge([table], soFar()))
      console.log(`  ${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`)
    } catch (error) {
      const why = wordsOf(error)
      console.error(`  not measured: ${why}`)
      missing.push({ table: table.name, why })
    }
  }
  if (typeof redis === 'function') redis()
  return soFar()
}

async function redisOrWhyNot(): Promise<string | (() => void)> {
  try {
    return await startRedis()
  } catch (error) {
    return wordsOf(error)
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** As prettier would have it, so that the page passes the checks as it is. */
function writePage(results: Results, name: string): void {
  const page = join(root, 'docs/benchmarks.md')
  writeFileSync(
    page,
    pageOf(
      tables.map(({ table }) => table),
      results,
      name,
    ),
  )
  spawnSync(join(root, 'node_modules/.bin/prettier'), ['--write', page])
  console.log(`written: ${page}`)
}
