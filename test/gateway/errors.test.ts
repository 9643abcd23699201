import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ERRORS, PROBLEM_TYPE, type ApiErrorCode } from '@ostler/api'
import { memoryStore, OstlerError } from '@ostler/core'
import { KeyFile } from '@ostler/gateway'
import { describe, expect, test } from 'vitest'
import { until } from '../servers/until.ts'
import { closing } from './rig/closing.ts'
import {
  askPlainly,
  errorOf,
  makeKey,
  ringOf,
  startRig,
  type Answer,
  type Ask,
  type Rig,
  type RigOptions,
} from './rig/gateway.ts'
import { freePort } from '../servers/ports.ts'
import { serve } from './rig/sockets.ts'

/** A gateway in which an error comes up by what really causes it, and the request that meets it. */
interface Condition {
  readonly rig: Rig
  readonly path: string
  readonly ask: Ask
}

const fetchOf = (rig: Rig, body: unknown, more: Ask = {}): Condition => ({
  rig,
  path: '/fetch',
  ask: { method: 'POST', body, ...more },
})
const targetOf = async (path: string, options: RigOptions = {}, body: object = {}) => {
  const rig = await startRig(options)
  return fetchOf(rig, { url: `${rig.target.url}${path}`, ...body })
}
const once1 = { 'idempotency-key': 'one' }

/** A gateway that is asked by requests as they stand. */
async function plainRig(): Promise<Rig> {
  const rig = await startRig()
  const ask = (path: string, asked: Ask = {}): Promise<Answer> =>
    askPlainly(`${rig.url}${path}`, { key: rig.key, ...asked })
  return { ...rig, ask }
}

/** A store that says what one says that has lost its disk: nothing can be remembered any more. */
function failingStore() {
  const store = memoryStore()
  return Object.assign(Object.create(store) as typeof store, {
    begin: () => {
      throw new OstlerError('STORE_UNAVAILABLE', 'disk I/O error at /var/lib/secret')
    },
  })
}

