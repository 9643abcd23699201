// Makes a clone ready to run: installs what the lock file names, then builds the packages.
// Plain Node with no dependency, because it runs before anything is installed.
//
//   node .ci/setup.mjs             install and build, one line per step
//   node .ci/setup.mjs install     install only
//   node .ci/setup.mjs --services  install and build, and the servers that the tests run against
//   node .ci/setup.mjs --bench     install and build, the benchmarks too
//   node .ci/setup.mjs --peers     all that, and what the benchmarks compare with
//   node .ci/setup.mjs --quiet     print nothing unless a step fails
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missingServices } from './services.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** A workspace of its own, for nothing else needs its 200 packages. */
const peers = join(root, 'bench/peers')
const args = process.argv.slice(2)
const quiet = args.includes('--quiet')
const withBench = args.includes('--bench') || args.includes('--peers')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

requireNode()
step('install', isInstalled(root) ? null : () => install(root))
if (!args.includes('install')) step('build', build)
if (args.includes('--peers')) step('peers', isInstalled(peers) ? null : () => install(peers))
if (args.includes('--services')) {
  step('native', isNativeBuilt() ? null : buildNative)
  step('services', missingServices(run))
}

/** Runs one step and prints its line; a step that is null has nothing to do. */
function step(name, run) {
  if (!quiet) process.stdout.write(`${name.padEnd(9)}`)
  if (run === null) return say('up to date')
  const startMs = Date.now()
  const failure = run()
  const seconds = ((Date.now() - startMs) / 1000).toFixed(1)
  if (failure === null) return say(`ok, ${seconds} s`)
  say(`FAILED after ${seconds} s`)
  console.error(failure)
  process.exit(1)
}

function say(text) {
  if (!quiet) console.log(text)
}

function requireNode() {
  const [least] = /\d+\.\d+/.exec(manifest.engines.node)
  const [major, minor] = process.versions.node.split('.').map(Number)
  const [leastMajor, leastMinor] = least.split('.').map(Number)
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return
  console.error(`Ostler needs Node ${least} or newer; this is ${process.versions.node}.`)
  process.exit(1)
}

/** pnpm keeps a copy of the lock file that it installed last. */
function isInstalled(workspace) {
  const installed = join(workspace, 'node_modules/.pnpm/lock.yaml')
  if (!existsSync(installed)) return false
  return readFileSync(installed, 'utf8') === readFileSync(join(workspace, 'pnpm-lock.yaml'), 'utf8')
}

/** NODE_ENV=production would leave the compiler out, hence --prod=false. */
function install(workspace) {
  const pnpm = [`-y`, manifest.packageManager, 'install', '--frozen-lockfile', '--prod=false']
  const ran = run('npx', [...pnpm, '--config.confirm-modules-purge=false'], {}, workspace)
  if (ran.status === 0) return null
  return `${ran.output}\n${unreachable(ran.output) ?? 'pnpm could not install; see above.'}`
}

/** SQLite's driver is compiled when it is installed. It is optional: a machine without a compiler runs all else, but not the tests. */
function isNativeBuilt() {
  const load = "require('better-sqlite3')(':memory:').close()"
  return run(process.execPath, ['-e', load], {}, join(root, 'packages/store-sqlite')).status === 0
}

function buildNative() {
  const ran = run('npx', ['-y', manifest.packageManager, '-r', 'rebuild', 'better-sqlite3'])
  if (ran.status === 0 && isNativeBuilt()) return null
  return `${ran.output}\n\nbetter-sqlite3 could not be compiled; see above. It takes a C++ compiler, make and Python:
  sudo apt-get install build-essential python3      Debian, Ubuntu`
}

/** The tests' types are left to `npm run check`: a wrong one there must not stop the program. Nor does it wait for the benchmarks. */
function build() {
  const isLeftOut = (path) => path === 'test' || (path === 'bench' && !withBench)
  const { references } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))
  const projects = references.map((reference) => reference.path).filter((path) => !isLeftOut(path))
  const ran = run(process.execPath, ['node_modules/typescript/bin/tsc', '-b', ...projects])
  return ran.status === 0 ? null : ran.output
}

function run(command, commandArgs, env = {}, cwd = root) {
  const ran = spawnSync(command, commandArgs, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32' && command === 'npx',
  })
  const output = [ran.error?.message, ran.stdout, ran.stderr].filter(Boolean).join('\n').trim()
  return { status: ran.status, output }
}

/** Says in words that the network is the trouble, or null when it is something else. */
function unreachable(output) {
  const signs =
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|META_FETCH_FAIL|ENOTCACHED/
  const [sign] = signs.exec(output) ?? []
  if (sign === undefined) return null
  return [
    `The package registry could not be reached (${sign}), so the dependencies are missing.`,
    'Check the network, and the registry that `npm config get registry` names; then try again.',
  ].join('\n')
}
