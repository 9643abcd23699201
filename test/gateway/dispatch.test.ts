import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import {
  AbortFailure,
  AgentFailure,
  createDispatcher,
  createGuard,
  DispatchFailure,
  RequestFailure,
  TargetFailure,
  TimeoutFailure,
  type CheckedTarget,
  type DispatchAnswer,
  type Dispatcher,
  type DispatcherOptions,
  type DispatchRequest,
} from '@ostler/gateway'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../servers/ports.ts'
import { until } from '../servers/until.ts'
import { CERTIFICATE, KEY, TRUSTING } from './rig/certificate.ts'
import { failureOf, startForwardProxy } from './rig/forward-proxy.ts'
import { listen, serve, type Behaviour, type Listening } from './rig/sockets.ts'
import { serveSocks } from './rig/socks-server.ts'

const dispatchers: Dispatcher[] = []

afterEach(async () => {
  for (const dispatcher of dispatchers.splice(0)) dispatcher.close()
})

function dispatcher(options: DispatcherOptions = {}): Dispatcher {
  const made = createDispatcher({ targetContext: TRUSTING, agentContext: TRUSTING, ...options })
  dispatchers.push(made)
  return made
}

/** `secure.example` and `plain.example` are this machine. */
const guard = createGuard({
  allow: ['127.0.0.0/8', 'secure.example', 'plain.example'],
  resolve: async () => ['127.0.0.1'],
})

async function at(url: string): Promise<CheckedTarget> {
  return guard.check(guard.parse(url))
}

type Given = Partial<Omit<DispatchRequest, 'target'>>

async function send(
  by: Dispatcher,
  agentUrl: string | undefined,
  url: string,
  given: Given = {},
): Promise<DispatchAnswer> {
  const agent = agentUrl === undefined ? { id: 'a' } : { id: 'a', url: agentUrl }
  return by.send(agent, { target: await at(url), method: 'GET', timeoutMs: 5_000, ...given })
}

interface Target extends Listening {
  /** As they came: method, path and raw headers. */
  readonly requests: readonly IncomingMessage[]
  readonly bodies: readonly string[]
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

async function target(
  handler: Handler = (_, response) => void response.end('hello'),
  { tls = false } = {},
): Promise<Target> {
  const requests: IncomingMessage[] = []
  const bodies: string[] = []
  const handle: Handler = (request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      requests.push(request)
      bodies.push(body)
      handler(request, response)
    })
  }
  const server = tls
    ? createSecureServer({ key: KEY, cert: CERTIFICATE }, handle)
    : createServer(handle)
  // Connections are closed by who is tested.
  server.keepAliveTimeout = 60_000
  return { ...(await listen(server)), requests, bodies }
}

/** A target that answers every request with these bytes. */
async function answering(answer: string | Buffer, then: Behaviour = () => {}): Promise<Listening> {
  return serve((socket) => void socket.on('data', () => socket.write(answer, () => then(socket))))
}

const end: Behaviour = (socket) => void socket.end()

