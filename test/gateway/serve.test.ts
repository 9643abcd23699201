import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { closing } from './rig/closing.ts'
import { askAt, errorOf } from './rig/gateway.ts'

const root = join(import.meta.dirname, '../..')
const main = join(root, 'packages/cli/dist/main.js')

// It runs what is built, as users do.
beforeAll(() => {
  const built = spawnSync('npx', ['tsc', '-b', 'packages/cli'], { cwd: root, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(built.stdout)
}, 120_000)

/** An empty folder, gone after the test. */
function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-serve-'))
  closing(() => rmSync(dir, { recursive: true }))
  return dir
}

interface Served {
  readonly child: ChildProcessWithoutNullStreams
  readonly url: string
  readonly err: string
}

async function serve(cwd: string, ...args: readonly string[]): Promise<Served> {
  const child = spawn(process.execPath, [main, 'serve', '--port', '0', '--quiet', ...args], { cwd })
  const ended = once(child, 'close')
  closing(async () => {
    child.kill('SIGTERM')
    await ended
  })
  let err = ''
  for await (const text of child.stderr.setEncoding('utf8') as AsyncIterable<string>) {
    err += text
    const [, url] = /listening on (http:\S+)/.exec(err) ?? []
    if (url === undefined) continue
    child.stderr.resume()
    return { child, url, err }
  }
  throw new Error(`the gateway ended at its start:\n${err}`)
}

test('without a configuration the gateway answers, and takes keys as they are made', async () => {
  const cwd = folder()
  const { child, url, err } = await serve(cwd)
  expect(err).toContain('no keys: nobody may fetch. Make one by: ostler keys create')
  expect((await askAt(`${url}/healthz`, {})).json).toEqual({ status: 'ok' })
  expect((await askAt(`${url}/readyz`, {})).json).toMatchObject({ ready: true, agents: 0 })
  const made = spawnSync(process.execPath, [main, 'keys', 'create'], { cwd, encoding: 'utf8' })
  const key = made.stdout.trim()
  expect((await askAt(`${url}/usage`, { key })).status).toBe(200)
  const fetched = await askAt(`${url}/fetch?url=http://93.184.216.34/`, { key })
  expect(errorOf(fetched).details).toMatchObject({ cause: 'fleet_empty' })
  child.kill('SIGTERM')
  expect(await once(child, 'close')).toEqual([0, null])
}, 60_000)

test('agents that the gateway cannot go through are left out, by name and without their password', async () => {
  const cwd = folder()
  const urls = ['http://u:secret@192.0.2.1:3128', 'socks4://u:secret@192.0.2.2:1080']
  writeFileSync(join(cwd, 'agents.txt'), urls.join('\n'))
  const { url, err } = await serve(cwd, '--agents', 'agents.txt')
  expect(err).toMatch(/192\.0\.2\.2:1080 is left out: .*socks4:/)
  expect(err).not.toContain('secret')
  expect((await askAt(`${url}/readyz`, {})).json).toMatchObject({ ready: true, agents: 1 })
}, 60_000)
