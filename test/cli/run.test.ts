import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtinScenario, placeFleet } from '@ostler/simulator'
import { beforeAll, describe, expect, test } from 'vitest'
import { tourText } from '../../packages/cli/src/commands/start.ts'
import { tiny } from '../simulator/tiny.ts'
import { file, freshPath, ostler } from './rig.ts'

const root = join(import.meta.dirname, '../..')
const main = join(root, 'packages/cli/dist/main.js')

test('says its version', async () => {
  const { code, out } = await ostler(['--version'])
  expect(code).toBe(0)
  expect(out).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test.each(['', 'simulate', 'pick', 'import', 'replay', 'doctor', 'start'])(
  'helps with "%s", on standard output, at 80 columns',
  async (command) => {
    const { code, out, err } = await ostler(
      [...command.split(' '), '--help'].filter((word) => word),
    )
    expect(code).toBe(0)
    expect(err).toBe('')
    expect(out).toMatch(/^Usage: ostler /)
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  },
)

test.each([
  [[]],
  [['bogus']],
  [['pick']],
  [['import']],
  [['replay']],
  [['simulate', 'a.json', 'b.json']],
  [['simulate', '--seed', '1.5']],
  [['simulate', '--policies', 'ostler,luck']],
  [['simulate', '--policies', '']],
  [['simulate', 'a.json', '--quick']],
  [['simulate', '/nowhere/a.json']],
  [['import', '/nowhere/agents.txt']],
  [['import', '/']],
  [['import', 'x', '--format', 'yaml']],
  [['import', 'x', '--scheme', 'ftp']],
  [['replay', '/nowhere/access.log']],
  [['start', 'now']],
  [['doctor', 'now']],
  [['doctor', '--store']],
  [['doctor', '--store', 'mysql://db']],
])('exits with 2 on %j, and says why in a line or two', async (argv) => {
  const { code, out, err } = await ostler(argv)
  expect(code).toBe(2)
  expect(out).toBe('')
  expect(err).not.toMatch(/^ +at /m)
  if (argv.length > 0) expect(err).toMatch(/^ostler: /)
})

test('gives errors of the command line a code, in one sentence', async () => {
  expect((await ostler(['pick', 'shop.example', '--sead', '1'])).err).toBe(
    "ostler: unknown option '--sead' (USAGE)\n(Did you mean --seed?)\n(--help says more)\n",
  )
  expect((await ostler(['simulate', '--seed', '1.5'])).err).toMatch(
    /^ostler: .* got "1\.5" \(USAGE\)$/m,
  )
})

test('reads standard input for one file only', async () => {
  for (const argv of [
    ['pick', 'shop.example', '--state', '-', '--agents', '-'],
    ['replay', '-', '--tier', '-'],
  ]) {
    const { code, err } = await ostler(argv, { stdin: '[]' })
    expect(code).toBe(2)
    expect(err).toBe('ostler: only one file can be standard input, got - for two (USAGE)\n')
  }
})

test('shows where an error comes from only when asked', async () => {
  const argv = ['pick', 'shop.example', '--geo', 'Mars', '--agents', file('a:1')]
  expect((await ostler(argv)).err.split('\n')).toHaveLength(2)
  expect((await ostler(argv, { env: { OSTLER_DEBUG: '1' } })).err).toMatch(/^ +at /m)
})

describe('simulate', () => {
  const scenario = file(tiny())

  test('prints the same for one seed, and other figures for another', async () => {
    const argv = ['simulate', scenario, '--seed', '3']
    const first = await ostler(argv)
    const again = await ostler(argv)
    const other = await ostler(['simulate', scenario, '--seed', '4'])
    expect(first.code).toBe(0)
    expect(again.out).toBe(first.out)
    expect(other.out).not.toBe(first.out)
    expect(first.out).toContain('Scenario tiny, seed 3')
  })

  test('keeps what depends on the machine off standard output', async () => {
    const { out, err } = await ostler(['simulate', scenario])
    expect(out).not.toContain('per second')
    expect(err).toMatch(/^picks per second here: ostler [\d,]+, /)
  })

  test('compares the policies that are named, in that order', async () => {
    const argv = ['simulate', scenario, '--json', '--policies', 'random, ostler,random']
    const { results } = JSON.parse((await ostler(argv)).out) as {
      readonly results: readonly { readonly policy: string }[]
    }
    expect(results.map(({ policy }) => policy)).toEqual(['random', 'ostler'])
  })

  test('reads a scenario from standard input', async () => {
    const { code, out } = await ostler(['simulate', '-'], { stdin: JSON.stringify(tiny()) })
    expect(code).toBe(0)
    expect(out).toContain('Scenario tiny')
  })

  test('lists all that is wrong with a scenario', async () => {
    const { code, err } = await ostler(['simulate', file({ ...tiny(), seed: -1, requests: 0 })])
    expect(code).toBe(2)
    expect(err).toMatch(/seed must be .*; requests must be .*\(INVALID_OPTIONS\)\n$/)
  })

  test('refuses a market that is no country', async () => {
    const clients = { ...tiny().clients, markets: { XX: 1 } }
    const { code, err } = await ostler(['simulate', file({ ...tiny(), clients })])
    expect(code).toBe(2)
    expect(err).toContain('clients.markets.XX')
  })

  test('writes a page', async () => {
    const path = freshPath('report.html')
    expect((await ostler(['simulate', scenario, '--html', path])).code).toBe(0)
    expect(readFileSync(path, 'utf8')).toMatch(/^<!doctype html>/)
  })

  test('does not lose the run over a page that it cannot write', async () => {
    const argv = ['simulate', scenario, '--html', '/nowhere/report.html']
    const { code, out, err } = await ostler(argv)
    expect(code).toBe(2)
    expect(out).toBe((await ostler(['simulate', scenario])).out)
    expect(err).toContain(
      'ostler: cannot write /nowhere/report.html: there is no such folder (ENOENT)\n',
    )
  })

  test('draws progress on a terminal, and wipes it out', async () => {
    const { out, err } = await ostler(['simulate', scenario], { isTerminal: true })
    expect(err).toContain('\r[')
    expect(err).toContain('running session-pool')
    expect(err.lastIndexOf('\r\u001b[K')).toBeGreaterThan(err.lastIndexOf('['.concat('#')))
    expect(out).not.toContain('\r')
  })
})

describe('as a program', () => {
  beforeAll(() => {
    if (existsSync(main)) return
    const built = spawnSync('npx', ['tsc', '-b', 'packages/cli'], { cwd: root, encoding: 'utf8' })
    expect(built.status, built.stdout).toBe(0)
  }, 120_000)

  function program(argv: readonly string[], input = ''): ReturnType<typeof spawnSync> {
    return spawnSync(process.execPath, [main, ...argv], { input, encoding: 'utf8' })
  }

  test('exits with 0, 2 and 3', () => {
    const agents = file('192.0.2.1:80')
    expect(program(['import', '-'], '192.0.2.1:80\n').status).toBe(0)
    expect(program(['bogus']).status).toBe(2)
    const none = ['pick', 'shop.example', '--agents', agents, '--geo', 'DE;strict']
    expect(program(none).status).toBe(3)
  })

  test('writes all of a long answer into a pipe', () => {
    const lines = Array.from({ length: 3_000 }, (_, i) => `192.0.2.1:${i + 1}`).join('\n')
    const { status, stdout } = program(['import', '-', '--out', '-'], lines)
    expect(status).toBe(0)
    expect(JSON.parse(String(stdout))).toHaveLength(3_000)
  })

  test.skipIf(!existsSync('/dev/full'))('says in a sentence that the disk is full', () => {
    const command = `"${process.execPath}" "${main}" --help > /dev/full`
    const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stderr).toBe('ostler: cannot write standard output: the disk is full (ENOSPC)\n')
  })

  test('ends quietly when its reader goes away', () => {
    const lines = file(Array.from({ length: 9_000 }, (_, i) => `192.0.2.1:${i + 1}`).join('\n'))
    const command = `"${process.execPath}" "${main}" import "${lines}" --out - | head -n 1`
    const { stdout, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
    expect(stdout).toBe('[\n')
    expect(stderr).not.toMatch(/EPIPE|Error|^ +at /m)
  })
})

test('the tour keeps to 80 columns', () => {
  const text = tourText(placeFleet(builtinScenario('quick'), 1).agents)
  expect(text).toContain('One pick, explained: ')
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
})
