import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { Ostler, type CallOptions, type ClientOptions } from '@ostler/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serve, type Listening } from '../gateway/rig/sockets.ts'
import { until } from '../servers/until.ts'
import { cut, fine, later, MESSAGE, scripted, told } from './rig/script.ts'

/** Whatever goes wrong, nobody may hear of it but the caller. */
const unhandled: unknown[] = []
const hear = (error: unknown): void => void unhandled.push(error)
let servers: Listening[] = []
/** Connections that were asked for something: after an abort Node's `fetch` opens another one in advance. */
let asked: Socket[] = []
let timersBefore = 0

beforeEach(() => {
  timersBefore = timers()
  unhandled.length = 0
  process.on('unhandledRejection', hear)
  process.on('uncaughtException', hear)
})

afterEach(async () => {
  // Nothing that is still to come may keep a connection or a timer either.
  await until('every connection has ended', () => asked.every((socket) => socket.destroyed))
  await until('every timer has ended', () => timers() <= timersBefore + 1)
  process.off('unhandledRejection', hear)
  process.off('uncaughtException', hear)
  expect(unhandled).toEqual([])
  for (const server of servers) await server.close()
  servers = []
  asked = []
})

/** Those that keep the process alive; `until` has one itself. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}

/** A server that does with each request as told, and a client of it. */
async function against(
  behaviour: (socket: Socket) => void,
  options: ClientOptions = {},
): Promise<{ readonly client: Ostler; readonly server: Listening }> {
  const server = await serve((socket) =>
    socket.once('data', () => {
      asked.push(socket)
      behaviour(socket)
    }),
  )
  servers.push(server)
  const baseUrl = `http://127.0.0.1:${server.port}`
  const client = new Ostler({ apiKey: 'ak_test_hush', baseUrl, maxRetries: 0, ...options })
  return { client, server }
}

