import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { buildProgram, root, serveProgram } from '../gateway/rig/program.ts'

beforeAll(buildProgram, 120_000)

interface CurlLine {
  readonly line: string
  /** What the comment below it says of the answer: it may hold more. */
  readonly answer: unknown
}

/** The lines of a page's code that begin with curl, as they are printed. */
function curlLinesOf(page: string): readonly CurlLine[] {
  const lines = page.split('\n')
  return lines.flatMap((line, i) => {
    if (!line.startsWith('curl ')) return []
    const said = lines[i + 1]
    if (!said.startsWith('# {')) throw new Error(`README.md says no answer below: ${line}`)
    return [{ line, answer: JSON.parse(said.slice(2)) as unknown }]
  })
}

/** Runs a line in a shell of its own, after the one that sets what it needs. */
function inShell(setting: string, line: string): unknown {
  const ran = spawnSync('sh', ['-c', `${setting}\n${line}`], { encoding: 'utf8', timeout: 20_000 })
  expect([line, ran.status, ran.stderr]).toEqual([line, 0, ''])
  return JSON.parse(ran.stdout)
}

/** The line that the demo prints to be pasted into another shell. */
async function startDemo(): Promise<{ readonly setting: string; readonly printed: string }> {
  const demo = await serveProgram('--demo')
  const printed = await demo.printed('the next one picked')
  const setting = /^ *(export KEY=ak_test_\S+ GATEWAY=\S+ TARGET=\S+)$/m.exec(printed)?.[1]
  if (setting === undefined) throw new Error(`the demo prints no line to paste:\n${printed}`)
  return { setting, printed }
}

test("README's curl lines answer as it says, in their order, over a demo of their own", async () => {
  const lines = curlLinesOf(readFileSync(join(root, 'README.md'), 'utf8'))
  expect(lines.length).toBeGreaterThan(5)
  const { setting } = await startDemo()
  for (const { line, answer } of lines)
    expect(inShell(setting, line), line).toMatchObject(answer as object)
}, 60_000)

test('the curl lines that the demo prints work as they are printed', async () => {
  const { setting, printed } = await startDemo()
  const lines = printed
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('curl '))
  expect(lines.length).toBeGreaterThan(4)
  for (const line of lines) expect(inShell(setting, line), line).not.toHaveProperty('error')
}, 60_000)
