import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { CONNECT_WITHIN_MS } from '@ostler/api'
import { memoryStore, type Store } from '@ostler/core'
import { newKey } from '@ostler/gateway'
import { describe, expect, it } from 'vitest'
import { until } from '../servers/until.ts'
import { freePort } from '../servers/ports.ts'
import { listen, serve, type Behaviour } from './rig/sockets.ts'
import { revocable } from './rig/gateway.ts'
import {
  afterwards,
  startGateway,
  startProxy,
  untilQuiet,
  type TestGateway,
} from './rig/ws-gateway.ts'
import { dial, dialTarget, silent, startTarget, type SocketTarget } from './rig/ws-peers.ts'

const ONE = { id: 'one', country: 'DE' } as const

/** What a gateway says to a first message, and how it closes. */
async function refusal(
  { ws }: TestGateway,
  message: unknown,
): Promise<Record<string, unknown> & { readonly close: number }> {
  const client = await dial(ws)
  const text = typeof message === 'string' || Buffer.isBuffer(message)
  client.socket.send(text ? message : JSON.stringify(message))
  const told = await client.json()
  expect(told['type']).toBe('error')
  const { code: close, reason } = await client.ended()
  expect(String(told['message'])).toContain(reason)
  return { ...told, close }
}

/** A gateway over a store that loses each permit before it is renewed; to another holder, while there are others. */
async function startForgetful(permits: number): Promise<{
  readonly gateway: TestGateway
  readonly target: SocketTarget
  readonly lost: () => number
  readonly others: number[]
}> {
  const inner = memoryStore()
  const others: number[] = []
  let lost = 0
  const store: Store<'sync'> = {
    ...inner,
    renew(key, permitId, deadlineMs, nowMs) {
      lost++
      inner.release(key, permitId, nowMs)
      if (others.pop() !== undefined) {
        const permit = { id: 'another', cap: permits, deadlineMs }
        inner.consume({ key, policies: [], cost: 1, nowMs, permit })
      }
      return false
    },
  }
  const target = await startTarget()
  const sockets = { permitMs: 1_000 }
  const gateway = await startGateway({ agents: [ONE], store, permits, sockets })
  return { gateway, target, lost: () => lost, others }
}

/** Refused keys count by address: here they are not what is looked at. */
const PATIENT = {
  tiers: { unauthenticated: { policies: [{ name: 'u', limit: 1_000, windowMs: 60_000 }] } },
} as const

describe('an invalid API key', () => {
  it('is refused with 1008: missing, malformed, unknown, revoked, or without the scope ws', async () => {
    const revoked = newKey('live')
    const narrow = newKey('test')
    const gateway = await startGateway({
      ...PATIENT,
      others: [
        { key: revoked, tier: 'test', scopes: ['ws'], revoked: true },
        { key: narrow, tier: 'test', scopes: ['fetch', 'admin'] },
      ],
    })
    const url = 'wss://shop.example/'
    const refused = async (apiKey: unknown): Promise<unknown> => {
      const { code, close } = await refusal(gateway, { apiKey, url })
      return [code, close]
    }
    expect(await refused(undefined)).toEqual(['UNAUTHORIZED', 1008])
    expect(await refused(7)).toEqual(['UNAUTHORIZED', 1008])
    expect(await refused('letmein')).toEqual(['UNAUTHORIZED', 1008])
    expect(await refused(newKey('live'))).toEqual(['FORBIDDEN', 1008])
    expect(await refused(revoked)).toEqual(['FORBIDDEN', 1008])
    expect(await refused(narrow)).toEqual(['INSUFFICIENT_SCOPE', 1008])
    await untilQuiet(gateway)
  })

  it('counts by address, so that keys can not be guessed', async () => {
    const gateway = await startGateway()
    for (let i = 0; i < 10; i++) {
      expect(await refusal(gateway, { apiKey: newKey('live') })).toMatchObject({
        code: 'FORBIDDEN',
      })
    }
    expect(await refusal(gateway, { apiKey: newKey('live') })).toMatchObject({
      code: 'RATE_LIMITED',
      close: 1008,
    })
    const { status } = await fetch(`${gateway.url}/network/agents`)
    expect(status).toBe(429)
  })

  it('is never repeated, nor anything else that a message holds, in answers and logs', async () => {
    const lines: string[] = []
    const gateway = await startGateway({
      ...PATIENT,
      agents: [ONE],
      log: 'trace',
      logTo: { write: (line) => void lines.push(line) },
    })
    const secrets = ['planted-header', 'planted-cookie', 'planted-query', gateway.key]
    const more = {
      headers: { 'x-secret': 'planted-header' },
      cookies: { secret: 'planted-cookie' },
      url: `ws://127.0.0.1:${await freePort()}/?token=planted-query`,
    }
    const unknown = newKey('live')
    const told = [
      await refusal(gateway, { apiKey: gateway.key, ...more }),
      await refusal(gateway, { apiKey: gateway.key, ...more, idle_timeout: 'planted-query' }),
      await refusal(gateway, { apiKey: unknown, ...more }),
      await refusal(gateway, `{"apiKey":"${gateway.key}",`),
    ]
    const [failed, invalid, ...others] = JSON.stringify(told, null, 1)
      .split('"type": "error"')
      .slice(1)
    expect(lines.join('')).toContain('BAD_GATEWAY')
    // A caller is told the value of a field that is wrong: nobody else is.
    expect(invalid).toContain('idle_timeout')
    for (const secret of [...secrets, unknown]) {
      expect([failed, ...others].join('') + lines.join('')).not.toContain(secret)
    }
  })
})

