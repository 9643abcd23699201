import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { number } from './report/words.ts'
import { inFreshProcess } from './run/jobs.ts'
import { guardProblems, least, type Costs } from './run/ratios.ts'
import { HOT, HOT_FLOOR } from './tables/hot.ts'
import { tableOf } from './tables/index.ts'

// npm run bench:guard               fails where a hot path has become slower, or allocates more, than bench/guard.json says
// npm run bench:guard -- --record   keeps what is found as what it should be: a change that is meant, to be committed with it
const FILE = join(import.meta.dirname, '../guard.json')
const RUNS = 3
/** A run that looks bad is tried again: another process's noise passes, a slower path stays. */
const MOST_RUNS = 6
const PACE = { processes: 1, heavy: 1, alone: 0, warmUpMs: 1_500, rounds: 3, roundMs: 40 }
const JOB = { room: 'hot', table: HOT, pace: PACE }

const table = await tableOf(JOB.room, HOT)
const names = (table.cases ?? []).map(({ name }) => name)
const paths = names.filter((name) => name !== HOT_FLOOR)
const isRecording = process.argv.includes('--record')
const recorded: Costs = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Costs) : {}

const bytes = await allocated()
const runs: Costs[] = []
let problems: readonly string[] = []
while (runs.length < MOST_RUNS) {
  runs.push(await timed(runs.length))
  problems = guardProblems(recorded, least(runs))
  if (runs.length >= (isRecording ? MOST_RUNS : RUNS) && problems.length === 0) break
}
const found = least(runs)
for (const [name, cost] of Object.entries(found)) {
  console.log(`${name}: ${number(cost.ratio)} times the floor, ${number(cost.bytes)} bytes`)
}
if (isRecording) record()
else if (problems.length > 0) complain()

async function allocated(): Promise<Readonly<Record<string, number>>> {
  const sizes: Record<string, number> = {}
  for (const name of paths) {
    const job = { ...JOB, what: 'bytes', rows: [name], first: 0 } as const
    sizes[name] = (await inFreshProcess(job)).bytes
  }
  return sizes
}

/** Each path beside the floor, in one fresh process. */
async function timed(first: number): Promise<Costs> {
  const { timings } = await inFreshProcess({ ...JOB, what: 'time', rows: names, first })
  const floorNs = timings[HOT_FLOOR].p50Ns
  return Object.fromEntries(
    paths.map((name) => [name, { ratio: timings[name].p50Ns / floorNs, bytes: bytes[name] }]),
  )
}

function record(): void {
  const rounded = Object.entries(found).map(([name, { ratio, bytes: size }]) => [
    name,
    { ratio: Number(ratio.toPrecision(3)), bytes: Math.round(size) },
  ])
  writeFileSync(FILE, `${JSON.stringify(Object.fromEntries(rounded), null, 2)}\n`)
  console.log(`kept in ${FILE}`)
}

function complain(): void {
  for (const problem of problems) console.error(problem)
  console.error(
    'A hot path has become dearer, beside a floor of the same run (bench/guard.json). `npm run bench:compare -- HEAD~1` says by how much; ' +
      'where it is meant, `npm run bench:guard -- --record` keeps it.',
  )
  process.exitCode = 1
}