describe('a request', () => {
  it.each(['http', 'https'] as const)(
    'reaches an %s target by every kind of agent',
    async (scheme) => {
      const to = await target(undefined, { tls: scheme === 'https' })
      const open = await startForwardProxy()
      const closed = await startForwardProxy('p@ss')
      const socks = await serveSocks({ username: 'me', password: 'p@ss' })
      const by = dispatcher()
      for (const agent of [
        undefined,
        'direct',
        `http://127.0.0.1:${open.port}`,
        `http://me:p%40ss@127.0.0.1:${closed.port}`,
        `socks5://me:p%40ss@127.0.0.1:${socks.port}`,
      ]) {
        const url = `${scheme}://${scheme === 'https' ? 'secure' : 'plain'}.example:${to.port}/a?b=c`
        const answer = await send(by, agent, url)
        expect([answer.status, Buffer.from(answer.body).toString()], agent).toEqual([200, 'hello'])
        expect(to.requests.at(-1)?.url).toBe('/a?b=c')
        expect(to.requests.at(-1)?.headers.host).toBe(new URL(url).host)
      }
      expect(open.seen).toEqual([`CONNECT 127.0.0.1:${to.port}`])
      expect(socks.asked).toEqual([{ host: '127.0.0.1', port: to.port }])
    },
  )

  it('reaches a target by a proxy that is spoken to over TLS', async () => {
    const { connect } = await import('node:net')
    const inner = await startForwardProxy()
    const outer = await serve(
      (socket) => {
        const onward = connect(inner.port, '127.0.0.1')
        onward.on('error', () => socket.destroy())
        socket.on('close', () => onward.destroy())
        socket.pipe(onward).pipe(socket)
      },
      { tls: true },
    )
    const agent = `https://127.0.0.1:${outer.port}`
    for (const tls of [false, true]) {
      const to = await target(undefined, { tls })
      const url = tls ? `https://secure.example:${to.port}` : `http://plain.example:${to.port}`
      for (const resolveAt of ['gateway', 'agent'] as const) {
        // The proxy cannot look up the example names.
        const known = resolveAt === 'agent' ? url.replace(/\/\/\w+\.example/, '//127.0.0.1') : url
        expect((await send(dispatcher({ resolveAt }), agent, known)).status).toBe(200)
      }
    }
  })

  it('goes in absolute form where agents are trusted to resolve names', async () => {
    const to = await target()
    const { port, seen } = await startForwardProxy('p@ss')
    const by = dispatcher({ resolveAt: 'agent' })
    const agent = `http://me:p%40ss@127.0.0.1:${port}`
    const answer = await send(by, agent, `http://127.0.0.1:${to.port}/a?b=c#d`)
    expect([answer.status, Buffer.from(answer.body).toString()]).toEqual([200, 'hello'])
    expect(seen).toEqual([`GET http://127.0.0.1:${to.port}/a?b=c`])
    expect(to.requests[0].headers['proxy-authorization']).toBeUndefined()
    const refused = await failureOf(
      send(by, `http://127.0.0.1:${port}`, `http://127.0.0.1:${to.port}`),
    )
    expect(refused).toMatchObject({ kind: 'agent', reason: 'auth' })
  })

  it('names its host as a URL does: without the port that is the scheme’s own', async () => {
    const heads: string[] = []
    const agent = await serve((socket) =>
      socket.on('data', (chunk: Buffer) => {
        heads.push(chunk.toString())
        const isConnect = heads.length % 2 === 1
        socket.write(isConnect ? 'HTTP/1.1 200 OK\r\n\r\n' : 'HTTP/1.1 204 No\r\n\r\n')
      }),
    )
    const by = dispatcher()
    for (const host of [
      'plain.example',
      'plain.example:81',
      '[2606:4700::1]',
      '[2606:4700::1]:81',
    ]) {
      await send(by, `http://127.0.0.1:${agent.port}`, `http://${host}`)
      expect(heads.at(-1)).toContain(`\r\nhost: ${host}\r\n`)
    }
    expect(heads[0]).toContain('CONNECT 127.0.0.1:80 HTTP/1.1\r\nhost: 127.0.0.1:80\r\n')
    expect(heads[6]).toContain('CONNECT [2606:4700::1]:81 HTTP/1.1\r\n')
  })

  it('is sent with its method, headers and body, each once', async () => {
    const to = await target()
    await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`, {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain', 'Content-Length': '99', 'X-Many': ['a', 'b'] },
      body: Buffer.from('body'),
    })
    expect(to.bodies).toEqual(['body'])
    const [{ method, rawHeaders }] = to.requests
    expect(method).toBe('POST')
    const lines = rawHeaders.map((text, i) => (i % 2 === 0 ? text : `: ${text}\n`)).join('')
    expect(lines.split('\n')).toEqual([
      `host: 127.0.0.1:${to.port}`,
      'connection: keep-alive',
      'Content-Type: text/plain',
      'X-Many: a',
      'X-Many: b',
      expect.stringContaining('accept-encoding: gzip, deflate, br'),
      'content-length: 4',
      '',
    ])
  })

  it('never carries what is for one hop, for the gateway, or about the caller', async () => {
    const kept = ['X-Mine', 'Authorization', 'Cookie', 'User-Agent', 'Accept-Encoding']
    const dropped = [
      'Connection Keep-Alive Proxy-Connection TE Trailer Transfer-Encoding Upgrade Expect Host',
      'Proxy-Authorization Proxy-Authenticate Proxy-Foo X-API-Key X-Target-URL X-Geo X-Session',
      'Idempotency-Key X-Request-Id Forwarded Via X-Forwarded-For X-Forwarded-Host X-Forwarded-Foo',
      'CF-Connecting-IP CF-Ray X-Real-IP True-Client-IP X-Named x-named-too',
    ].flatMap((names) => names.split(' '))
    const headers = Object.fromEntries([...kept, ...dropped].map((name) => [name, 'secret']))
    headers['Connection'] = 'close, X-Named,x-NAMED-too'
    const to = await target()
    await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`, { headers })
    const [{ rawHeaders }] = to.requests
    const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
    expect(names.sort()).toEqual(['connection', 'host', ...kept.map((n) => n.toLowerCase())].sort())
    expect(to.requests[0].headers.connection).toBe('keep-alive')
    expect(to.requests[0].headers.host).toBe(`127.0.0.1:${to.port}`)
  })

  it('never carries a key of the gateway, and carries what else a target is to know', async () => {
    const to = await target()
    const by = dispatcher()
    for (const authorization of [
      'Bearer ak_live_x',
      'bearer  ak_test_x',
      'ak_live_x',
      'Bearer mine',
    ]) {
      await send(by, undefined, `http://127.0.0.1:${to.port}`, { headers: { authorization } })
    }
    const sent = to.requests.map(({ headers }) => headers.authorization)
    expect(sent).toEqual([undefined, undefined, undefined, 'Bearer mine'])
  })

  it.each([
    [{ method: 'CONNECT' }, 'method'],
    [{ method: 'TRACE' }, 'method'],
    [{ method: 'get' }, 'method'],
    [{ method: 'GET / HTTP/1.1\r\nx: y' }, 'method'],
    [{ headers: { 'x\r\ny': 'z' } }, 'headers'],
    [{ headers: { x: 'y\r\nz: a' } }, 'headers'],
    [{ headers: { x: 'y\0' } }, 'headers'],
  ] as const)('that cannot be sent is nobody else’s fault: %j', async (given, reason) => {
    const to = await target()
    const failed = await failureOf(
      send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`, given),
    )
    expect(failed).toBeInstanceOf(RequestFailure)
    expect(failed.reason).toBe(reason)
    expect(to.requests).toEqual([])
  })
})

describe('an answer', () => {
  it('has its status, all values of its headers, and its body', async () => {
    const to = await target((_, response) => {
      response.writeHead(404, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-One', 'x'])
      response.end('gone')
    })
    const answer = await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`)
    expect(answer.status).toBe(404)
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(answer.headers['x-one']).toBe('x')
    expect(Buffer.from(answer.body).toString()).toBe('gone')
    expect(answer.truncated).toBe(false)
    const { connect, firstByte, total } = answer.timingMs
    expect(connect).toBeGreaterThan(0)
    expect(firstByte).toBeGreaterThanOrEqual(connect)
    expect(total).toBeGreaterThanOrEqual(firstByte)
  })

  it('of 407 is the target’s own, behind a tunnel', async () => {
    const to = await target((_, response) => void response.writeHead(407).end())
    const { port } = await startForwardProxy()
    const url = `http://127.0.0.1:${to.port}`
    expect((await send(dispatcher(), `http://127.0.0.1:${port}`, url)).status).toBe(407)
  })

  it('is a redirect where the target redirects', async () => {
    const to = await target((_, response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/' })
      response.end()
    })
    const answer = await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`)
    expect([answer.status, answer.headers['location']]).toEqual([302, 'http://169.254.169.254/'])
    expect(to.requests.length).toBe(1)
  })

  it('says nothing of the hop', async () => {
    const to = await answering(
      'HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nKeep-Alive: timeout=9\r\nX-Hop: 1\r\n' +
        'Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: x\r\nX-Kept: 1\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
      end,
    )
    const answer = await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`)
    expect(answer.headers).toEqual({ 'x-kept': '1' })
    expect(Buffer.from(answer.body).toString()).toBe('hi')
  })

  it('may have headers of any name', async () => {
    const to = await answering(
      'HTTP/1.1 200 OK\r\n__proto__: a\r\nconstructor: b\r\ntoString: c\r\nhasOwnProperty: d\r\n' +
        '__proto__: e\r\nContent-Length: 2\r\n\r\nhi',
    )
    const answer = await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`)
    expect(Object.entries(answer.headers)).toEqual([
      ['__proto__', ['a', 'e']],
      ['constructor', 'b'],
      ['tostring', 'c'],
      ['hasownproperty', 'd'],
      ['content-length', '2'],
    ])
    expect(Object.getPrototypeOf(answer.headers)).toBe(Object.prototype)
  })

  it('comes after informational ones', async () => {
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(3)
    const to = await answering(`${hints}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi`)
    const answer = await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`)
    expect(answer).toMatchObject({ status: 200, headers: { 'content-length': '2' } })
  })

  it('without a length ends where the target closes', async () => {
    const to = await answering('HTTP/1.0 200 OK\r\n\r\nhello', end)
    const answer = await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`)
    expect(Buffer.from(answer.body).toString()).toBe('hello')
  })

  it('to HEAD has no body, whatever its length says', async () => {
    const to = await target((_, response) => {
      response.writeHead(200, { 'content-length': 1_000_000, 'content-encoding': 'gzip' })
      response.end()
    })
    const url = `http://127.0.0.1:${to.port}`
    const answer = await send(dispatcher(), undefined, url, { method: 'HEAD' })
    expect([answer.status, answer.body.length, answer.truncated]).toEqual([200, 0, false])
    expect(answer.headers).toMatchObject({
      'content-length': '1000000',
      'content-encoding': 'gzip',
    })
  })

  it('that is too long is cut, and its connection closed', async () => {
    const to = await target((_, response) => {
      const more = (): void =>
        void (!response.destroyed && response.write(Buffer.alloc(9_999), more))
      more()
    })
    const by = dispatcher()
    const url = `http://127.0.0.1:${to.port}`
    const answer = await send(by, undefined, url, { maxBodyBytes: 100_000 })
    expect([answer.body.length, answer.truncated]).toEqual([100_000, true])
    await until('its connection closed', () => to.sockets[0].destroyed)
  })

  it('in pieces of one byte costs no more memory than it has bytes', async () => {
    const pieces = Buffer.from('1\r\nx\r\n'.repeat(10_000))
    let left = 100
    const to = await serve((socket) => {
      const more = (): void => {
        if (left-- > 0) socket.write(pieces, more)
        else socket.end('0\r\n\r\n')
      }
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', more)
      })
    })
    const before = process.memoryUsage().rss
    const answer = await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`)
    expect(answer.body.length).toBe(1_000_000)
    expect(Buffer.from(answer.body).toString()).toBe('x'.repeat(1_000_000))
    expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000)
  })

  it('of just the length that is kept is whole', async () => {
    const to = await target((_, response) => void response.end('12345'))
    const url = `http://127.0.0.1:${to.port}`
    const answer = await send(dispatcher(), undefined, url, { maxBodyBytes: 5 })
    expect([Buffer.from(answer.body).toString(), answer.truncated]).toEqual(['12345', false])
  })
})

