import { printJudgements, printMachine, printRows } from './report/print.ts'
import { startRedis } from './rig/redis.ts'
import { judge } from './run/judge.ts'
import { machine } from './run/machine.ts'
import { measureTable } from './run/measure.ts'
import type { Missing, Pace, Row } from './run/results.ts'
import { saveResults } from './run/save.ts'
import { allTables } from './tables/index.ts'

// npm run bench                     ours and the floors, in about 2 minutes
// npm run bench -- admit "pick,"    tables whose name holds one of the words
// npm run bench:peers               side by side with others, in about 10 minutes; writes docs/benchmarks.md
const QUICK: Pace = { processes: 3, alone: 0, rounds: 3, roundMs: 30 }
const FULL: Pace = { processes: 3, alone: 1, rounds: 3, roundMs: 60 }

const args = process.argv.slice(2)
const withPeers = args.includes('--peers')
const words = args.filter((arg) => !arg.startsWith('--'))
const pace = withPeers ? FULL : QUICK
const startMs = performance.now()

const tables = (await allTables()).filter(
  ({ table }) => words.length === 0 || words.some((word) => table.name.includes(word)),
)
if (tables.length === 0) {
  const names = (await allTables()).map(({ table }) => table.name)
  console.error(`no table is named so; there are:\n  ${names.join('\n  ')}`)
  process.exit(2)
}
const host = machine(withPeers)
printMachine(host)

let stopRedis = (): void => undefined
let redisFailure: string | null = null
if (tables.some(({ table }) => table.needs === 'redis')) {
  try {
    stopRedis = await startRedis()
  } catch (error) {
    redisFailure = error instanceof Error ? error.message : String(error)
  }
}

const rows: Row[] = []
const missing: Missing[] = []
for (const named of tables) {
  const { table } = named
  console.log(`\n${table.name}`)
  try {
    if (table.needs === 'redis' && redisFailure !== null) throw new Error(redisFailure)
    const found = await measureTable(named, pace, withPeers)
    printRows(found)
    rows.push(...found)
    const results = { at: '', seconds: 0, pace, machine: host, rows, missing }
    printJudgements(judge([table], results))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    console.error(`  not measured: ${why}`)
    missing.push({ table: table.name, name: '*', why })
  }
}
stopRedis()
const seconds = Math.round((performance.now() - startMs) / 1_000)
console.log(`\n${seconds} s`)
if (withPeers && words.length === 0) {
  const results = { at: new Date().toISOString(), seconds, pace, machine: host, rows, missing }
  console.log(`kept in ${saveResults(results)}`)
}
process.exitCode = missing.length === 0 ? 0 : 1