describe('too many concurrent connections', () => {
  it('are refused with 1008, and welcome again once one has ended', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE], permits: 2 })
    const first = await dialTarget(gateway, target.url)
    await dialTarget(gateway, target.url)
    const { key: apiKey } = gateway
    expect(await refusal(gateway, { apiKey, url: target.url })).toMatchObject({
      code: 'RATE_LIMITED',
      message: 'at most 2 connections may be open at once',
      details: { policy: 'permits', limit: 2 },
      close: 1008,
    })
    first.client.socket.close()
    await first.client.ended()
    const { answer } = await dialTarget(gateway, target.url)
    expect(answer).toMatchObject({ type: 'connected' })
  })

  it('hold their permits beyond the first term', async () => {
    const target = await startTarget()
    const gateway = await startGateway({
      agents: [ONE],
      permits: 1,
      sockets: { permitMs: 1_000 },
    })
    await dialTarget(gateway, target.url)
    await new Promise((resolve) => {
      setTimeout(resolve, 1_500)
    })
    const { key: apiKey } = gateway
    expect(await refusal(gateway, { apiKey, url: target.url })).toMatchObject({
      code: 'RATE_LIMITED',
    })
  })

  it('are taken anew where the store has lost them, which uses no quota', async () => {
    const { gateway, target, lost } = await startForgetful(2)
    const { client } = await dialTarget(gateway, target.url)
    await until('two losses', () => lost() >= 2)
    expect(client.end).toBeNull()
    const usage = await gateway.gateway.scheduler.usage(gateway.keyId, 'test')
    expect(usage).toMatchObject([
      { policy: 'test', used: 1 },
      { policy: 'permits', used: 1 },
    ])
  })

  it('end where the store has lost them, and gives no other', async () => {
    const { gateway, target, lost, others } = await startForgetful(1)
    const { client } = await dialTarget(gateway, target.url)
    others.push(1)
    expect(await client.ended()).toEqual({
      code: 1008,
      reason: 'at most 1 connections may be open at once',
    })
    expect(lost()).toBe(1)
    expect((await (await target.peer()).ended()).code).toBe(1001)
  })

  it('end once their key is revoked', async () => {
    const target = await startTarget()
    const { key, keys, revoke } = revocable({ tier: 'test' })
    const gateway = await startGateway({ agents: [ONE], keys, sockets: { permitMs: 1_000 } })
    const { client } = await dialTarget({ ws: gateway.ws, key }, target.url)
    revoke()
    expect(await client.ended()).toEqual({
      code: 1008,
      reason: 'this API key is unknown, or it was revoked',
    })
    expect((await (await target.peer()).ended()).code).toBe(1001)
  })

  it('count one request each, whatever becomes of them', async () => {
    const gateway = await startGateway({
      tiers: { test: { policies: [{ name: 'few', limit: 3, windowMs: 60_000 }], permits: 9 } },
    })
    const { key: apiKey } = gateway
    const codes: unknown[] = []
    for (const url of [
      'ws://127.0.0.1:9999/',
      '',
      'gopher://shop.example/',
      'ws://127.0.0.1:9999/',
    ]) {
      codes.push((await refusal(gateway, { apiKey, url }))['code'])
    }
    expect(codes).toEqual([
      'NO_AGENT_AVAILABLE',
      'MISSING_TARGET_URL',
      'INVALID_TARGET_URL',
      'RATE_LIMITED',
    ])
    await untilQuiet(gateway)
  })
})