function head(status: number, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} Odd\r\nconnection: close\r\n${lines.join('')}\r\n`
}

/** A whole answer, whose connection then ends. */
function answer(
  status: number,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string | number>> = {},
): (socket: Socket) => void {
  const length = Buffer.byteLength(body)
  const all = { 'content-type': 'application/json', 'content-length': length, ...headers }
  return (socket) => {
    socket.write(head(status, all))
    socket.end(body)
  }
}

/** Sends without end, as fast as it is taken. */
function endless(status: number, type: string, chunk: string): (socket: Socket) => void {
  return (socket) => {
    socket.write(head(status, { 'content-type': type }))
    const more = (): void => {
      while (!socket.destroyed && socket.write(chunk)) continue
    }
    socket.on('drain', more)
    more()
  }
}

async function failure(call: PromiseLike<unknown>): Promise<InstanceType<typeof Ostler.APIError>> {
  try {
    await call
  } catch (error) {
    return error as InstanceType<typeof Ostler.APIError>
  }
  throw new Error('it did not fail')
}

async function failureOf(
  behaviour: (socket: Socket) => void,
  options: ClientOptions = {},
  call: CallOptions = {},
): Promise<InstanceType<typeof Ostler.APIError>> {
  const { client } = await against(behaviour, options)
  return failure(client.usage(call))
}

const PAGE = `<html><title>502</title>${'<p>Bad gateway</p>'.repeat(200)}</html>`
const HTML = { 'content-type': 'text/html' }

describe('an answer that is none', () => {
  test('a page with an error is told by its status, and with its first 512 bytes', async () => {
    const error = await failureOf(answer(502, PAGE, { ...HTML, 'x-request-id': 'lb-7' }))
    expect(error).toBeInstanceOf(Ostler.InternalServerError)
    expect(error).toMatchObject({ status: 502, code: 'INVALID_ANSWER', requestId: 'lb-7' })
    expect(error.excerpt).toBe(PAGE.slice(0, 512))
    expect(error.message).toContain('text/html')
    expect(error.message).not.toContain('<p>')
  })

  test('a page with 200', async () => {
    const error = await failureOf(answer(200, PAGE, HTML))
    expect(error).toBeInstanceOf(Ostler.APIError)
    expect(error).toMatchObject({
      status: 200,
      code: 'INVALID_ANSWER',
      excerpt: PAGE.slice(0, 512),
    })
  })

  test('JSON that ends in the middle', async () => {
    const error = await failureOf(answer(200, '{"key": {"id": "k", '))
    expect(error).toMatchObject({ code: 'INVALID_ANSWER', excerpt: '{"key": {"id": "k", ' })
  })

  test.each(['null', '[]', '7', '"text"', '', '{}'])('JSON that is no answer: %j', async (body) => {
    expect(await failureOf(answer(200, body))).toMatchObject({
      code: 'INVALID_ANSWER',
      excerpt: body,
    })
  })

  test('wrong types are told by their field', async () => {
    const body = JSON.stringify({ key: { id: 'k', tier: 7 }, sinceMs: 1 })
    const error = await failureOf(answer(200, body))
    expect(error.code).toBe('INVALID_ANSWER')
    expect(error.message).toContain('it.key.tier must be of type string, is number')
  })

  test.each([
    { error: 'no' },
    { error: { code: 7, message: 'm', details: {} }, meta: { requestId: 'r' } },
    { error: { code: 'RATE_LIMITED', message: {}, details: {} }, meta: { requestId: 'r' } },
    { error: { code: 'RATE_LIMITED', message: 'm', details: [] }, meta: { requestId: 'r' } },
    { error: { code: 'RATE_LIMITED', message: 'm', details: {} }, meta: null },
    null,
  ])('an error of wrong types: %j', async (body) => {
    const error = await failureOf(answer(429, JSON.stringify(body)))
    expect(error).toBeInstanceOf(Ostler.RateLimitError)
    expect(error).toMatchObject({ code: 'INVALID_ANSWER', excerpt: JSON.stringify(body) })
  })

  test.each([
    ['absent', undefined, 1],
    ['no number', '10', 1],
    ['no place', 0.5, 1],
    ['always the same', 10, 2],
  ])('pages whose next one is %s do not go on without end', async (_, next, pages) => {
    const page = answer(200, JSON.stringify({ total: 1, agents: [{ id: 'a' }], next }))
    const { client } = await against(page)
    let count = 0
    const error = await failure(
      (async () => {
        for await (const _agent of client.network.agents()) if (++count > 9) return
      })(),
    )
    expect(error).toMatchObject({ name: 'APIError', code: 'INVALID_ANSWER' })
    expect(count).toBe(pages)
  })

  test('an envelope says no more than it may', async () => {
    const more = { excerpt: 'x', status: 7, retryAfter: 9, headers: 1, requestId: 'r2', cause: 'c' }
    const error = { code: 'CONFLICT', message: 'm', details: {}, ...more }
    const told = await failureOf(answer(409, JSON.stringify({ error, meta: { requestId: 'r' } })))
    expect(told).toMatchObject({ status: 409, retryAfter: null, requestId: 'r', excerpt: null })
    expect(told.headers).toBeInstanceOf(Headers)
    expect(told.cause).toBeUndefined()
  })

  test('a code of a later version keeps its name, and gets its class by the status', async () => {
    const body = {
      error: { code: 'TOO_EARLY', message: 'm', details: {} },
      meta: { requestId: 'r' },
    }
    const error = await failureOf(answer(409, JSON.stringify(body)))
    expect(error).toBeInstanceOf(Ostler.ConflictError)
    expect(error).toMatchObject({ code: 'TOO_EARLY', excerpt: null })
  })

  test.each(['__proto__', 'constructor', 'toString'])('a code of %s is a code', async (code) => {
    const body = { error: { code, message: 'm', details: {} }, meta: { requestId: 'r' } }
    const error = await failureOf(answer(400, JSON.stringify(body)))
    expect(error).toBeInstanceOf(Ostler.BadRequestError)
    expect(error.code).toBe(code)
  })

  test.each(['soon', '', '9'.repeat(30), '-1e400'])(
    'limits that are none are null: %j',
    async (odd) => {
      const body = {
        error: { code: 'RATE_LIMITED', message: 'm', details: {} },
        meta: { requestId: 'r' },
      }
      const headers = {
        'x-ratelimit-limit': 'many',
        'x-ratelimit-remaining': '',
        'x-ratelimit-reset': odd,
        'retry-after': 'later',
      }
      const error = await failureOf(answer(429, JSON.stringify(body), headers))
      expect(error).toMatchObject({ limit: null, remaining: null, resetAt: null, retryAfter: null })
    },
  )

  test.each(['999999999999999', '1'.repeat(400), '-1', '1e9', 'NaN', 'Infinity'])(
    'Retry-After: %s is not slept through',
    async (retryAfter) => {
      const { client, server } = await against(answer(503, PAGE, { 'retry-after': retryAfter }), {
        maxRetries: 1,
        runtime: { ...quick(), random: () => 0 },
      })
      const startMs = performance.now()
      const error = await failure(client.usage())
      expect(error).toMatchObject({ status: 503, code: 'INVALID_ANSWER' })
      expect(performance.now() - startMs).toBeLessThan(5_000)
      // So long a time is told, as far as a number can; what is no time is none.
      const isTime = /^\d+$/.test(retryAfter)
      const told = Math.min(Number(retryAfter), Number.MAX_SAFE_INTEGER)
      expect(error.retryAfter).toBe(isTime ? told : null)
      expect(server.sockets.length).toBe(isTime ? 1 : 2)
    },
  )

  test('bytes that are no text are no trouble', async () => {
    const error = await failureOf(answer(500, new Uint8Array(600).fill(0xff)))
    expect(error.excerpt).toBe('\uFFFD'.repeat(512))
  })

  test('a redirect is not followed: the key stays here', async () => {
    const elsewhere = await serve(() => undefined)
    servers.push(elsewhere)
    const location = `http://127.0.0.1:${elsewhere.port}/usage`
    const error = await failureOf(answer(307, '', { location }))
    expect(error).toMatchObject({ status: 307, code: 'REDIRECTED' })
    expect(error.message).toContain(location)
    expect(elsewhere.sockets).toHaveLength(0)
  })

  test('a redirect is told without its query, which may hold the target', async () => {
    const location = 'https://gateway.example/debug/pick?url=http%3A%2F%2Fhush.example'
    const error = await failureOf(answer(308, '', { location }))
    expect(error.message).toContain('https://gateway.example/debug/pick')
    expect(error.message).not.toContain('hush')
  })

  test.each([
    ['a redirect', 307, '', 'REDIRECTED'],
    ['a page', 503, PAGE, 'INVALID_ANSWER'],
    ['wrong types', 200, '{}', 'INVALID_ANSWER'],
    ['what is too long', 200, `"${'x'.repeat(3000)}"`, 'ANSWER_TOO_LARGE'],
  ])('%s names its request, where its headers do', async (_, status, body, code) => {
    const error = await failureOf(answer(status, body, { 'x-request-id': 'req_7' }), {
      maxAnswerBytes: 2048,
    })
    expect(error).toMatchObject({ code, requestId: 'req_7' })
  })

  test('a circle of redirects is one redirect', async () => {
    const { client, server } = await against(answer(302, '', { location: '/usage' }), {
      maxRetries: 3,
    })
    expect(await failure(client.usage())).toMatchObject({ code: 'REDIRECTED' })
    expect(server.sockets).toHaveLength(1)
  })
})

