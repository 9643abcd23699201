import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { rolldown } from 'rolldown'
import { beforeAll, expect, test } from 'vitest'
import { closing } from '../gateway/rig/closing.ts'
import { USAGE } from './rig/script.ts'

const root = join(import.meta.dirname, '../..')
const entry = join(root, 'packages/client/src/index.ts')

/** The client and all that it brings along, as one file. */
async function bundle(format: 'esm' | 'iife'): Promise<string> {
  const build = await rolldown({
    input: entry,
    platform: 'neutral',
    resolve: { conditionNames: ['@ostler/source', 'import', 'default'] },
  })
  const { output } = await build.generate({ format, name: 'client', minify: true })
  await build.close()
  expect(output[0].imports).toEqual([])
  return output[0].code
}

let code: string

beforeAll(async () => {
  code = await bundle('iife')
})

/** What browsers, workers, Bun, Deno and Node all have: nothing else is there. */
const EVERYWHERE = {
  AbortController,
  Headers,
  Response,
  TextDecoder,
  URL,
  URLSearchParams,
  clearTimeout,
  crypto,
  setTimeout,
}

test('it runs where there is nothing but what all runtimes have', async () => {
  const asked: string[] = []
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    asked.push(`${init.method} ${url} ${new Headers(init.headers).get('authorization')}`)
    return asked.length === 1 ? new Response('<html>', { status: 503 }) : Response.json(USAGE)
  }
  const runtime = { nowMs: () => 1, random: () => 0, after: EVERYWHERE_AFTER }
  const world = createContext({ ...EVERYWHERE, fetch, runtime })
  const script = `${code}
    const { Ostler } = client
    const asked = new Ostler({ apiKey: 'ak_test_x', baseUrl: 'http://g.example', runtime })
    asked.usage().then(({ key }) => key.tier)`
  expect(await runInContext(script, world)).toBe('free')
  const request = 'GET http://g.example/usage Bearer ak_test_x'
  expect(asked).toEqual([request, request])
})

const EVERYWHERE_AFTER = (ms: number, callback: () => void): (() => void) => {
  const timer = setTimeout(callback, ms)
  return () => clearTimeout(timer)
}

test('errors keep their names when they are minified', async () => {
  const world = createContext({ ...EVERYWHERE, fetch: async () => Promise.reject(new Error('no')) })
  const script = `${code}
    const { Ostler } = client
    new Ostler({ apiKey: 'ak_test_x', maxRetries: 0 }).usage().catch((error) => String(error))`
  expect(await runInContext(script, world)).toMatch(/^APIConnectionError: /)
})

test('CommonJS can require it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-client-'))
  closing(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'client.mjs'), await bundle('esm'))
  const script = `
    const { Ostler, RateLimitError } = require('./client.mjs')
    new Ostler({ apiKey: 'ak_test_x' })
    console.log(Ostler.RateLimitError === RateLimitError)`
  writeFileSync(join(dir, 'main.cjs'), script)
  const ran = spawnSync(process.execPath, [join(dir, 'main.cjs')], { encoding: 'utf8' })
  expect(ran.stdout.trim()).toBe('true')
})

test('the types are those of the committed document', () => {
  const script = join(root, 'packages/client/scripts/wire.mjs')
  const ran = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })
  expect(ran.stderr).toBe('')
  expect(ran.status).toBe(0)
})
