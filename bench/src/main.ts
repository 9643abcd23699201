import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Row } from './group.ts'
import { groups } from './groups/index.ts'
import { machine } from './machine.ts'
import { judge, printHead, printRows } from './table.ts'

// npm run bench                     every group
// npm run bench -- million "50 %"   groups whose name holds one of the words
// npm run bench -- --save           and keep the raw rows in bench/results/
const args = process.argv.slice(2)
const words = args.filter((arg) => !arg.startsWith('--'))
const chosen = groups.filter(
  ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
)

const host = machine()
const cores = `${host.cores} cores, ${host.memoryGb} GB`
console.log(`${host.cpu}, ${cores}; ${host.system}; Node ${host.node}; ostler ${host.ostler}`)
console.log('One operation a sample, reading the timer included; a fresh process a group.')
console.log('spread: of the medians of three rounds, (largest - smallest) / median.')

const rows: Row[] = []
const broken: string[] = []
for (const { name } of chosen) {
  console.log(`\n${name}`)
  const found = inFreshProcess(name)
  if (found.some(({ kind }) => kind === 'timed')) printHead()
  printRows(found)
  rows.push(...found)
}

console.log('\nslowest / fastest median over the shares excluded')
broken.push(...judge(rows))
if (args.includes('--save')) console.log(`\nkept in ${save()}`)
for (const bound of broken) console.error(`not as promised: ${bound}`)
process.exitCode = broken.length > 0 || chosen.length === 0 ? 1 : 0

/** A group's rows; none where its process failed, which has then said why. */
function inFreshProcess(name: string): Row[] {
  const child = join(import.meta.dirname, 'child.js')
  const ran = spawnSync(process.execPath, ['--expose-gc', child, name], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 16 * 1024 * 1024,
  })
  if (ran.status === 0) return JSON.parse(ran.stdout) as Row[]
  broken.push(`${name}: its process ended with ${ran.status}`)
  return []
}

function save(): string {
  const folder = join(import.meta.dirname, '../results')
  mkdirSync(folder, { recursive: true })
  const at = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const file = join(folder, `${at}.json`)
  writeFileSync(file, `${JSON.stringify({ at, machine: host, rows }, null, 2)}\n`)
  return file
}
