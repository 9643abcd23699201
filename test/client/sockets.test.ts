import { getEventListeners, once } from 'node:events'
import { Ostler, type ClientOptions, type SocketOptions, type TargetSocket } from '@ostler/client'
import { describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { makeKey, revocable } from '../gateway/rig/gateway.ts'
import { serve } from '../gateway/rig/sockets.ts'
import {
  afterwards,
  startGateway,
  startProxy,
  untilQuiet,
  type TestGateway,
} from '../gateway/rig/ws-gateway.ts'
import { startTarget, type SocketTarget } from '../gateway/rig/ws-peers.ts'
import { freePort } from '../servers/ports.ts'
import { until } from '../servers/until.ts'
import { failure } from './rig/failure.ts'

interface World {
  readonly gateway: TestGateway
  readonly target: SocketTarget
  readonly client: Ostler
  /** Opens the target's WebSocket. */
  open(options?: SocketOptions): Promise<TargetSocket>
}

async function start(
  options: Parameters<typeof startGateway>[0] = {},
  more: ClientOptions = {},
  behave?: Parameters<typeof startTarget>[0],
  targetOptions: Parameters<typeof startTarget>[1] = {},
): Promise<World> {
  const proxy = await startProxy()
  const target = await startTarget(behave, targetOptions)
  const agents = [{ id: 'de1', country: 'DE', url: proxy.url }]
  const gateway = await startGateway({ agents, ...options })
  const client = new Ostler({
    apiKey: gateway.key,
    baseUrl: gateway.url,
    maxRetries: 0,
    WebSocket,
    ...more,
  })
  const open = async (asked: SocketOptions = {}): Promise<TargetSocket> => {
    const socket = await client.ws(target.url, asked)
    afterwards(async () => void (await socket.close()))
    return socket
  }
  return { gateway, target, client, open }
}

async function all(socket: TargetSocket): Promise<unknown[]> {
  const messages: unknown[] = []
  for await (const message of socket) messages.push(message)
  return messages
}

test('text and bytes come and go as they are, through the agent that is told', async () => {
  const { open, gateway, target } = await start()
  const socket = await open({ geo: 'DE', headers: { 'x-mine': 'yes' }, cookies: { a: 'b' } })
  expect([socket.agent, socket.protocol]).toEqual(['de1', ''])
  expect(target.requests[0].headers).toMatchObject({ 'x-mine': 'yes', cookie: 'a=b' })
  socket.send('Oats')
  socket.send(new Uint8Array([1, 2, 255]))
  const got: unknown[] = []
  for await (const message of socket) {
    got.push(message)
    if (got.length === 2) break
  }
  expect(got[0]).toBe('Oats')
  expect(new Uint8Array(got[1] as ArrayBuffer)).toEqual(new Uint8Array([1, 2, 255]))
  // Who leaves the loop has closed it.
  expect(await socket.closed).toMatchObject({ code: 1000 })
  await untilQuiet(gateway, [target.url])
})

test('what comes right behind the answer is not missed', async () => {
  const { open } = await start({}, {}, ({ socket }) => {
    for (let i = 0; i < 100; i++) socket.send(`${i}`)
    socket.close(1000)
  })
  const socket = await open()
  // Long after it has come.
  await socket.closed
  expect(await all(socket)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`))
})

test('the target chooses among the sub-protocols', async () => {
  const handleProtocols = (): string => 'stable.v2'
  const { open } = await start({}, {}, undefined, { handleProtocols })
  expect((await open({ protocols: ['stable.v1', 'stable.v2'] })).protocol).toBe('stable.v2')
})

test('it ends as the target ends it, and both sides are told', async () => {
  const { open, target } = await start({}, {}, ({ socket }) => socket.close(4321, 'sold out'))
  const socket = await open()
  expect(await all(socket)).toEqual([])
  expect(await socket.closed).toEqual({ code: 4321, reason: 'sold out' })
  const other = await start()
  const mine = await other.open()
  await mine.close(3000, 'enough')
  expect(await (await other.target.peer()).ended()).toEqual({ code: 3000, reason: 'enough' })
  expect(target.peers).toHaveLength(1)
})

test('a target that is lost is an error of its reader', async () => {
  const { open, target } = await start()
  const socket = await open()
  const reading = failure(all(socket))
  for (const connection of target.sockets) connection.destroy()
  expect(await reading).toBeInstanceOf(Ostler.APIConnectionError)
})

test('a key that is revoked is an error of its reader', async () => {
  const { key, keys, revoke } = revocable({ tier: 'test' })
  const { open } = await start({ keys, sockets: { permitMs: 1_000 } }, { apiKey: key })
  const socket = await open()
  const reading = failure(all(socket))
  revoke()
  const error = await reading
  expect(error).toBeInstanceOf(Ostler.APIConnectionError)
  expect(String(error)).toContain('1008 this API key is unknown, or it was revoked')
})

test.each([
  [1000, 'no error'],
  [1001, 'no error'],
  [1002, 'an error'],
  [1008, 'an error'],
  [1009, 'an error'],
  [1011, 'an error'],
  [3000, 'no error'],
  [4999, 'no error'],
])('a target that closes with %d is %s of its reader', async (code, what) => {
  const { open } = await start({}, {}, ({ socket }) => socket.close(code))
  const socket = await open()
  const reading = what === 'no error' ? all(socket) : failure(all(socket))
  if (what === 'no error') expect(await reading).toEqual([])
  else expect(await reading).toBeInstanceOf(Ostler.APIConnectionError)
  expect((await socket.closed).code).toBe(code)
})

test('the signal that it was opened with ends it, with its reason', async () => {
  const { open, target } = await start()
  const controller = new AbortController()
  const socket = await open({ signal: controller.signal })
  const reading = failure(all(socket))
  const reason = new Error('enough')
  controller.abort(reason)
  expect(await reading).toMatchObject({ name: 'APIAbortError', cause: reason })
  expect(await (await target.peer()).ended()).toMatchObject({ code: 1000 })
})

test('a signal keeps nothing of a WebSocket that has ended', async () => {
  const { open } = await start()
  const { signal } = new AbortController()
  const socket = await open({ signal })
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  await socket.close()
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('what was read waits no more, however much it comes to', async () => {
  const { open } = await start({}, {}, ({ socket }) => {
    socket.on('message', (data) => socket.send(data))
  })
  const socket = await open()
  const messages = socket[Symbol.asyncIterator]()
  const mebibyte = new Uint8Array(1024 * 1024)
  for (let i = 0; i < 18; i++) {
    socket.send(mebibyte)
    const { value } = await messages.next()
    expect((value as ArrayBuffer).byteLength).toBe(mebibyte.length)
  }
})

test('empty messages count as well, and however many wait come in their order', async () => {
  const { open } = await start({}, {}, ({ socket }) => {
    for (let i = 0; i < 50_000; i++) socket.send(i % 2 === 0 ? '' : `${i}`)
    socket.close(1000)
  })
  const socket = await open()
  await socket.closed
  const got = await all(socket)
  expect(got).toHaveLength(50_000)
  expect(got.every((message, i) => message === (i % 2 === 0 ? '' : `${i}`))).toBe(true)
  await expect(all(socket)).rejects.toThrow('gone through once')
})

test('more than is kept for a reader who does not read closes it', async () => {
  const { open } = await start({}, {}, ({ socket }) => {
    for (let i = 0; i < 20; i++) socket.send(Buffer.alloc(1024 * 1024))
  })
  const socket = await open()
  expect((await socket.closed).code).toBe(4000)
  expect(await failure(all(socket))).toMatchObject({ name: 'OstlerError', code: 'SLOW_READER' })
})

describe('what is refused is the error that it is elsewhere', () => {
  test('an unknown key', async () => {
    const { open } = await start({}, { apiKey: makeKey().key })
    expect(await failure(open())).toMatchObject({ name: 'ForbiddenError', status: 403 })
  })

  test('a key without the scope', async () => {
    const { key } = makeKey()
    const others = [{ key, tier: 'test', scopes: ['fetch'] as const }]
    const { open } = await start({ others }, { apiKey: key })
    const error = await failure(open())
    expect(error).toBeInstanceOf(Ostler.InsufficientScopeError)
    expect(error).toMatchObject({ code: 'INSUFFICIENT_SCOPE', details: { needed: 'ws' } })
  })

  test('wrong fields', async () => {
    const { open } = await start()
    const error = await failure(open({ idle_timeout: -1 }))
    expect(error).toBeInstanceOf(Ostler.ValidationError)
    expect(error).toMatchObject({ fields: [{ path: 'message.idle_timeout' }] })
  })

  test('too many at once', async () => {
    const { open } = await start({ permits: 1 })
    await open()
    const error = await failure(open())
    expect(error).toBeInstanceOf(Ostler.RateLimitError)
    expect((error as InstanceType<typeof Ostler.RateLimitError>).retryAfter).toBeGreaterThan(0)
  })

  test('no agent', async () => {
    const { open } = await start({ agents: [] })
    expect(await failure(open())).toBeInstanceOf(Ostler.NoAgentAvailableError)
  })

  test('a target that is not there', async () => {
    const { client } = await start()
    const error = await failure(client.ws(`ws://127.0.0.1:${await freePort()}/`))
    expect(error).toBeInstanceOf(Ostler.InternalServerError)
    expect(error).toMatchObject({ code: 'BAD_GATEWAY' })
  })

  test('a target that does not answer', async () => {
    const silent = await serve(() => undefined)
    const { client } = await start({ sockets: { openWithinMs: 200 } })
    expect(await failure(client.ws(`ws://127.0.0.1:${silent.port}/`))).toMatchObject({
      name: 'TargetTimeoutError',
      status: 504,
    })
  })
})

