import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { printMachine } from './report/print.ts'
import { number, shown } from './report/words.ts'
import { inFreshProcess } from './run/jobs.ts'
import { machine } from './run/machine.ts'
import { compared } from './run/ratios.ts'
import { median } from './run/summary.ts'
import { HOT } from './tables/hot.ts'
import { tableOf } from './tables/index.ts'

// npm run bench:compare -- <revision>              this tree against another revision, by the hot paths
// npm run bench:compare -- <revision> --pairs=20   more pairs, and so a closer answer
const PAIRS = 10
const PACE = { processes: 1, heavy: 1, alone: 0, warmUpMs: 1_500, rounds: 3, roundMs: 40 }
const root = join(import.meta.dirname, '../..')

const args = process.argv.slice(2)
const revision = args.find((arg) => !arg.startsWith('--'))
const pairs = Number(args.find((arg) => arg.startsWith('--pairs='))?.slice(8) ?? PAIRS)
if (revision === undefined || !(Number.isInteger(pairs) && pairs >= 4)) {
  console.error('npm run bench:compare -- <revision> [--pairs=10]: pairs of runs, 4 or more')
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'ostler-compare-'))
const other = join(folder, 'tree')
try {
  await compare(revision)
} finally {
  run('git', ['worktree', 'remove', '--force', other])
  rmSync(folder, { recursive: true, force: true })
}

async function compare(name: string): Promise<void> {
  mustRun('git', ['worktree', 'add', '--detach', other, name], root)
  mustRun(process.execPath, ['.ci/setup.mjs', '--quiet'], other)
  // Both trees are measured by this suite: each finds the packages of the tree that it lies in.
  cpSync(join(root, 'bench/dist'), join(other, 'bench/dist'), { recursive: true })
  const rows = ((await tableOf('hot', HOT)).cases ?? []).map((one) => one.name)
  const here = new Map<string, number[]>(rows.map((row) => [row, []]))
  const there = new Map<string, number[]>(rows.map((row) => [row, []]))
  for (let pair = 0; pair < pairs; pair++) {
    // Who begins takes turns, so that a machine that slows down slows both.
    const order = pair % 2 === 0 ? [here, there] : [there, here]
    for (const side of order) {
      const child = side === there ? join(other, 'bench/dist/child.js') : undefined
      const job = { room: 'hot', table: HOT, rows, pace: PACE, first: pair, what: 'time' } as const
      const { timings } = await inFreshProcess(job, child)
      // What one of the trees cannot do yet is not compared.
      for (const row of rows) if (row in timings) side.get(row)?.push(timings[row].p50Ns)
    }
  }
  printMachine(machine(false))
  console.log(
    `this tree against ${name}, ${pairs} pairs of processes; medians, and 99 % of the ratio`,
  )
  for (const row of rows.filter((each) => there.get(each)?.length === pairs)) {
    print(row, here.get(row) ?? [], there.get(row) ?? [])
  }
  console.log(
    'unsure: the interval is too wide to say; more pairs (--pairs=20) or a quieter machine',
  )
}

function print(row: string, here: readonly number[], there: readonly number[]): void {
  const { ratio, low, high, verdict } = compared(here.map((ns, i) => ns / there[i]))
  const times = `${shown(median(here), 'ns')} against ${shown(median(there), 'ns')}`
  console.log(
    `  ${row.padEnd(40)} ${verdict.padEnd(7)} ${number(ratio)} times (${number(low)} to ${number(high)}), ${times}`,
  )
}

function mustRun(command: string, commandArgs: readonly string[], cwd: string): void {
  const { status, output } = run(command, commandArgs, cwd)
  if (status !== 0) throw new Error(`${command} ${commandArgs.join(' ')} failed:\n${output}`)
}

function run(command: string, commandArgs: readonly string[], cwd: string = root) {
  const { status, stdout, stderr } = spawnSync(command, commandArgs, { cwd, encoding: 'utf8' })
  return { status, output: `${stdout}${stderr}` }
}