describe('compression', () => {
  const text = 'hello '.repeat(1_000)
  const encoded =
    (encoding: string, body: Buffer): Handler =>
    (_, response) => {
      response.writeHead(200, { 'content-encoding': encoding, 'content-length': body.length })
      response.end(body)
    }

  it.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
    ['identity', Buffer.from(text)],
  ])('by %s is undone', async (encoding, body) => {
    const to = await target(encoded(encoding, body))
    const answer = await send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`)
    expect(Buffer.from(answer.body).toString()).toBe(text)
    expect(answer.headers['content-encoding']).toBeUndefined()
    expect(answer.headers['content-length']).toBeUndefined()
  })

  it.each([
    ['compress', true],
    ['gzip, gzip, gzip, gzip', true],
    ['gzip', false],
  ])('by %s (undone: %s) is left as it is', async (encoding, decompress) => {
    const body = gzipSync(text)
    const to = await target(encoded(encoding, body))
    const url = `http://127.0.0.1:${to.port}`
    const answer = await send(dispatcher(), undefined, url, { decompress })
    expect(Buffer.from(answer.body).equals(body)).toBe(true)
    expect(answer.headers['content-encoding']).toBe(encoding)
  })

  it.each([
    ['gzip', gzipSync(Buffer.alloc(50_000_000))],
    ['deflate', deflateRawSync(Buffer.alloc(50_000_000))],
    ['br', brotliCompressSync(Buffer.alloc(50_000_000))],
    ['gzip, gzip', gzipSync(gzipSync(Buffer.alloc(50_000_000)))],
  ])('by %s gives no more than is kept', async (encoding, bomb) => {
    const to = await target(encoded(encoding, bomb))
    const url = `http://127.0.0.1:${to.port}`
    const answer = await send(dispatcher(), undefined, url, { maxBodyBytes: 1_000_000 })
    expect([answer.body.length, answer.truncated]).toEqual([1_000_000, true])
  })

  it('that goes on for gigabytes is not followed', async () => {
    const endless = Buffer.alloc(4_000_000, gzipSync(Buffer.alloc(1_000_000)))
    const to = await target(encoded('gzip', endless))
    const startMs = performance.now()
    const url = `http://127.0.0.1:${to.port}`
    const answer = await send(dispatcher(), undefined, url, { maxBodyBytes: 5_000_000 })
    expect([answer.body.length, answer.truncated]).toEqual([5_000_000, true])
    expect(performance.now() - startMs).toBeLessThan(3_000)
  })

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
  ])('by %s of a body that was cut is undone as far as it goes', async (encoding, compress) => {
    const body = compress(randomBytes(100_000))
    const to = await target(encoded(encoding, body))
    const url = `http://127.0.0.1:${to.port}`
    const kept = Math.floor(body.length / 2)
    const answer = await send(dispatcher(), undefined, url, { maxBodyBytes: kept })
    expect(answer.truncated).toBe(true)
    expect(answer.body.length).toBeGreaterThan(0)
    expect(answer.body.length).toBeLessThanOrEqual(kept)
  })

  it.each([
    ['gzip', Buffer.from('this is no gzip')],
    ['gzip', gzipSync(text).subarray(0, 30)],
    ['br', Buffer.from('this is no brotli')],
    ['deflate', Buffer.from('this is no deflate')],
  ])('by %s that is broken is the target’s fault', async (encoding, body) => {
    const to = await target(encoded(encoding, body))
    const failed = await failureOf(send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`))
    expect(failed).toBeInstanceOf(TargetFailure)
    expect(failed.reason).toBe('encoding')
  })
})

interface BadTarget {
  readonly what: string
  readonly behaviour: Behaviour
  readonly reason: string
}

const once =
  (answer: string, then: Behaviour = () => {}): Behaviour =>
  (socket) =>
    void socket.once('data', () => socket.write(answer, () => then(socket)))
const reset: Behaviour = (socket) => void socket.resetAndDestroy()

/** Never silent, and never done. */
function drip(socket: Socket): void {
  if (socket.destroyed) return
  socket.write('1\r\nx\r\n')
  setTimeout(() => drip(socket), 20)
}

const BAD_TARGETS: readonly BadTarget[] = [
  {
    what: 'closes',
    behaviour: (socket) => void socket.once('data', () => end(socket)),
    reason: 'closed',
  },
  {
    what: 'resets',
    behaviour: (socket) => void socket.once('data', () => reset(socket)),
    reason: 'closed',
  },
  {
    what: 'closes in its headers',
    behaviour: once('HTTP/1.1 200 OK\r\nA: ', end),
    reason: 'closed',
  },
  { what: 'speaks something else', behaviour: once('SSH-2.0-OpenSSH\r\n'), reason: 'garbage' },
  { what: 'speaks HTTP/2', behaviour: once('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), reason: 'garbage' },
  {
    what: 'upgrades unasked',
    behaviour: once('HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    reason: 'garbage',
  },
  {
    what: 'sends less than its length',
    behaviour: once('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi', end),
    reason: 'length',
  },
  {
    what: 'resets within its body',
    behaviour: once('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi', reset),
    reason: 'length',
  },
  {
    what: 'closes within its chunks',
    behaviour: once('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel', end),
    reason: 'length',
  },
  {
    what: 'closes within its last chunks',
    behaviour: once(
      'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel',
      end,
    ),
    reason: 'length',
  },
  {
    what: 'has bad chunks',
    behaviour: once('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhel'),
    reason: 'garbage',
  },
  {
    what: 'has two lengths',
    behaviour: once('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi'),
    reason: 'length',
  },
  {
    what: 'has a length and chunks',
    behaviour: once(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ),
    reason: 'length',
  },
  {
    what: 'has a bad length',
    behaviour: once('HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhi'),
    reason: 'garbage',
  },
  {
    what: 'has headers without end',
    behaviour: once(`HTTP/1.1 200 OK\r\n${`x: ${'y'.repeat(999)}\r\n`.repeat(70)}`),
    reason: 'headers',
  },
]

describe('a target', () => {
  it.each(BAD_TARGETS)('that $what is charged: $reason', async ({ behaviour, reason }) => {
    const to = await serve(behaviour)
    const through = await startForwardProxy()
    for (const agent of [undefined, `http://127.0.0.1:${through.port}`]) {
      const failed = await failureOf(send(dispatcher(), agent, `http://127.0.0.1:${to.port}`))
      expect(failed, failed.stack).toBeInstanceOf(TargetFailure)
      expect(failed.reason).toBe(reason)
    }
    expect(to.sockets.length).toBe(2)
    await until('connections closed', () => to.sockets.every((socket) => socket.destroyed))
  })

  it('that refuses, or whose TLS fails, is charged', async () => {
    const refused = await failureOf(
      send(dispatcher(), undefined, `http://127.0.0.1:${await freePort()}`),
    )
    expect(refused).toMatchObject({ kind: 'target', reason: 'refused' })
    const to = await target(undefined, { tls: true })
    const { port } = await startForwardProxy()
    const other = `https://plain.example:${to.port}`
    const failed = await failureOf(send(dispatcher(), `http://127.0.0.1:${port}`, other))
    expect(failed).toMatchObject({ kind: 'target', reason: 'tls' })
  })

  it.each([
    ['headers', (socket) => void socket.resume()],
    ['headers', once('HTTP/1.1 200 OK\r\n')],
    ['headers', once('HTTP/1.1 103 Early Hints\r\n\r\n')],
    ['body', once('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi')],
    ['body', once('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', drip)],
  ] satisfies [string, Behaviour][])(
    'that does not come to an end is late: %s',
    async (reason, behaviour) => {
      const to = await serve(behaviour)
      const startMs = performance.now()
      const url = `http://127.0.0.1:${to.port}`
      const failed = await failureOf(send(dispatcher(), undefined, url, { timeoutMs: 500 }))
      expect(failed).toBeInstanceOf(TimeoutFailure)
      expect(failed.reason).toBe(reason)
      expect(performance.now() - startMs).toBeLessThan(4_000)
      await until('its connection closed', () => to.sockets[0].destroyed)
    },
  )
})