describe('opening', () => {
  test('is tried again where that helps', async () => {
    const { open } = await start({ permits: 1 }, { maxRetries: 1, runtime: soon() })
    const first = await open()
    const second = open()
    await first.close()
    expect((await second).agent).toBe('de1')
  })

  test('is an error where nobody listens', async () => {
    const baseUrl = `http://127.0.0.1:${await freePort()}`
    const { open } = await start({}, { baseUrl })
    expect(await failure(open())).toBeInstanceOf(Ostler.APIConnectionError)
  })

  test.each([
    ['no JSON', 'hello'],
    ['another thing', '{"type":"hello"}'],
    ['half of an answer', '{"type":"connected"}'],
    ['half of an error', '{"type":"error","code":7}'],
  ])('is an error where the first message is %s', async (_, text) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    afterwards(async () => {
      server.close()
    })
    server.on('connection', (socket) => socket.send(text))
    const { port } = server.address() as { readonly port: number }
    const { client } = await start({}, { baseUrl: `http://127.0.0.1:${port}` })
    const error = await failure(client.ws('ws://shop.example/'))
    expect(error).toBeInstanceOf(Ostler.APIError)
    expect(error).toMatchObject({ code: 'INVALID_ANSWER', excerpt: text })
    await until('it was closed', () => server.clients.size === 0)
  })

  test.each(['before it is open', 'before it is answered'])('can be given up %s', async (when) => {
    const silent = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(silent, 'listening')
    const deaf = await serve((socket) => socket.resume())
    afterwards(async () => {
      silent.close()
    })
    const { port } = when === 'before it is open' ? deaf : (silent.address() as { port: number })
    const { client } = await start({}, { baseUrl: `http://127.0.0.1:${port}` })
    const controller = new AbortController()
    const reason = new Error('enough')
    const failed = failure(client.ws('ws://shop.example/', { signal: controller.signal }))
    await until('it is connected', () => deaf.sockets.length + silent.clients.size > 0)
    controller.abort(reason)
    expect(await failed).toMatchObject({ name: 'APIAbortError', cause: reason })
    await until('it is let go', () => {
      return silent.clients.size === 0 && deaf.sockets.every((socket) => socket.destroyed)
    })
  })

  test('takes the time of an attempt at most', async () => {
    const deaf = await serve(() => undefined)
    const { client } = await start({}, { baseUrl: `http://127.0.0.1:${deaf.port}` })
    const error = await failure(client.ws('ws://shop.example/', { timeoutMs: 100 }))
    expect(error).toBeInstanceOf(Ostler.APITimeoutError)
  })

  test('says what is missing where there is no WebSocket', async () => {
    const original = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket')
    Object.defineProperty(globalThis, 'WebSocket', { value: undefined, configurable: true })
    try {
      const client = new Ostler({ apiKey: 'ak_test_x' })
      const error = await failure(client.ws('ws://shop.example/'))
      expect(error).toMatchObject({ name: 'OstlerError', code: 'INVALID_OPTIONS' })
      expect((error as Error).message).toContain("import { WebSocket } from 'ws'")
    } finally {
      if (original === undefined) Reflect.deleteProperty(globalThis, 'WebSocket')
      else Object.defineProperty(globalThis, 'WebSocket', original)
    }
  })
})

/** The machine's time, and waits of a twentieth. */
function soon(): NonNullable<ClientOptions['runtime']> {
  return {
    nowMs: () => Date.now(),
    random: () => 1,
    after(ms, callback) {
      const timer = setTimeout(callback, ms / 20)
      return () => clearTimeout(timer)
    },
  }
}