describe('an answer without end', () => {
  test('is read up to the bound, and the connection is let go', async () => {
    const error = await failureOf(endless(200, 'application/json', `"${'x'.repeat(65_536)}`), {
      maxAnswerBytes: 1_000_000,
    })
    expect(error).toMatchObject({ status: 200, code: 'ANSWER_TOO_LARGE' })
    expect(error.excerpt).toHaveLength(512)
  })

  test('of an error is read up to a bound as well', async () => {
    const error = await failureOf(endless(503, 'text/plain', 'no '.repeat(20_000)))
    expect(error).toBeInstanceOf(Ostler.InternalServerError)
    expect(error).toMatchObject({ status: 503, code: 'INVALID_ANSWER' })
    expect(error.excerpt).toHaveLength(512)
  })

  test('that is small while it is compressed', async () => {
    const pressed = gzipSync(Buffer.alloc(50_000_000, 'x'))
    expect(pressed.length).toBeLessThan(100_000)
    const error = await failureOf(answer(200, pressed, { 'content-encoding': 'gzip' }), {
      maxAnswerBytes: 1_000_000,
    })
    expect(error).toMatchObject({ code: 'ANSWER_TOO_LARGE' })
  })

  test('that comes when its time is over is let go', async () => {
    let isLetGo = false
    const body = new ReadableStream({ cancel: () => void (isLetGo = true) })
    const late = later(1_000, () => new Response(body))
    const { client, runtime } = scripted([late], { maxRetries: 0, timeoutMs: 500 })
    const result = await runtime.settle(client.usage())
    expect(result).toMatchObject({ reason: { name: 'APITimeoutError' } })
    expect(isLetGo).toBe(false)
    await runtime.settle(runtime.wait(1_000))
    expect(isLetGo).toBe(true)
  })

  test('that comes byte by byte is over with the time of the attempt', async () => {
    const error = await failureOf(
      (socket) => {
        socket.write(head(200, { 'content-type': 'application/json' }))
        const drip = setInterval(() => socket.write(' '), 20)
        socket.once('close', () => clearInterval(drip))
      },
      { timeoutMs: 200 },
    )
    expect(error).toBeInstanceOf(Ostler.APITimeoutError)
  })
})

