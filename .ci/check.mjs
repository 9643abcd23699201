// Every check that is not a test: types, lint, format, dead code, packages and the house rules.
// Prints each by name, keeps going after a failure, and ends in `N passed, N failed`.
//
//   node .ci/check.mjs            all of them
//   node .ci/check.mjs lint …     only those whose name starts so
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { layerProblems } from './checks/layers.mjs'
import { layoutProblems } from './checks/layout.mjs'
import { mutantProblems } from './checks/mutants.mjs'
import { purityProblems } from './checks/purity.mjs'
import { sizeProblems } from './checks/size.mjs'
import { root } from './checks/sources.mjs'

const OPENAPI = 'packages/gateway/scripts/openapi.mjs'
const WIRE = 'packages/client/scripts/wire.mjs'
/** As CommonJS would, what is built and exported. */
const REQUIRE = `require('node:module').createRequire('${root}/packages/client/package.json')('@ostler/client').Ostler.name`
const LINT = ['--type-aware', '--deny-warnings', '--format=unix']

const bin = (name) => join(root, 'node_modules/.bin', name)
const packDir = mkdtempSync(join(tmpdir(), 'ostler-pack-'))

const checks = [
  { name: 'layout', run: async () => layoutProblems() },
  { name: 'layers', run: async () => layerProblems() },
  { name: 'purity', run: async () => purityProblems() },
  { name: 'mutants', run: async () => mutantProblems() },
  { name: 'types', run: () => command(bin('tsc'), ['-b', '--pretty', 'false']) },
  { name: 'openapi', run: () => command(process.execPath, [OPENAPI, '--check']) },
  { name: 'openapi client', run: () => command(process.execPath, [WIRE, '--check']) },
  { name: 'size', run: sizeProblems },
  { name: 'require client', run: () => command(process.execPath, ['-e', REQUIRE]) },
  { name: 'lint', run: () => command(bin('oxlint'), LINT) },
  { name: 'format', run: () => command(bin('prettier'), ['--check', '.']) },
  { name: 'dead code', run: () => command(bin('knip'), ['--no-progress']) },
  { name: 'speed', run: speedProblems },
  ...publishedPackages().flatMap(packageChecks),
]

const wanted = process.argv.slice(2)
const chosen = checks.filter(
  ({ name }) => wanted.length === 0 || wanted.some((start) => name.startsWith(start)),
)
if (chosen.length === 0) {
  console.error(`no such check; there are: ${checks.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

let failed = 0
for (const check of chosen) {
  const startMs = Date.now()
  const problems = await check.run()
  const seconds = ((Date.now() - startMs) / 1000).toFixed(1)
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'}  ${check.name.padEnd(28)} ${seconds} s`)
  for (const problem of problems) console.log(problem.replace(/^/gm, '      '))
  if (problems.length > 0) failed++
}
rmSync(packDir, { recursive: true, force: true })
console.log(`${chosen.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

function publishedPackages() {
  return readdirSync(join(root, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => ({ dir: join(root, 'packages', entry.name), name: entry.name }))
    .filter(({ dir }) => !JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).private)
}

/** Packs a package once, as publishing would, and looks at the tarball from both sides. */
function packageChecks({ dir, name }) {
  let tarball = null
  const packed = async (look) => {
    if (tarball === null) {
      const args = ['pack', '--json', '--loglevel=error', '--pack-destination', packDir]
      const ran = await capture('npm', args, dir)
      if (ran.status !== 0) return [ran.output]
      tarball = join(packDir, JSON.parse(ran.stdout)[0].filename)
    }
    return look()
  }
  const attw = () => [tarball, '--profile', 'esm-only', '--no-emoji', '--format', 'ascii']
  return [
    {
      name: `publint ${name}`,
      run: () => packed(() => command(bin('publint'), ['run', tarball, '--strict'])),
    },
    { name: `attw ${name}`, run: () => packed(() => command(bin('attw'), attw())) },
  ]
}

/** The hot paths beside floors of the same run: of what is built now, by itself on the machine. */
async function speedProblems() {
  const built = await command(bin('tsc'), ['-b', 'bench'])
  return built.length > 0 ? built : command(process.execPath, ['bench/dist/guard.js'])
}

/** Runs a tool: no problem when it ends with 0, else its output as one. */
async function command(file, args) {
  const ran = await capture(file, args, root)
  return ran.status === 0 ? [] : [ran.output.trim() || `ended with ${ran.status}`]
}

function capture(file, args, cwd) {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' }
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    child.on('error', (error) => resolve({ status: -1, stdout, output: error.message }))
    child.on('close', (status) => resolve({ status, stdout, output: stdout + stderr }))
  })
}