const conditions: Readonly<Record<ApiErrorCode, () => Promise<Condition>>> = {
  BAD_REQUEST: async () => ({
    rig: await startRig(),
    path: '/fetch',
    ask: { method: 'POST', body: '{"url": ', headers: { 'content-type': 'application/json' } },
  }),
  MISSING_TARGET_URL: async () => fetchOf(await startRig(), { timeout: 1 }),
  INVALID_TARGET_URL: async () => fetchOf(await startRig(), { url: 'ftp://files.example/' }),
  INVALID_GEO: () => targetOf('/', {}, { geo: 'Atlantis' }),
  UNAUTHORIZED: async () => ({ rig: await startRig(), path: '/usage', ask: { key: null } }),
  FORBIDDEN: async () => ({ rig: await startRig(), path: '/usage', ask: { key: makeKey().key } }),
  INSUFFICIENT_SCOPE: () => targetOf('/', { scopes: ['usage'] }),
  TARGET_FORBIDDEN: async () => fetchOf(await startRig(), { url: 'http://169.254.169.254/' }),
  NOT_FOUND: async () => ({ rig: await startRig(), path: '/nowhere', ask: {} }),
  REQUEST_TIMEOUT: async () => {
    const rig = await plainRig()
    const { server } = rig.gateway.app
    server.headersTimeout = 100
    server.requestTimeout = 100
    const headers = { 'content-type': 'application/json', 'content-length': '9' }
    return { rig, path: '/fetch', ask: { method: 'POST', headers } }
  },
  CONFLICT: async () => {
    const condition = await targetOf('/large')
    await condition.rig.ask('/fetch', { ...condition.ask, headers: once1 })
    return { ...condition, ask: { ...condition.ask, headers: once1 } }
  },
  IDEMPOTENCY_KEY_REUSED: async () => {
    const rig = await startRig()
    await rig.fetch('/', {}, { headers: once1 })
    return fetchOf(rig, { url: `${rig.target.url}/echo` }, { headers: once1 })
  },
  IDEMPOTENCY_IN_PROGRESS: async () => {
    const rig = await startRig()
    const ask = { body: { url: `${rig.target.url}/hang`, timeout: 3 }, headers: once1 }
    void rig.ask('/fetch', ask).catch(() => undefined)
    await until('the target is asked', () => rig.target.visits.length === 1)
    return fetchOf(rig, ask.body, { headers: once1 })
  },
  PAYLOAD_TOO_LARGE: () => targetOf('/', { maxRequestBytes: 2048 }, { body: 'x'.repeat(3000) }),
  UNSUPPORTED_MEDIA_TYPE: async () =>
    fetchOf(await startRig(), 'url=http://shop.example/', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }),
  EXPECTATION_FAILED: async () => {
    const rig = await plainRig()
    return { rig, path: '/usage', ask: { headers: { expect: 'a miracle' } } }
  },
  VALIDATION_ERROR: () => targetOf('/', {}, { timeout: 301 }),
  RATE_LIMITED: async () => {
    const tiers = { one: { policies: [{ name: 'one', limit: 1, windowMs: 60_000 }] } }
    const condition = await targetOf('/', { tier: 'one', tiers })
    await condition.rig.ask('/usage')
    return condition
  },
  HEADERS_TOO_LARGE: async () => ({
    rig: await startRig(),
    path: '/usage',
    ask: { headers: { 'x-long': 'x'.repeat(40_000) } },
  }),
  INTERNAL_ERROR: async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ostler-keys-'))
    closing(() => rmSync(dir, { recursive: true }))
    const path = join(dir, 'keys.json')
    const keys = new KeyFile({ path })
    const { key } = keys.create({ kind: 'test', tier: 'roomy', scopes: ['usage'], nowMs: 1 })
    writeFileSync(path, '{"version": 1, "keys": [{"id":')
    return { rig: await startRig({ keys }), path: '/usage', ask: { key } }
  },
  NO_AGENT_AVAILABLE: () => targetOf('/', { agents: 0 }),
  BAD_GATEWAY: async () => {
    const garbage = await serve((socket) => socket.end('this is no HTTP\r\n\r\n'))
    return fetchOf(await startRig(), { url: `http://127.0.0.1:${garbage.port}/` })
  },
  STORE_UNAVAILABLE: async () => {
    const condition = await targetOf('/', { store: failingStore() })
    return { ...condition, ask: { ...condition.ask, headers: once1 } }
  },
  OVERLOADED: async () => {
    const condition = await targetOf('/', { maxInFlight: 1 })
    const { rig } = condition
    void rig.fetch('/hang', { timeout: 3 }).catch(() => undefined)
    await until('the target is asked', () => rig.target.visits.length === 1)
    return condition
  },
  SHUTTING_DOWN: async () => {
    const condition = await targetOf('/', { drainMs: 2000 })
    const { rig } = condition
    void rig.fetch('/hang', { timeout: 3 }).catch(() => undefined)
    await until('the target is asked', () => rig.target.visits.length === 1)
    void rig.gateway.close()
    return condition
  },
  TARGET_TIMEOUT: () => targetOf('/hang', {}, { timeout: 0.3 }),
}

/** Those of which nobody can know when the same request will succeed. */
const WITHOUT_WAIT: readonly string[] = [
  'REQUEST_TIMEOUT',
  'INTERNAL_ERROR',
  'BAD_GATEWAY',
  'TARGET_TIMEOUT',
]