describe('a connection that', () => {
  test.each([
    ['closes at once', (socket: Socket) => socket.destroy()],
    ['ends without an answer', (socket: Socket) => socket.end()],
    ['speaks no HTTP', (socket: Socket) => socket.end('220 mail.example ESMTP\r\n')],
    ['closes amid the headers', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-ty')],
    [
      'closes amid the body',
      (socket: Socket) => {
        socket.write(head(200, { 'content-type': 'application/json', 'content-length': 100 }))
        socket.end('{"key": ')
      },
    ],
    [
      'is reset amid the body of an error',
      (socket: Socket) => {
        socket.write(head(500, { 'content-type': 'application/json', 'content-length': 100 }))
        socket.write('{"error": ', () => socket.resetAndDestroy())
      },
    ],
  ])('%s is no answer', async (_, behaviour) => {
    const error = await failureOf(behaviour)
    expect(error).toBeInstanceOf(Ostler.APIConnectionError)
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', cause: expect.any(Error) })
  })

  test('says nothing is over with the time of the attempt', async () => {
    const error = await failureOf(() => undefined, { timeoutMs: 100 })
    expect(error).toMatchObject({ name: 'APITimeoutError', timeoutMs: 100 })
  })

  test('has slow headers is over with the time of the attempt', async () => {
    const error = await failureOf(
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n')
        const drip = setInterval(() => socket.write('x-drip: 1\r\n'), 20)
        socket.once('close', () => clearInterval(drip))
      },
      { timeoutMs: 200 },
    )
    expect(error).toBeInstanceOf(Ostler.APITimeoutError)
  })

  test.each([
    ['amid the headers', ''],
    ['amid the body', head(200, { 'content-type': 'application/json', 'content-length': 9 })],
  ])('hangs %s is let go when the caller gives up', async (_, said) => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const error = await failureOf(
      (socket) => {
        if (said !== '') socket.write(said)
        setTimeout(() => controller.abort(reason), 50)
      },
      {},
      { signal: controller.signal },
    )
    expect(error).toMatchObject({ name: 'APIAbortError', cause: reason })
  })

  test('fails in a call that nobody waits for troubles only who waits', async () => {
    const { client } = await against((socket) => socket.destroy())
    const call = client.usage()
    // Only one of the ways to look at it is taken.
    await expect(call.asResponse()).rejects.toThrow(Ostler.APIConnectionError)
    await expect(client.usage().withResponse()).rejects.toThrow(Ostler.APIConnectionError)
    await expect(client.network.agents().pages().next()).rejects.toThrow(Ostler.APIConnectionError)
  })
})

