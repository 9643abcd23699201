import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { classify, type TargetResponse } from '@ostler/core'
import { expect, test } from 'vitest'

/** Answers that is-antibot has recorded: `failed` where a request was turned away, `success` where it was not. */
const require = createRequire(import.meta.url)
const providers = join(dirname(require.resolve('is-antibot/providers.json')), '../providers')
const doc = join(import.meta.dirname, '../../docs/contract.md')

interface Recorded {
  readonly name: string
  readonly kind: 'failed' | 'success'
  readonly answer: TargetResponse
}

/** The first answer of a recording (HAR 1.2) is the page's own. */
function recorded(name: string, kind: Recorded['kind']): Recorded | null {
  const path = join(providers, name, `${kind}.json`)
  if (!existsSync(path)) return null
  const { log } = JSON.parse(readFileSync(path, 'utf8'))
  const { response } = log.entries[0]
  const headers = new Map<string, string>()
  for (const header of response.headers) {
    const earlier = headers.get(header.name.toLowerCase())
    headers.set(
      header.name.toLowerCase(),
      earlier === undefined ? header.value : `${earlier}\n${header.value}`,
    )
  }
  const body = response.content.text ?? ''
  // Without its URL, as the gateway judges it.
  return { name, kind, answer: { status: response.status, headers, body } }
}

const all = readdirSync(providers, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort()
  .flatMap((name) => [recorded(name, 'failed'), recorded(name, 'success')])
  .filter((one) => one !== null)

const isBlock = ({ answer }: Recorded): boolean =>
  ['blocked', 'challenged', 'rate_limited'].includes(classify(answer).outcome.kind)

test('at least 20 of 21 recorded blocks are found', () => {
  const blocks = all.filter(({ kind }) => kind === 'failed')
  expect(blocks).toHaveLength(21)
  expect(blocks.filter(isBlock).length).toBeGreaterThanOrEqual(20)
})

test('at most 1 of the recorded good answers is a false alarm', () => {
  const good = all.filter(({ kind }) => kind === 'success')
  expect(good).toHaveLength(15)
  expect(good.filter(isBlock).length).toBeLessThanOrEqual(1)
})

test('an answer is classified within 50 us', () => {
  for (const { name, kind, answer } of all) {
    expect(
      quickestUs(() => classify(answer)),
      `${name} ${kind}`,
    ).toBeLessThan(50)
  }
})

test('the table of recorded answers is as measured', () => {
  const [, table = ''] = readFileSync(doc, 'utf8').split('<!-- recorded -->')
  const rows = all.map(({ name, kind, answer }) => {
    const { outcome, vendor = '', evidence } = classify(answer)
    const seen = kind === 'failed' ? 'turned away' : 'let in'
    return [name, seen, `${answer.status}`, outcome.kind, vendor, plain(evidence)]
  })
  const told = table
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
  expect(told).toEqual(rows)
})

/** As a cell of a table may hold it. */
function plain(text: string): string {
  return text.replaceAll(/[<>|_*"\\]/g, '').replaceAll(/\s+/g, ' ')
}

/** The best of 41 batches: what else the machine does must not count. */
function quickestUs(run: () => unknown): number {
  const times = Array.from({ length: 41 }, () => {
    const startMs = performance.now()
    for (let i = 0; i < 25; i++) run()
    return ((performance.now() - startMs) * 1000) / 25
  })
  return Math.min(...times)
}