describe.each(Object.keys(ERRORS) as ApiErrorCode[])('%s', (code) => {
  const { status, retryable, title } = ERRORS[code]

  test('comes by its cause, in the envelope and as a problem', async () => {
    const { rig, path, ask } = await conditions[code]()
    const answer = await rig.ask(path, ask)
    expect([answer.status, errorOf(answer)?.code]).toEqual([status, code])
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    const { message, details } = errorOf(answer)
    expect(message.length).toBeGreaterThan(5)
    expect(answer.text).not.toMatch(/secret|\.ts:|node_modules|at async/)
    if (!retryable) expect(answer.headers.get('retry-after')).toBeNull()
    else if (code !== 'NO_AGENT_AVAILABLE' && !WITHOUT_WAIT.includes(code)) {
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    // What is no request yet has said nothing of what it accepts.
    if (code === 'HEADERS_TOO_LARGE' || code === 'REQUEST_TIMEOUT') return
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const problem = await rig.ask(path, withHeader(ask, 'accept', PROBLEM_TYPE))
    expect(problem.status).toBe(status)
    expect(problem.headers.get('content-type')).toContain(PROBLEM_TYPE)
    expect(problem.json).toEqual({
      type: `urn:ostler:error:${code.toLowerCase()}`,
      title,
      status,
      detail: expect.any(String),
      code,
      details: expect.any(Object),
      requestId: problem.headers.get('x-request-id'),
    })
    expect(Object.keys(problem.json.details)).toEqual(Object.keys(details))
  })
})

function withHeader(ask: Ask, name: string, value: string): Ask {
  return { ...ask, headers: { ...ask.headers, [name]: value } }
}

test('every field that is wrong is told, by its path and with what was given', async () => {
  const rig = await startRig()
  const body = { method: 'get it', timeout: 0, attempts: 99, redirect: 'sometimes', nonsense: true }
  const { details, message } = errorOf(await rig.fetch('/', body))
  const fields = details['fields'] as { path: string; message: string }[]
  const paths = new Set(fields.map(({ path }) => path))
  expect(paths).toEqual(
    new Set(['body.method', 'body.timeout', 'body.attempts', 'body.redirect', 'body.nonsense']),
  )
  expect(message).toContain('got 99')
})

test('of very many wrong fields only the first is told', async () => {
  const rig = await startRig()
  const headers = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`h${i}`, i]))
  const answer = await rig.fetch('/', { headers, timeout: -1 })
  expect([answer.status, errorOf(answer).code]).toEqual([422, 'VALIDATION_ERROR'])
  expect(errorOf(answer).details['fields']).toHaveLength(1)
  expect(answer.text.length).toBeLessThan(2000)
})

test('a body that is not base64 as it says is told by its field', async () => {
  const rig = await startRig()
  const answer = await rig.fetch('/', { method: 'POST', body: '***', encoding: 'base64' })
  expect([answer.status, errorOf(answer).code]).toEqual([422, 'VALIDATION_ERROR'])
  expect(errorOf(answer).details['fields']).toMatchObject([{ path: 'body.body' }])
})

test('plain text, XML and nothing but a type are refused as bodies', async () => {
  const rig = await startRig()
  for (const type of ['text/plain', 'application/xml', 'nonsense']) {
    const headers = { 'content-type': type }
    const answer = await rig.ask('/fetch', { method: 'POST', body: 'x', headers })
    expect([type, answer.status]).toEqual([type, 415])
  }
})

test('targets of other protocols are not fetched', async () => {
  const rig = await startRig()
  for (const url of ['ws://127.0.0.1/', 'amqp://127.0.0.1/', 'file:///etc/passwd', '/', 'x']) {
    expect([url, errorOf(await rig.ask('/fetch', { body: { url } })).code]).toEqual([
      url,
      'INVALID_TARGET_URL',
    ])
  }
})

test('a target that cannot be, cannot be previewed either', async () => {
  const rig = await startRig()
  for (const [url, code] of [
    ['nonsense', 'INVALID_TARGET_URL'],
    ['http://printer.local/', 'TARGET_FORBIDDEN'],
  ]) {
    expect(errorOf(await rig.ask(`/debug/pick?url=${url}`)).code).toBe(code)
  }
  const geo = await rig.ask(`/debug/pick?url=http://shop.example/&geo=Atlantis`)
  expect(errorOf(geo).code).toBe('INVALID_GEO')
})

