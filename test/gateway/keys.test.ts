import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SCOPES, type Scope } from '@ostler/api'
import { KeyFile } from '@ostler/gateway'
import { beforeAll, expect, test } from 'vitest'
import { ostler } from '../cli/rig.ts'
import { closing } from './rig/closing.ts'
import { errorOf, makeKey, revocable, ringOf, startRig, type Ask } from './rig/gateway.ts'

const root = join(import.meta.dirname, '../..')
const main = join(root, 'packages/cli/dist/main.js')

/** A path for keys, in a folder that goes with the test. */
function keysPath(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-keys-'))
  closing(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'keys.json')
}

const fresh = { kind: 'live', tier: 'roomy', scopes: ['usage', 'fetch'], nowMs: 1 } as const

test('a key that is created is accepted, listed without what it is, and refused once revoked', async () => {
  const path = keysPath()
  const file = ['--file', path]
  const made = await ostler(['keys', 'create', ...file, '--tier', 'roomy', '--label', 'shop'])
  const key = made.out.trim()
  expect(key).toMatch(/^ak_live_[\w-]{32}$/)
  const rig = await startRig({ keys: new KeyFile({ path }) })
  expect((await rig.ask('/usage', { key })).json.key.tier).toBe('roomy')
  const listed = await ostler(['keys', 'list', ...file, '--json'])
  const [{ id, label }] = JSON.parse(listed.out)
  expect(label).toBe('shop')
  expect(listed.out).not.toContain(key)
  expect(listed.out).not.toMatch(/hash/)
  expect((await ostler(['keys', 'revoke', id, ...file])).code).toBe(0)
  const refused = await rig.ask('/usage', { key })
  expect([refused.status, errorOf(refused).code]).toEqual([403, 'FORBIDDEN'])
  expect((await ostler(['keys', 'revoke', id, ...file])).code).not.toBe(0)
  expect((await ostler(['keys', 'list', ...file])).out).toContain('revoked')
})

test('a key that is revoked loses the streams that it holds open', async () => {
  const { key, keys, revoke } = revocable()
  const rig = await startRig({ keys })
  const headers = { authorization: `Bearer ${key}`, accept: 'text/event-stream' }
  const stream = await fetch(`${rig.url}/network/health/shop.example`, { headers })
  expect(stream.status).toBe(200)
  revoke()
  const text = await stream.text()
  expect(text).toContain('event: health')
  expect(text).toMatch(/event: error\ndata: {"error":{"code":"FORBIDDEN",[^\n]*}\n\n$/)
}, 15_000)

test('only keyed hashes are on the disk, for the owner alone', () => {
  const path = keysPath()
  const { key } = new KeyFile({ path }).create(fresh)
  const dir = join(path, '..')
  for (const name of readdirSync(dir)) {
    expect(readFileSync(join(dir, name), 'utf8')).not.toContain(key)
    expect(statSync(join(dir, name)).mode & 0o077, name).toBe(0)
  }
  const [kept] = JSON.parse(readFileSync(path, 'utf8')).keys
  expect(kept.hash).toMatch(/^[0-9a-f]{64}$/)
})

test('without the secret a file accepts no key: the hash alone tells nobody', () => {
  const path = keysPath()
  const { key } = new KeyFile({ path, secret: 'the secret of here' }).create(fresh)
  expect(new KeyFile({ path, secret: 'the secret of here' }).find(key)?.tier).toBe('roomy')
  expect(new KeyFile({ path, secret: 'a secret of elsewhere' }).find(key)).toBeNull()
})

test('the secret may come by the environment, and is then written nowhere', async () => {
  const path = keysPath()
  const env = { OSTLER_KEYS_SECRET: 'a secret from the environment' }
  const made = await ostler(['keys', 'create', '--file', path], { env })
  const secret = env.OSTLER_KEYS_SECRET
  expect(new KeyFile({ path, secret }).find(made.out.trim())).not.toBeNull()
  expect(readdirSync(join(path, '..'))).toEqual(['keys.json'])
  const short = await ostler(['keys', 'list', '--file', path], {
    env: { OSTLER_KEYS_SECRET: 'short' },
  })
  expect(short.code).not.toBe(0)
  expect(short.err).toContain('16 characters')
})

test('a damaged file is told at the start, lets nobody in while it is damaged, and does again', async () => {
  const path = keysPath()
  const keys = new KeyFile({ path })
  const { key } = keys.create(fresh)
  const good = readFileSync(path, 'utf8')
  const rig = await startRig({ keys })
  const damages = [
    '',
    '{',
    '[]',
    '{"version":2,"keys":[]}',
    good.replace(/"hash": "./, '"hash": "x'),
  ]
  for (const damage of damages) {
    writeFileSync(path, damage)
    expect((await rig.ask('/usage', { key })).status).toBe(500)
    expect(() => new KeyFile({ path })).toThrow(path)
  }
  expect((await rig.ask('/healthz')).status).toBe(200)
  writeFileSync(path, good)
  expect((await rig.ask('/usage', { key })).status).toBe(200)
  rmSync(path)
  expect((await rig.ask('/usage', { key })).status).toBe(403)
})

test('a change that was ended amid leaves the file as it was, and says what to do', () => {
  const path = keysPath()
  const keys = new KeyFile({ path })
  const { key } = keys.create(fresh)
  writeFileSync(`${path}.lock`, '')
  expect(() => keys.create(fresh)).toThrow(/another command is changing the keys/)
  expect(keys.find(key)).not.toBeNull()
  rmSync(`${path}.lock`)
  keys.create(fresh)
  expect(keys.list()).toHaveLength(2)
})

test.each([
  ['kind', { ...fresh, kind: 'prod' }],
  ['scopes', { ...fresh, scopes: undefined }],
  ['nowMs', { ...fresh, nowMs: undefined }],
  ['nowMs', { ...fresh, nowMs: 0.5 }],
])('a key whose %s is none is refused, and the file stays good', (name, options) => {
  const path = keysPath()
  const { key, kept } = new KeyFile({ path }).create(fresh)
  expect(() => new KeyFile({ path }).create(options as typeof fresh)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(name) }),
  )
  expect(new KeyFile({ path }).find(key)).toMatchObject(kept)
})