describe('a stream of events that', () => {
  const STREAM = { 'content-type': 'text/event-stream' }
  const ready = told('ready', { stream: 'st_1', agent: { id: 'a', country: null }, queue: 'q' })
  const message = told('message', MESSAGE)

  /** What going through a queue's messages comes to. */
  async function consumed(
    behaviour: (socket: Socket) => void,
    options: ClientOptions = {},
  ): Promise<unknown> {
    const { client } = await against(behaviour, options)
    const deliveries: string[] = []
    try {
      for await (const { delivery } of client.amqp.consume({
        url: 'amqp://b.example',
        queue: 'q',
      })) {
        deliveries.push(delivery)
      }
    } catch (error) {
      return error
    }
    return deliveries
  }

  const says =
    (text: string, headers: Readonly<Record<string, string>> = {}) =>
    (socket: Socket): void => {
      socket.write(head(200, { ...STREAM, ...headers }))
      socket.end(text)
    }

  test('ends as it should is whole, whatever else it says', async () => {
    const end = 'event: end\ndata: {"reason":"shutdown","messages":1}\n\n'
    const other = ': alive\n\nevent: other\ndata: {}\n\nretry: 7\nunknown: x\n\n'
    expect(await consumed(says(ready + other + message + end))).toEqual(['1'])
  })

  test('breaks off is told so', async () => {
    expect(await consumed(says(ready))).toBeInstanceOf(Ostler.APIConnectionError)
  })

  test('is cut off is told so', async () => {
    const error = await consumed((socket) => {
      socket.write(`${head(200, { ...STREAM, 'transfer-encoding': 'chunked' })}5\r\n: ali`)
      socket.end()
    })
    expect(error).toBeInstanceOf(Ostler.APIConnectionError)
  })

  test('is no stream', async () => {
    const error = await consumed(answer(200, PAGE, HTML))
    expect(error).toMatchObject({ code: 'INVALID_ANSWER', excerpt: PAGE.slice(0, 512) })
  })

  test('says what is no JSON has said what came before', async () => {
    const page = `<p>${'€'.repeat(512)}`
    const { client } = await against(
      says(`${ready}${message}event: message\ndata: ${page}\n\n`, { 'x-request-id': 'req_7' }),
    )
    const stream = client.amqp.consume({ url: 'amqp://b.example', queue: 'q' })
    const messages = stream[Symbol.asyncIterator]()
    expect(await messages.next()).toMatchObject({ value: { delivery: '1' } })
    const error = await failure(messages.next())
    // 512 bytes of it: the last character is cut.
    const excerpt = `<p>${'€'.repeat(169)}\uFFFD`
    expect(error).toMatchObject({ code: 'INVALID_ANSWER', requestId: 'req_7', excerpt })
  })

  test.each([
    ['ready', null],
    ['ready', { stream: 7, queue: 'q' }],
    ['message', 'Oats'],
    ['message', { ...MESSAGE, delivery: 1 }],
    ['message', { ...MESSAGE, properties: [] }],
    ['error', null],
    ['error', { code: 'AGENT_LOST', message: 'm', severity: 'fatal', final: 'yes' }],
    ['end', null],
    ['end', []],
  ])('has an event %s of wrong types: %j', async (event, data) => {
    const error = await consumed(says(ready + told(event, data)))
    expect(error).toMatchObject({ name: 'APIError', code: 'INVALID_ANSWER' })
    expect(error).toMatchObject({ excerpt: JSON.stringify(data) })
    expect(String(error)).toContain(event)
  })

  test.each([['health'], ['error']])('is a watch, and has a wrong event %s', async (event) => {
    const { client } = await against(says(told(event, { domain: 'shop.example', error: {} })))
    const error = await failure(client.network.watch('shop.example').next())
    expect(error).toMatchObject({ name: 'APIError', code: 'INVALID_ANSWER' })
  })

  test('is given up says no more, whatever had come by then', async () => {
    const { client } = await against(says(ready + message + message + message))
    const controller = new AbortController()
    const { signal } = controller
    const stream = client.amqp.consume({ url: 'amqp://b.example', queue: 'q', signal })
    let count = 0
    const error = await failure(
      (async () => {
        for await (const _ of stream) {
          count++
          controller.abort(new Error('enough'))
        }
      })(),
    )
    expect(error).toMatchObject({ name: 'APIAbortError', cause: { message: 'enough' } })
    expect(count).toBe(1)
  })

  test('has an event without end is read up to the bound', async () => {
    const error = await consumed(
      endless(200, STREAM['content-type'], `data: ${'x'.repeat(65_536)}`),
      {
        maxAnswerBytes: 1_000_000,
      },
    )
    expect(error).toMatchObject({ code: 'ANSWER_TOO_LARGE' })
  })

  test('has a message whose settlement is lost, which is not sent again', async () => {
    const stream = () => new Response(ready + message, { headers: STREAM })
    const { client, runtime, attempts } = scripted([stream, cut, fine], { maxRetries: 3 })
    const messages = client.amqp.consume({ url: 'amqp://b.example', queue: 'q' })
    const { value } = await messages[Symbol.asyncIterator]().next()
    const result = await runtime.settle(value!.settle('ack'))
    expect(result).toMatchObject({ reason: { name: 'APIConnectionError' } })
    expect(attempts).toHaveLength(2)
  })

  test('falls silent is given up', async () => {
    const error = await consumed((socket) => socket.write(head(200, STREAM) + ready), {
      runtime: quick(),
    })
    expect(error).toMatchObject({ name: 'APITimeoutError', timeoutMs: 60_000 })
  })
})

/** The machine's time, a hundred times as fast. */
function quick(): NonNullable<ClientOptions['runtime']> {
  return {
    nowMs: () => Date.now(),
    random: () => 1,
    after(ms, callback) {
      const timer = setTimeout(callback, ms / 100)
      return () => clearTimeout(timer)
    },
  }
}