describe('no connect message', () => {
  it('within 10 s closes with 1008', async () => {
    expect(CONNECT_WITHIN_MS).toBe(10_000)
    const gateway = await startGateway({ sockets: { connectWithinMs: 200 } })
    // Its time begins while it is dialled.
    const startMs = performance.now()
    const client = await dial(gateway.ws)
    expect(await client.json()).toEqual({
      type: 'error',
      code: 'CONNECT_TIMEOUT',
      message: 'no message with apiKey and url came within 0.2 s',
      details: {},
    })
    expect((await client.ended()).code).toBe(1008)
    expect(performance.now() - startMs).toBeGreaterThan(150)
    await untilQuiet(gateway)
  })
})

describe('a connect message that is not as it must be', () => {
  it.each<[string, (key: string) => unknown, string]>([
    ['no JSON', () => 'hello', 'BAD_REQUEST'],
    ['no object', () => '[]', 'BAD_REQUEST'],
    ['null', () => 'null', 'BAD_REQUEST'],
    ['binary', (apiKey) => Buffer.from(JSON.stringify({ apiKey })), 'BAD_REQUEST'],
    ['more than 64 KiB', () => 'x'.repeat(70_000), 'BAD_REQUEST'],
    ['no url', (apiKey) => ({ apiKey }), 'MISSING_TARGET_URL'],
    [
      'a url of another scheme',
      (apiKey) => ({ apiKey, url: 'amqp://mq.example/' }),
      'INVALID_TARGET_URL',
    ],
    ['a url that is none', (apiKey) => ({ apiKey, url: 'shop.example' }), 'INVALID_TARGET_URL'],
    ['a private target', (apiKey) => ({ apiKey, url: 'ws://10.0.0.1/' }), 'TARGET_FORBIDDEN'],
    [
      'a geo hint of no form',
      (apiKey) => ({ apiKey, url: 'ws://127.0.0.1:9999/', geo: '??' }),
      'INVALID_GEO',
    ],
    [
      'a field that nobody knows',
      (apiKey) => ({ apiKey, url: 'ws://x.example/', ide_timeout: 1 }),
      'VALIDATION_ERROR',
    ],
    [
      'idle_timeout 0',
      (apiKey) => ({ apiKey, url: 'ws://x.example/', idle_timeout: 0 }),
      'VALIDATION_ERROR',
    ],
    [
      'headers as a list',
      (apiKey) => ({ apiKey, url: 'ws://x.example/', headers: [] }),
      'VALIDATION_ERROR',
    ],
    [
      'a header that is a number',
      (apiKey) => ({ apiKey, url: 'ws://x.example/', headers: { a: 1 } }),
      'VALIDATION_ERROR',
    ],
  ])('closes with 1008: %s', async (_name, message, code) => {
    const gateway = await startGateway({ agents: [ONE] })
    expect(await refusal(gateway, message(gateway.key))).toMatchObject({ code, close: 1008 })
    await untilQuiet(gateway)
  })

  it.each<[object, string]>([
    [{ headers: { 'x-a': 'b\r\nx-injected: 1' } }, 'message.headers.x-a'],
    [{ headers: { 'x-a': 'b\nc' } }, 'message.headers.x-a'],
    [{ headers: { 'x-a': 'b\0c' } }, 'message.headers.x-a'],
    [{ headers: { 'x-a': '☃' } }, 'message.headers.x-a'],
    [{ headers: { 'x-a\r\nx-b': 'c' } }, 'message.headers.*'],
    [{ headers: { 'x a': 'c' } }, 'message.headers.*'],
    [{ headers: { '': 'c' } }, 'message.headers.*'],
    [{ headers: { 'X-A': '1', 'x-a': '2' } }, 'message.headers.x-a'],
    [{ headers: { 'x-a': 'x'.repeat(20_000) } }, 'message.headers'],
    [{ headers: { 'sec-websocket-protocol': 'a,,b' } }, 'message.headers.sec-websocket-protocol'],
    [{ cookies: { a: 'b; c=d' } }, 'message.cookies.a'],
    [{ cookies: { a: 'b\r\nx: y' } }, 'message.cookies.a'],
    [{ cookies: { 'a=b': 'c' } }, 'message.cookies.*'],
    [{ cookies: { a: 'x'.repeat(20_000) } }, 'message.cookies'],
  ])('names the field, and the target is not reached, #%#', async (more, path) => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    const { client, answer } = await dialTarget(gateway, target.url, { ...more })
    expect(answer).toMatchObject({ code: 'VALIDATION_ERROR', details: { fields: [{ path }] } })
    expect((await client.ended()).code).toBe(1008)
    expect(target.sockets).toHaveLength(0)
  })

  it('is told of in short, however long it is', async () => {
    const gateway = await startGateway({ agents: [ONE] })
    const headers = { ['x '.repeat(4_000)]: 'y' }
    const { answer } = await dialTarget(gateway, 'wss://shop.example/', { headers })
    expect(answer).toMatchObject({ code: 'VALIDATION_ERROR' })
    expect(String(answer['message']).length).toBeLessThan(200)
  })

  it('may not name sub-protocols where one was agreed before', async () => {
    const gateway = await startGateway({ agents: [ONE] })
    const client = await dial(gateway.ws, ['chat'])
    const headers = { 'sec-websocket-protocol': 'mqtt' }
    const url = 'wss://shop.example/'
    client.socket.send(JSON.stringify({ apiKey: gateway.key, url, headers }))
    expect(await client.json()).toMatchObject({ code: 'VALIDATION_ERROR' })
  })
})