test('a key that is revoked at no instant is refused, for it would stay valid', () => {
  const keys = new KeyFile({ path: keysPath() })
  const { key, kept } = keys.create(fresh)
  expect(() => keys.revoke(kept.id, undefined as unknown as number)).toThrow(/nowMs .* undefined/)
  expect(keys.find(key)).toMatchObject(kept)
})

test('keys without a path are refused, before anything is written', () => {
  expect(() => new KeyFile({} as { path: string })).toThrow(/path must name a file, got undefined/)
  expect(() => new KeyFile({ path: '' })).toThrow(/got ""/)
})

test('who lists keys where there are none leaves nothing behind', async () => {
  const path = keysPath()
  const listed = await ostler(['keys', 'list', '--file', path])
  expect([listed.code, listed.out, listed.err]).toEqual([0, '', `no keys in ${path}\n`])
  expect(readdirSync(join(path, '..'))).toEqual([])
})

test('tiers, scopes and labels that cannot be are refused by name', async () => {
  for (const [option, value, told] of [
    ['--tier', 'no tier', '"no tier"'],
    ['--scopes', 'fetch,fly', '"fly"'],
    ['--label', 'x'.repeat(101), 'label'],
  ]) {
    const ran = await ostler(['keys', 'create', '--file', keysPath(), option, value])
    expect(ran.code).not.toBe(0)
    expect(ran.err).toContain(told)
  }
})