describe('an agent', () => {
  it.each([
    ['closes', (socket) => void socket.once('data', () => socket.end()), 'closed'],
    ['answers 407', once('HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n'), 'auth'],
    ['lies about lengths', once('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi', end), 'garbage'],
    ['sends garbage', once('SSH-2.0-OpenSSH\r\n'), 'garbage'],
  ] satisfies [string, Behaviour, string][])(
    'that %s in absolute form is charged, after one attempt',
    async (_, behaviour, reason) => {
      const agent = await serve(behaviour)
      const by = dispatcher({ resolveAt: 'agent' })
      const url = `http://127.0.0.1:${agent.port}`
      const failed = await failureOf(send(by, url, 'http://plain.example/'))
      expect(failed).toBeInstanceOf(AgentFailure)
      expect(failed.reason).toBe(reason)
      expect(agent.sockets.length).toBe(1)
    },
  )

  it('that lies about the length of its answer to CONNECT is not believed', async () => {
    const to = await target()
    const { connect } = await import('node:net')
    const agent = await serve(
      (socket) =>
        void socket.once('data', () => {
          const onward = connect(to.port, '127.0.0.1')
          socket.on('close', () => onward.destroy())
          socket.write(
            'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nTransfer-Encoding: chunked\r\n\r\n',
          )
          socket.pipe(onward).pipe(socket)
        }),
    )
    const answer = await send(
      dispatcher(),
      `http://127.0.0.1:${agent.port}`,
      'http://plain.example',
    )
    expect(Buffer.from(answer.body).toString()).toBe('hello')
  })

  it('that hangs is charged only where it had its whole time', async () => {
    const agent = await serve((socket) => void socket.resume())
    const url = `http://127.0.0.1:${agent.port}`
    const to = 'https://secure.example'
    const patient = dispatcher({ connectTimeoutMs: 200 })
    expect(await failureOf(send(patient, url, to))).toMatchObject({
      kind: 'agent',
      reason: 'timeout',
    })
    const hasty = await failureOf(send(dispatcher(), url, to, { timeoutMs: 100 }))
    expect(hasty).toBeInstanceOf(TimeoutFailure)
    expect(hasty.reason).toBe('tunnel')
  })

  it('that is misconfigured is charged', async () => {
    const failed = await failureOf(
      send(dispatcher(), 'ftp://user:hunter2@a', 'http://plain.example'),
    )
    expect(failed).toMatchObject({ kind: 'agent', reason: 'misconfigured' })
    expect(failed.message).not.toContain('hunter2')
  })

  it('that has little time in a signal is not charged either', async () => {
    const agent = await serve((socket) => void socket.resume())
    const signal = AbortSignal.timeout(50)
    const url = `http://127.0.0.1:${agent.port}`
    const failed = await failureOf(send(dispatcher(), url, 'https://secure.example', { signal }))
    expect(failed).toMatchObject({ kind: 'timeout', reason: 'tunnel' })
  })
})