describe('a target connection that fails', () => {
  const answering =
    (text: string): Behaviour =>
    (socket) =>
      void socket.once('data', () => socket.end(text))

  it('closes with 1011 where the target refuses the connection', async () => {
    const proxy = await startProxy()
    const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
    const url = `ws://127.0.0.1:${await freePort()}/`
    const { key: apiKey } = gateway
    expect(await refusal(gateway, { apiKey, url })).toMatchObject({
      code: 'BAD_GATEWAY',
      close: 1011,
    })
    await untilQuiet(gateway, [url])
  })

  it.each<[string, Behaviour, string]>([
    ['closes', (socket) => void socket.once('data', () => socket.destroy()), 'closed'],
    ['speaks something else', answering('SSH-2.0-OpenSSH_9.6\r\n'), 'garbage'],
    [
      'agrees with a wrong key',
      answering(
        'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: AAAA\r\n\r\n',
      ),
      'garbage',
    ],
    [
      'agrees to something else',
      answering('HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n'),
      'garbage',
    ],
    [
      'has endless headers',
      answering(`HTTP/1.1 101 Switching Protocols\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`),
      'headers',
    ],
  ])('closes with 1011 where the target %s', async (_name, behaviour, reason) => {
    const target = await serve(behaviour)
    const proxy = await startProxy()
    const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
    const url = `ws://127.0.0.1:${target.port}/`
    const { key: apiKey } = gateway
    expect(await refusal(gateway, { apiKey, url })).toMatchObject({
      code: 'BAD_GATEWAY',
      details: { by: 'target', reason },
      close: 1011,
    })
    await untilQuiet(gateway, [url])
    expect(target.sockets.every((socket) => socket.destroyed)).toBe(true)
  })

  it('is not held against an agent because of the URL, which the caller chose', async () => {
    const target = await serve(answering('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'))
    const gateway = await startGateway({ agents: [ONE] })
    const url = `ws://127.0.0.1:${target.port}/?next=/showcaptcha?`
    expect(await refusal(gateway, { apiKey: gateway.key, url })).toMatchObject({
      code: 'BAD_GATEWAY',
      details: { status: 404, blocked: false, outcome: 'ok' },
    })
  })

  it('closes with 1011 where the target is silent', async () => {
    const target = await serve((socket) => void socket.resume())
    const gateway = await startGateway({ agents: [ONE], sockets: { openWithinMs: 200 } })
    const url = `ws://127.0.0.1:${target.port}/`
    const { key: apiKey } = gateway
    expect(await refusal(gateway, { apiKey, url })).toMatchObject({
      code: 'TARGET_TIMEOUT',
      close: 1011,
    })
    await untilQuiet(gateway, [url])
  })

  it('says with which status the target answered, and whether that is a block', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(403, { 'content-type': 'text/html', 'cf-mitigated': 'challenge' })
      response.end('<title>Just a moment...</title>')
    })
    const { port } = await listen(server)
    const gateway = await startGateway({ agents: [ONE] })
    const { key: apiKey } = gateway
    expect(await refusal(gateway, { apiKey, url: `ws://127.0.0.1:${port}/` })).toMatchObject({
      code: 'BAD_GATEWAY',
      message: "the target answered the WebSocket's handshake with 403",
      details: { status: 403, blocked: true, outcome: 'challenged', vendor: 'cloudflare' },
      close: 1011,
    })
    const usage = await fetch(`${gateway.url}/usage`, { headers: { 'x-api-key': apiKey } })
    expect(await usage.json()).toMatchObject({ blocked: 1, byProtocol: { ws: 1 } })
  })

  it('closes with 1011 where the agent is not there', async () => {
    const proxy = await startProxy()
    await proxy.kill()
    const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
    const { key: apiKey } = gateway
    const url = 'ws://127.0.0.1:9999/'
    expect(await refusal(gateway, { apiKey, url })).toMatchObject({
      code: 'BAD_GATEWAY',
      details: { by: 'agent', reason: 'refused' },
      close: 1011,
    })
  })
})