test.each<[Scope, string, Ask]>([
  ['fetch', '/fetch', { body: { url: 'http://10.0.0.1/' } }],
  ['fetch', '/fetch?url=http://10.0.0.1/', {}],
  ['usage', '/usage', {}],
  ['network', '/network/agents', {}],
  ['network', '/network/health/shop.example', {}],
  ['debug', '/debug/pick?url=http://shop.example/', {}],
  ['admin', '/network/agents/x', { method: 'PUT', body: { country: 'DE' } }],
  ['admin', '/network/agents/x', { method: 'DELETE' }],
])('the scope %s is what %s asks for, and no other', async (scope, path, ask) => {
  const all = makeKey({ id: 'key_all' })
  const others = makeKey({ id: 'key_others', scopes: SCOPES.filter((other) => other !== scope) })
  const alone = makeKey({ id: 'key_alone', scopes: [scope] })
  const rig = await startRig({ keys: ringOf(all, others, alone) })
  const refused = await rig.ask(path, { ...ask, key: others.key })
  expect([refused.status, errorOf(refused).code]).toEqual([403, 'INSUFFICIENT_SCOPE'])
  expect(errorOf(refused).details).toEqual({ needed: scope })
  for (const { key } of [alone, all]) {
    const answer = await rig.ask(path, { ...ask, key })
    expect(answer.json?.error?.code).not.toBe('INSUFFICIENT_SCOPE')
  }
})

test('a key comes as a bearer token or in X-API-Key', async () => {
  const rig = await startRig()
  const statusOf = async (headers: Record<string, string>): Promise<number> =>
    (await rig.ask('/usage', { key: null, headers })).status
  expect(await statusOf({ authorization: `Bearer ${rig.key}` })).toBe(200)
  expect(await statusOf({ authorization: `bearer  ${rig.key}` })).toBe(200)
  expect(await statusOf({ 'x-api-key': rig.key })).toBe(200)
  expect(await statusOf({ authorization: `Basic ${rig.key}` })).toBe(401)
  expect(await statusOf({ authorization: rig.key })).toBe(401)
  expect(await statusOf({ 'x-api-key': '' })).toBe(401)
})

test('metrics are for this machine, or for a key of the scope admin', async () => {
  const admin = makeKey({ id: 'key_admin', scopes: ['admin'] })
  const plain = makeKey({ id: 'key_plain', scopes: ['usage'] })
  const rig = await startRig({ keys: ringOf(admin, plain), trustProxy: ['127.0.0.1'] })
  const afar = { 'x-forwarded-for': '198.51.100.7' }
  const statusOf = async (key: string | null, headers = {}): Promise<number> =>
    (await rig.ask('/metrics', { key, headers })).status
  expect(await statusOf(null)).toBe(200)
  expect(await statusOf(null, afar)).toBe(401)
  expect(await statusOf(plain.key, afar)).toBe(403)
  expect(await statusOf(admin.key, afar)).toBe(200)
})

test('guesses at the key of metrics are counted', async () => {
  const rig = await startRig({ trustProxy: ['127.0.0.1'] })
  const headers = { 'x-forwarded-for': '198.51.100.7' }
  const answers = []
  for (let i = 0; i < 11; i++) {
    const answer = await rig.ask('/metrics', { key: makeKey().key, headers })
    answers.push([answer.status, answer.headers.get('x-ratelimit-remaining')])
  }
  const counted = Array.from({ length: 10 }, (_, i) => [403, String(9 - i)])
  expect(answers).toEqual([...counted, [429, '0']])
})

// Two programs at once: they run what is built.
beforeAll(() => {
  const built = spawnSync('npx', ['tsc', '-b', 'packages/cli'], { cwd: root, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(built.stdout)
}, 120_000)

test('programs that change one file at once lose no key', async () => {
  const path = keysPath()
  const made = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = spawn(process.execPath, [main, 'keys', 'create', '--file', path])
      let out = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
      const [code] = await once(child, 'close')
      expect(code).toBe(0)
      return out.trim()
    }),
  )
  const keys = new KeyFile({ path })
  expect(keys.list()).toHaveLength(4)
  for (const key of made) expect(keys.find(key)).not.toBeNull()
}, 60_000)

test('what another program revokes is refused on the next request', async () => {
  const path = keysPath()
  const keys = new KeyFile({ path })
  const { key, kept } = keys.create(fresh)
  const rig = await startRig({ keys })
  expect((await rig.ask('/usage', { key })).status).toBe(200)
  const ran = spawnSync(process.execPath, [main, 'keys', 'revoke', kept.id, '--file', path])
  expect(ran.status).toBe(0)
  expect((await rig.ask('/usage', { key })).status).toBe(403)
}, 60_000)
