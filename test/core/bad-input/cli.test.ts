import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { run, type Io } from '@ostler/cli'
import { NOW_MS, SECRET } from './rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'ostler-bad-input-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const AGENTS = file('agents.txt', `http://me:${SECRET}@192.0.2.7:8080\n198.51.100.1:3128\n`)
const EMPTY = file('empty.txt', '')
const BAD_LINE = file('bad.txt', `192.0.2.7:8080\nme:${SECRET}@192.0.2.9:99999\n`)
const NOT_JSON = file('not.json', '{')
const BAD_TIER = file('tier.json', '{"policies":[{"name":"p","limit":-1,"windowMs":0}]}')
const BAD_STATE = file('state.json', '{"exclusions":[{"agent":"x"}]}')
const BAD_SCENARIO = file('scenario.json', '{"requests":-5,"extra":1}')
const MISSING = join(folder, 'missing')
const OUT = join(folder, 'out')
const url = 'https://shop.example/'

/** A command line, and what standard error says of it. All end with exit code 2. */
const LINES: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no command', [], /Usage: ostler/],
  ['an unknown command', ['pikc'], /unknown command 'pikc'/],
  ['an unknown option', ['pick', url, '--go', 'DE'], /unknown option '--go'/],
  ['an option without its value', ['pick', url, '--geo'], /'--geo <hint>' argument missing/],
  ['an argument too many', ['pick', url, 'x', '--agents', AGENTS], /too many arguments/],
  ['pick without a url', ['pick'], /missing required argument 'url'/],
  [
    'pick of a file url',
    ['pick', 'file:///x', '--agents', AGENTS],
    /the scheme "file" is not supported/,
  ],
  ['pick of bad credentials', ['pick', `http://me:${SECRET}@:x`, '--agents', AGENTS], /must be a/],
  ['pick near nowhere', ['pick', url, '--geo', 'XX', '--agents', AGENTS], /XX is no ISO.*Forms/],
  ['pick by a bad seed', ['pick', url, '--seed', '-1'], /from 0 to 4294967295, got "-1"/],
  ['pick by half a seed', ['pick', url, '--seed', '0.5'], /must be an integer.*got "0\.5"/],
  ['pick from no file', ['pick', url, '--agents', MISSING], /cannot read .*missing: there is no/],
  ['pick from a folder', ['pick', url, '--agents', folder], /it is a folder/],
  ['pick from an empty file', ['pick', url, '--agents', EMPTY], /empty\.txt/],
  ['a session too long', ['pick', url, '--agents', AGENTS, '--session', 'x'.repeat(200)], /128 by/],
  [
    'a state that is no JSON',
    ['pick', url, '--agents', AGENTS, '--state', NOT_JSON],
    /is not JSON/,
  ],
  ['a bad state', ['pick', url, '--agents', AGENTS, '--state', BAD_STATE], /exclusions\[0\]/],
  ['import of nothing', ['import'], /missing required argument 'file'/],
  ['import of no file', ['import', MISSING], /there is no such file/],
  ['import of an empty file', ['import', EMPTY, '--out', OUT], /empty\.txt/],
  ['an unknown format', ['import', AGENTS, '--format', 'xml'], /Allowed choices are/],
  ['an unknown scheme', ['import', AGENTS, '--scheme', 'ftp'], /Allowed choices are/],
  ['a bad line, strictly', ['import', BAD_LINE, '--strict', '--out', OUT], /1 bad entr.*--strict/],
  ['replay of no file', ['replay', MISSING], /there is no such file/],
  ['replay of no log', ['replay', AGENTS], /has no request in it/],
  ['a limit of -1', ['replay', AGENTS, '--limit', '-1'], /from 0 to 2147483647, got "-1"/],
  ['a window of 0', ['replay', AGENTS, '--window', '0'], /from 1 to 2678400000, got "0"/],
  ['a window of text', ['replay', AGENTS, '--window', '1m'], /must be an integer.*got "1m"/],
  [
    'a tier and a limit',
    ['replay', AGENTS, '--tier', BAD_TIER, '--limit', '1'],
    /--tier, or --limit/,
  ],
  ['a bad tier', ['replay', AGENTS, '--tier', BAD_TIER], /policies\[0\]\.limit .*got -1.*windowMs/],
  ['by an unknown', ['replay', AGENTS, '--by', 'asn'], /Allowed choices are ip, user/],
  ['simulate of no file', ['simulate', MISSING], /there is no such file/],
  ['simulate of no JSON', ['simulate', NOT_JSON], /not\.json/],
  ['a bad scenario', ['simulate', BAD_SCENARIO], /extra is unknown.*requests must be .*got -5/],
  ['a scenario and quick', ['simulate', BAD_SCENARIO, '--quick'], /scenario file or --quick/],
  ['an unknown policy', ['simulate', '--quick', '--policies', 'best'], /knows .*, got "best"/],
  ['a seed of text', ['simulate', '--quick', '--seed', 'x'], /must be an integer.*got "x"/],
]

describe('the command line refuses', () => {
  test.each(LINES)('%s', async (_, argv, says) => {
    const before = readdirSync(folder)
    const said = { out: '', err: '' }
    const io: Io = {
      stdin: (async function* () {})(),
      out: (text) => void (said.out += text),
      err: (text) => void (said.err += text),
      isTerminal: false,
      env: {},
      ended: () => Promise.resolve(),
      nowMs: () => NOW_MS,
    }
    expect(await run(argv, io)).toBe(2)
    expect(said.err.replaceAll('\n', ' ')).toMatch(says)
    expect(said.err).not.toMatch(/UNEXPECTED|TypeError|\n +at /)
    expect(said.err + said.out).not.toContain(SECRET)
    expect(said.out).toBe('')
    expect(readdirSync(folder)).toEqual(before)
  })
})