describe('no available agent', () => {
  it('closes with 1011: none at all, none where it must be, not the one that is wanted', async () => {
    const url = 'ws://127.0.0.1:9999/'
    const empty = await startGateway()
    expect(await refusal(empty, { apiKey: empty.key, url })).toMatchObject({
      code: 'NO_AGENT_AVAILABLE',
      details: { cause: 'fleet_empty' },
      close: 1011,
    })
    const gateway = await startGateway({ agents: [ONE] })
    const { key: apiKey } = gateway
    expect(await refusal(gateway, { apiKey, url, geo: 'US;strict' })).toMatchObject({
      code: 'NO_AGENT_AVAILABLE',
      close: 1011,
    })
    expect(await refusal(gateway, { apiKey, url, agent: 'nobody' })).toMatchObject({
      code: 'NO_AGENT_AVAILABLE',
      close: 1011,
    })
    await untilQuiet(gateway)
  })
})

describe('opening a WebSocket', () => {
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
  }

  it('is refused as HTTP says where it is no WebSocket at all', async () => {
    const { url } = await startGateway()
    const answer = await fetch(`${url}/ws`)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { code: 'BAD_REQUEST' } })
  })

  it.each([
    ['/ws', { ...upgrade, 'sec-websocket-key': 'short' }, 400],
    ['/ws', { ...upgrade, 'sec-websocket-version': '7', 'sec-websocket-key': 'A'.repeat(22) }, 400],
    ['/elsewhere', { ...upgrade, 'sec-websocket-key': `${'A'.repeat(22)}==` }, 404],
    ['/fetch', { ...upgrade, 'sec-websocket-key': `${'A'.repeat(22)}==` }, 401],
  ])('is refused at %s with an envelope, #%#', async (path, headers, status) => {
    const gateway = await startGateway({ sockets: { maxWaiting: 1 } })
    const { request } = await import('node:http')
    for (let i = 0; i < 3; i++) {
      const [got, body] = await new Promise<[number | undefined, string]>((resolve, reject) => {
        const sent = request(`${gateway.url}${path}`, { headers })
        sent.on('error', reject).on('response', (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => (text += chunk.toString()))
          response.on('end', () => resolve([response.statusCode, text]))
        })
        sent.end()
      })
      expect(got).toBe(status)
      expect(JSON.parse(body)).toMatchObject({ error: { code: expect.any(String) } })
    }
  })

  it("is refused for good: who lingers then takes nobody's place", async () => {
    const gateway = await startGateway({ sockets: { maxWaiting: 1 } })
    const socket = connect({ port: Number(new URL(gateway.url).port), allowHalfOpen: true })
    afterwards(async () => void socket.destroy())
    socket.on('error', () => {})
    socket.write('GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1.1 400 /)
    await untilOpens(gateway)
  })

  it('is refused with 429 while as many of one address wait as may, and 503 in all', async () => {
    const one = await startGateway({ sockets: { maxWaitingPerAddress: 2 } })
    const waiting = [await dial(one.ws), await dial(one.ws)]
    await expect(dial(one.ws)).rejects.toThrow('429')
    waiting[0].socket.terminate()
    await untilOpens(one)
    const all = await startGateway({ sockets: { maxWaiting: 1 } })
    await dial(all.ws)
    await expect(dial(all.ws)).rejects.toThrow('503')
  })

  it('is refused with 503 while as many are open as may', async () => {
    const target = await startTarget(silent)
    const gateway = await startGateway({ agents: [ONE], sockets: { maxOpen: 1 } })
    const { client } = await dialTarget(gateway, target.url)
    await expect(dial(gateway.ws)).rejects.toThrow('503')
    client.socket.close()
    await untilOpens(gateway)
  })
})

/** Waits until a gateway lets a WebSocket in. */
async function untilOpens({ ws }: TestGateway): Promise<void> {
  for (let i = 0; ; i++) {
    try {
      await dial(ws)
      return
    } catch (error) {
      if (i === 100) throw error
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
  }
}
