// Plants each bug of mutants.mjs into a copy of the tree and asks the tests to find it.
// Prints a table, and fails if a bug survives, a patch no longer fits, or a test is red without any.
//
//   npm run test:mutants                 all of them
//   npm run test:mutants -- fence edge   only those whose name holds one of the words
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { staleness } from '../../.ci/checks/mutants.mjs'
import { copyTree } from './copy.mjs'
import { mutants } from './mutants.mjs'

const WORKERS = 2
const LIMIT_MS = 120_000
const words = process.argv.slice(2)
const chosen = mutants.filter(
  ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
)

const startMs = Date.now()
const trees = [copyTree(), copyTree()]
const running = new Set()
process.on('SIGINT', () => process.exit(130))
process.on('exit', () => {
  running.forEach(kill)
  trees.forEach((tree) => tree.remove())
})

const stale = chosen.map((mutant) => staleness(mutant)).filter(Boolean)
if (chosen.length === 0) stale.push(`no mutant is named like ${words.join(' or ')}`)
if (stale.length > 0) fail(stale)
await requireGreen()

const queue = [...chosen]
const rows = []
const width = Math.max(...chosen.map(({ name }) => name.length))
console.log(`${'name'.padEnd(width)} | killed by | seconds`)
await Promise.all(trees.slice(0, WORKERS).map((tree) => work(tree.dir)))

const survivors = rows.filter((row) => row.killedBy === null)
const minutes = ((Date.now() - startMs) / 60_000).toFixed(1)
console.log(`${rows.length - survivors.length} of ${rows.length} killed in ${minutes} minutes`)
if (survivors.length > 0) fail(survivors.map(({ name, note }) => `${name}: ${note}`))

/** Takes mutants off the queue until none is left. */
async function work(dir) {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const row = await tryOne(dir, mutant)
    rows.push(row)
    const verdict = row.killedBy ?? `SURVIVED (${row.note})`
    console.log(`${row.name.padEnd(width)} | ${verdict} | ${row.seconds}`)
  }
}

async function tryOne(dir, mutant) {
  const path = join(dir, mutant.file)
  const original = readFileSync(path, 'utf8')
  const mutantStartMs = Date.now()
  writeFileSync(
    path,
    original.replace(mutant.find, () => mutant.replace),
  )
  const ran = await runTests(dir, mutant.tests, LIMIT_MS)
  writeFileSync(path, original)
  const seconds = ((Date.now() - mutantStartMs) / 1000).toFixed(1)
  return { name: mutant.name, seconds, ...verdictOf(ran) }
}

/** Only a failed test kills; a file that does not even load shows a patch that is no bug. */
function verdictOf(ran) {
  if (ran.timedOut) return { killedBy: `the time limit of ${LIMIT_MS / 1000} s` }
  if (ran.report === null) return { killedBy: null, note: `no result: ${lastLines(ran.output)}` }
  const tests = ran.report.testResults.flatMap((file) => file.assertionResults)
  const failed = tests.find((test) => test.status === 'failed')
  if (failed !== undefined) return { killedBy: failed.fullName }
  const unloaded = ran.report.testResults.find((file) => file.status === 'failed')
  if (unloaded !== undefined) return { killedBy: null, note: `did not load: ${unloaded.message}` }
  return { killedBy: null, note: `${tests.length} tests passed` }
}

/** A red test kills anything: without a bug planted, all that are named must pass. */
async function requireGreen() {
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))].sort()
  const halves = [files.filter((_, i) => i % 2 === 0), files.filter((_, i) => i % 2 === 1)]
  const runs = await Promise.all(
    halves.map((half, i) =>
      half.length === 0 ? Promise.resolve(null) : runTests(trees[i].dir, half, 600_000),
    ),
  )
  for (const ran of runs) {
    if (ran === null || ran.report?.success === true) continue
    fail([`the tests fail with no bug planted:\n${lastLines(ran.output)}`])
  }
}

async function runTests(dir, tests, limitMs) {
  const reportPath = join(dir, 'mutant-report.json')
  await rm(reportPath, { force: true })
  const args = ['run', '--config', 'test/vitest.config.ts', '--bail', '1', '--maxWorkers', '1']
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`]
  const filters = tests.map((test) => join(dir, test))
  const vitest = join(dir, 'node_modules/vitest/vitest.mjs')
  const child = spawn(process.execPath, [vitest, ...args, ...reporters, ...filters], {
    cwd: dir,
    detached: true,
    env: { ...process.env, NO_COLOR: '1', OSTLER_SEED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (output += text))
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    kill(child)
  }, limitMs)
  running.add(child)
  await once(child, 'close')
  running.delete(child)
  clearTimeout(timer)
  return { timedOut, output, report: readReport(reportPath) }
}

/** The child leads its own group, so that its workers go with it. */
function kill(child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

function lastLines(text) {
  return text.trim().split('\n').slice(-30).join('\n')
}

function fail(lines) {
  for (const line of lines) console.error(line)
  process.exit(1)
}