test('an agent with a url that cannot be used is refused, and the url is not repeated', async () => {
  const rig = await startRig()
  const body = { url: 'gopher://user:hunter2@10.0.0.1:70' }
  const answer = await rig.ask('/network/agents/x', { method: 'PUT', body })
  expect([answer.status, errorOf(answer).code]).toEqual([422, 'VALIDATION_ERROR'])
  expect(answer.text).not.toContain('hunter2')
  expect(rig.gateway.scheduler.agents.size).toBe(3)
})

test('a target that refuses, one that closes and a name that is not found are told apart', async () => {
  const closes = await serve((socket) => socket.destroy())
  const rig = await startRig({ agents: [{ id: 'direct' }] })
  const reasonOf = async (url: string): Promise<unknown> => {
    const answer = await rig.ask('/fetch', { body: { url } })
    expect([answer.status, errorOf(answer).code]).toEqual([502, 'BAD_GATEWAY'])
    return errorOf(answer).details['reason'] ?? errorOf(answer).message
  }
  expect(await reasonOf(`http://127.0.0.1:${await freePort()}/`)).toBe('refused')
  expect(await reasonOf(`http://127.0.0.1:${closes.port}/`)).toBe('closed')
  expect(await reasonOf('http://no-such-host.invalid/')).toContain('not found')
})

test('who has nothing left is told that, whatever else is wrong with his request', async () => {
  const tiers = { one: { policies: [{ name: 'one', limit: 1, windowMs: 60_000 }] } }
  const rig = await startRig({ tier: 'one', tiers, scopes: ['fetch'] })
  await rig.fetch('/')
  for (const answer of [
    await rig.fetch('/', { timeout: 'x' }),
    await rig.ask('/usage'),
    await rig.fetch('/', { timeout: 'x' }, { headers: once1 }),
  ]) {
    expect(errorOf(answer).code).toBe('RATE_LIMITED')
  }
})

test('what is no HTTP is answered with an error, and the connection ends', async () => {
  const rig = await startRig()
  const socket = connect(Number(new URL(rig.url).port), '127.0.0.1')
  closing(() => socket.destroy())
  let text = ''
  socket.setEncoding('utf8').on('data', (part: string) => (text += part))
  socket.write('NONSENSE\r\n\r\n')
  await once(socket, 'close')
  expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
  const envelope = JSON.parse(text.slice(text.indexOf('{'))) as Answer['json']
  expect(envelope.error.code).toBe('BAD_REQUEST')
  expect(envelope.meta.requestId).toMatch(/^req_[0-9a-f]{32}$/)
})

test('a path that cannot be decoded, or is too long, is answered like everything else', async () => {
  const rig = await startRig()
  for (const path of ['/%zz', '/network/agents/%e0%a4%a', `/network/health/${'x'.repeat(2000)}`]) {
    const answer = await rig.ask(path)
    expect([answer.status, errorOf(answer)?.code]).toEqual([400, 'BAD_REQUEST'])
    expect(answer.headers.get('x-request-id')).toBe(answer.json.meta.requestId)
  }
})

test('a stream of health that cannot begin is answered like everything else', async () => {
  const rig = await startRig({ drainMs: 2000 })
  void rig.fetch('/hang', { timeout: 3 }).catch(() => undefined)
  await until('the target is asked', () => rig.target.visits.length === 1)
  void rig.gateway.close()
  const headers = { accept: 'text/event-stream' }
  const answer = await rig.ask('/network/health/shop.example', { headers })
  expect([answer.status, errorOf(answer).code]).toEqual([503, 'SHUTTING_DOWN'])
})

test('a key of a tier that is not there is refused as our own mistake', async () => {
  const odd = makeKey({ id: 'key_odd', tier: 'platinum' })
  const rig = await startRig({ keys: ringOf(odd) })
  const answer = await rig.ask('/usage', { key: odd.key })
  expect([answer.status, errorOf(answer).code]).toEqual([500, 'INTERNAL_ERROR'])
})