describe('giving up', () => {
  it('ends a request at once, in its tunnel, before its answer and within it', async () => {
    const silent = await serve((socket) => void socket.resume())
    const halfway = await answering('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi')
    for (const [agent, to, server] of [
      [`http://127.0.0.1:${silent.port}`, 'https://secure.example', silent],
      [undefined, `http://127.0.0.1:${silent.port}`, silent],
      [undefined, `http://127.0.0.1:${halfway.port}`, halfway],
    ] as const) {
      const abort = new AbortController()
      const failed = failureOf(send(dispatcher(), agent, to, { signal: abort.signal }))
      const before = server.sockets.length
      await until('a connection', () => server.sockets.length > before)
      await new Promise((resolve) => {
        setTimeout(resolve, 50)
      })
      const startMs = performance.now()
      abort.abort(new Error('left'))
      expect(await failed).toBeInstanceOf(AbortFailure)
      expect(performance.now() - startMs).toBeLessThan(2_000)
      await until('connections closed', () => server.sockets.every((socket) => socket.destroyed))
    }
  })

  it('before it begins sends nothing', async () => {
    const to = await target()
    const signal = AbortSignal.abort()
    const by = dispatcher()
    const url = `http://127.0.0.1:${to.port}`
    await send(by, undefined, url)
    expect(await failureOf(send(by, undefined, url, { signal }))).toBeInstanceOf(AbortFailure)
    await send(by, undefined, url)
    expect([to.sockets.length, to.requests.length]).toEqual([1, 2])
  })
})

describe('a connection', () => {
  it('is used again for the same agent and origin, and for no other', async () => {
    const one = await target(undefined, { tls: true })
    const two = await target(undefined, { tls: true })
    const by = dispatcher()
    const first = await send(by, undefined, `https://secure.example:${one.port}`)
    const second = await send(by, undefined, `https://secure.example:${one.port}/again`)
    expect([first.timingMs.connect > 0, second.timingMs.connect]).toEqual([true, 0])
    expect(one.sockets.length).toBe(1)
    await send(by, undefined, `https://secure.example:${two.port}`)
    await send(by, undefined, `https://localhost:${one.port}`).catch(() => {})
    const checked = await at(`https://secure.example:${one.port}`)
    await by.send({ id: 'other' }, { target: checked, method: 'GET', timeoutMs: 5_000 })
    expect([one.sockets.length, two.sockets.length]).toEqual([2, 1])
  })

  it('is used again only where its address is among those that were checked for the request', async () => {
    const to = await target()
    const by = dispatcher()
    const { port } = await startForwardProxy()
    for (const agent of [{ id: 'direct' }, { id: 'proxy', url: `http://127.0.0.1:${port}` }]) {
      const before = to.sockets.length
      const opened = async (...addresses: readonly string[]): Promise<number> => {
        const checked = { ...(await at(`http://plain.example:${to.port}`)), addresses }
        await by.send(agent, { target: checked, method: 'GET', timeoutMs: 5_000 })
        return to.sockets.length - before
      }
      expect(await opened('127.0.0.1')).toBe(1)
      expect(await opened('127.0.0.9', '127.0.0.1')).toBe(1)
      await expect(opened('127.0.0.9')).rejects.toThrow(DispatchFailure)
      expect(await opened('127.0.0.1')).toBe(1)
    }
  })

  it.each(['NTLM TlRMTVNTUAAD', 'negotiate YII='])(
    'is not used again once it was logged in by %s',
    async (login) => {
      const to = await target()
      const by = dispatcher()
      const url = `http://127.0.0.1:${to.port}`
      await send(by, undefined, url, { headers: { Authorization: login } })
      await send(by, undefined, url, { headers: { authorization: 'Basic bWU6bWU=' } })
      await send(by, undefined, url)
      expect(to.sockets.length).toBe(2)
      expect(to.requests.map(({ socket }) => socket === to.requests[2].socket)).toEqual([
        false,
        true,
        true,
      ])
    },
  )

  it('may be used again many times', async () => {
    const warned: Error[] = []
    const note = (warning: Error): void => void warned.push(warning)
    process.on('warning', note)
    const to = await target()
    const by = dispatcher()
    for (let i = 0; i < 30; i++) await send(by, undefined, `http://127.0.0.1:${to.port}`)
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    process.off('warning', note)
    expect([to.sockets.length, warned]).toEqual([1, []])
  })

  it('serves one request at a time', async () => {
    const to = await target((_, response) => void setTimeout(() => response.end('x'), 50))
    const by = dispatcher({ maxIdlePerAgent: 8 })
    const url = `http://127.0.0.1:${to.port}`
    await Promise.all(Array.from({ length: 10 }, async () => send(by, undefined, url)))
    expect(to.sockets.length).toBe(10)
    await until('eight kept', () => to.sockets.filter((socket) => !socket.destroyed).length === 8)
  })

  it('that was closed while idle costs nothing, whatever the method', async () => {
    const to = await target()
    const by = dispatcher()
    const url = `http://127.0.0.1:${to.port}`
    for (const method of ['GET', 'POST', 'PUT']) {
      await send(by, undefined, url)
      to.sockets.at(-1)?.destroy()
      await new Promise((resolve) => {
        setTimeout(resolve, 50)
      })
      expect((await send(by, undefined, url, { method })).status).toBe(200)
    }
  })

  it('that closes at any moment around a request is no reason to hang', async () => {
    const to = await target()
    const by = dispatcher()
    const url = `http://127.0.0.1:${to.port}`
    for (let i = 0; i < 100; i++) {
      await send(by, undefined, url)
      to.sockets.at(-1)?.destroy()
      for (let turn = 0; turn < i % 5; turn++) {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
      const given = { method: 'POST', timeoutMs: 2_000 }
      const failed = await send(by, undefined, url, given).catch((error: unknown) => error)
      if (failed instanceof DispatchFailure) expect(failed.reason, failed.stack).toBe('closed')
    }
  })

  /** Answers the first request of a connection, and closes on the second. */
  const stale = async (): Promise<Listening> =>
    serve((socket) => {
      let count = 0
      socket.on('data', () => {
        if (++count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')
        else socket.resetAndDestroy()
      })
    })

  it.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])(
    'that dies under a %s before a byte is replaced, once',
    async (method) => {
      const to = await stale()
      const by = dispatcher()
      const url = `http://127.0.0.1:${to.port}`
      await send(by, undefined, url)
      const again = send(by, undefined, url, { method })
      expect((await again).status).toBe(200)
      expect(to.sockets.length).toBe(2)
    },
  )

  it.each(['POST', 'PATCH'])('that dies under a %s is not replaced', async (method) => {
    const to = await stale()
    const by = dispatcher()
    const url = `http://127.0.0.1:${to.port}`
    await send(by, undefined, url)
    const failed = await failureOf(send(by, undefined, url, { method }))
    expect(failed).toMatchObject({ kind: 'target', reason: 'closed' })
    expect(to.sockets.length).toBe(1)
  })

  it('that is new and dies is not replaced', async () => {
    const to = await serve((socket) => void socket.once('data', () => socket.resetAndDestroy()))
    await failureOf(send(dispatcher(), undefined, `http://127.0.0.1:${to.port}`))
    expect(to.sockets.length).toBe(1)
  })

  it('closes when it has been idle for long', async () => {
    const to = await target()
    await send(dispatcher({ keepAliveMs: 50 }), undefined, `http://127.0.0.1:${to.port}`)
    await until('it closed', () => to.sockets[0].destroyed)
  })

  it('closes when its agent has another url, or is not among the last ones used', async () => {
    const to = await target()
    const by = dispatcher({ maxAgents: 2, keepAliveMs: 60_000 })
    const request = {
      target: await at(`http://127.0.0.1:${to.port}`),
      method: 'GET',
      timeoutMs: 5_000,
    }
    await by.send({ id: 'a' }, request)
    const through = await startForwardProxy()
    await by.send({ id: 'a', url: `http://127.0.0.1:${through.port}` }, request)
    await until('the direct one closed', () => to.sockets[0].destroyed)
    await by.send({ id: 'b' }, request)
    await by.send({ id: 'b' }, request)
    await by.send({ id: 'c' }, request)
    await until('the one of a closed', () => to.sockets[1].destroyed)
    await by.send({ id: 'b' }, request)
    await by.send({ id: 'd' }, request)
    await until('the one of c closed', () => to.sockets[3].destroyed)
    expect(to.sockets.map((socket) => socket.destroyed)).toEqual([true, true, false, true, false])
  })

  it('that is in use when its agent changes closes when it is done', async () => {
    const to = await target((_, response) => void setTimeout(() => response.end('x'), 100))
    const by = dispatcher({ keepAliveMs: 60_000 })
    const url = `http://127.0.0.1:${to.port}`
    const running = send(by, undefined, url)
    await until('a request', () => to.requests.length === 1)
    by.close()
    expect((await running).status).toBe(200)
    await until('it closed', () => to.sockets[0].destroyed)
  })

  it('on which the target speaks unasked is not used again', async () => {
    const to = await serve((socket) => {
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'), 10)
      })
    })
    const by = dispatcher()
    const url = `http://127.0.0.1:${to.port}`
    for (let i = 0; i < 5; i++) {
      expect(Buffer.from((await send(by, undefined, url)).body).toString()).toBe('hi')
      await new Promise((resolve) => {
        setTimeout(resolve, 30)
      })
    }
    expect(to.sockets.length).toBe(5)
  })
})
