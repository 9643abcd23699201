import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  AbortFailure,
  AgentFailure,
  openTunnel,
  readEndpoint,
  TargetFailure,
  TimeoutFailure,
  type TunnelOptions,
} from '@ostler/gateway'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../servers/ports.ts'
import { until } from '../servers/until.ts'
import { TRUSTING } from './rig/certificate.ts'
import { failureOf, startForwardProxy } from './rig/forward-proxy.ts'
import { serve, type Behaviour, type Listening } from './rig/sockets.ts'
import { serveSocks } from './rig/socks-server.ts'

const opened: Socket[] = []

afterEach(async () => {
  for (const socket of opened.splice(0)) socket.destroy()
})

/** Reads, and says nothing. */
const SILENT: Behaviour = (socket) => void socket.resume()

/** Sends back what it gets. */
const ECHO: Behaviour = (socket) => void socket.pipe(socket)

async function open(
  url: string | undefined,
  port: number,
  options: TunnelOptions & { readonly host?: string; readonly addresses?: readonly string[] } = {},
): Promise<Socket> {
  const { host = '127.0.0.1', addresses = ['127.0.0.1'], ...rest } = options
  const target = { host, port, addresses }
  const socket = await openTunnel(readEndpoint(url), target, { timeoutMs: 5_000, ...rest })
  opened.push(socket)
  return socket
}

/** What comes back for a text, read as consumers read: by `data`. */
async function said(socket: Socket, text: string): Promise<string> {
  if (text !== '') socket.write(text)
  return new Promise((resolve, reject) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString()))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
}

async function portOf(password?: string): Promise<number> {
  return (await startForwardProxy(password)).port
}

/** A proxy that answers CONNECT with these bytes, whatever it is asked. */
async function answering(answer: string, tls = false): Promise<Listening> {
  return serve((socket) => void socket.once('data', () => socket.write(answer)), { tls })
}

describe('a tunnel', () => {
  it('goes straight to a checked address where there is no agent', async () => {
    const target = await serve(ECHO)
    const socket = await open('direct', target.port, { host: 'nowhere.example' })
    expect(await said(socket, 'hello')).toBe('hello')
    expect(await said(await open(undefined, target.port), 'hello')).toBe('hello')
  })

  it('tries one checked address after the other', async () => {
    const target = await serve(ECHO)
    const socket = await open('direct', target.port, {
      host: 'two.example',
      addresses: ['127.0.0.2', '127.0.0.1'],
    })
    expect(await said(socket, 'hello')).toBe('hello')
  })

  it('goes through an HTTP proxy, with credentials or without', async () => {
    const target = await serve(ECHO)
    const free = await open(`http://127.0.0.1:${await portOf()}`, target.port)
    expect(await said(free, 'hello')).toBe('hello')
    const known = await open(`http://me:p%40ss@127.0.0.1:${await portOf('p@ss')}`, target.port)
    expect(await said(known, 'hello')).toBe('hello')
  })

  it('goes through a proxy that is spoken to over TLS, with TLS in it', async () => {
    const inner = await serve(ECHO, { tls: true })
    const plain = await portOf()
    const { connect } = await import('node:net')
    const outer = await serve(
      (socket) => {
        const onward = connect(plain, '127.0.0.1')
        onward.on('error', () => socket.destroy())
        socket.on('close', () => onward.destroy())
        socket.pipe(onward).pipe(socket)
      },
      { tls: true },
    )
    const socket = await open(`https://127.0.0.1:${outer.port}`, inner.port, {
      host: 'secure.example',
      tls: { servername: 'secure.example', alpn: ['http/1.1'], context: TRUSTING },
      agentContext: TRUSTING,
    })
    expect(await said(socket, 'hello')).toBe('hello')
    socket.destroy()
    await until('both layers closed', () => outer.sockets.every((each) => each.destroyed))
  })

  it('goes through a SOCKS5 proxy, with credentials or without', async () => {
    const target = await serve(ECHO)
    const free = await serveSocks()
    expect(await said(await open(`socks5://127.0.0.1:${free.port}`, target.port), 'a')).toBe('a')
    const closed = await serveSocks({ username: 'me', password: 'p@ss' })
    const known = await open(`socks5://me:p%40ss@127.0.0.1:${closed.port}`, target.port)
    expect(await said(known, 'hello')).toBe('hello')
  })

  it('carries TLS to the target through SOCKS5', async () => {
    const target = await serve(ECHO, { tls: true })
    const socks = await serveSocks()
    const socket = await open(`socks5://127.0.0.1:${socks.port}`, target.port, {
      tls: { servername: 'secure.example', alpn: ['h2', 'http/1.1'], context: TRUSTING },
    })
    expect((socket as TLSSocket).alpnProtocol).toBe('http/1.1')
    expect(await said(socket, 'hello')).toBe('hello')
  })

  it('tells the agent a checked address and never the name, unless it is trusted with it', async () => {
    const target = await serve(ECHO)
    const socks = await serveSocks()
    const url = `socks5://127.0.0.1:${socks.port}`
    const named = { host: 'localhost', addresses: ['::1', '127.0.0.1'] }
    await open(url, target.port, named)
    await open(url, target.port, { ...named, resolveAt: 'agent' })
    expect(socks.asked.map(({ host }) => host)).toEqual(['127.0.0.1', 'localhost'])

    const asked: string[] = []
    const http = await serve(
      (socket) =>
        void socket.once('data', (chunk: Buffer) => {
          asked.push(chunk.toString())
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
        }),
    )
    await open(`http://127.0.0.1:${http.port}`, 443, named)
    await open(`http://127.0.0.1:${http.port}`, 443, { ...named, resolveAt: 'agent' })
    await open(`http://127.0.0.1:${http.port}`, 443, { addresses: ['2606:4700::1'] })
    expect(asked).toEqual([
      'CONNECT 127.0.0.1:443 HTTP/1.1\r\nhost: 127.0.0.1:443\r\n\r\n',
      'CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\n\r\n',
      'CONNECT [2606:4700::1]:443 HTTP/1.1\r\nhost: [2606:4700::1]:443\r\n\r\n',
    ])
  })

  it('keeps the bytes that come with the answer to CONNECT', async () => {
    const agent = await answering('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nearly bytes')
    const url = `http://127.0.0.1:${agent.port}`
    expect(await said(await open(url, 80), '')).toBe('early bytes')
    const socket = await open(url, 80)
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
    expect(await said(socket, '')).toBe('early bytes')
  })

  it('keeps the bytes that come with the answer of SOCKS5', async () => {
    const agent = await serve((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.from([5, 0]))
        socket.once('data', () => {
          socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...Buffer.from('early ')]))
          setTimeout(() => socket.write('bytes'), 20)
        })
      })
    })
    const socket = await open(`socks5://127.0.0.1:${agent.port}`, 80)
    await new Promise((resolve) => {
      setTimeout(resolve, 60)
    })
    let got = ''
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
    await until('the bytes that follow', () => got === 'early bytes')
  })

  it('reads an answer to CONNECT that comes byte by byte', async () => {
    const agent = await serve((socket) => {
      socket.setNoDelay(true)
      const bytes = 'HTTP/1.0 200 Fine\r\nA: b\r\n\r\nearly'.split('')
      const more = (): void => {
        if (bytes.length > 0) socket.write(bytes.shift() as string, () => setImmediate(more))
      }
      socket.once('data', more)
    })
    const socket = await open(`http://127.0.0.1:${agent.port}`, 80)
    let got = ''
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
    await until('the bytes that follow', () => got === 'early')
  })
})

interface BadAgent {
  readonly what: string
  readonly behaviour: Behaviour
  readonly scheme?: 'http' | 'https' | 'socks5'
  readonly reason: string
  readonly doubtful?: boolean
}

const once =
  (answer: string | Buffer): Behaviour =>
  (socket) =>
    void socket.once('data', () => socket.write(answer))

const BAD_AGENTS: readonly BadAgent[] = [
  {
    what: 'closes at once',
    behaviour: (socket) => void socket.resume().end(),
    reason: 'closed',
    doubtful: true,
  },
  {
    what: 'resets at once',
    // The connection may be there before, or not.
    behaviour: (socket) => void socket.resetAndDestroy(),
    reason: 'closed',
    doubtful: expect.any(Boolean) as boolean,
  },
  {
    what: 'closes on CONNECT',
    behaviour: (socket) => void socket.once('data', () => socket.end()),
    reason: 'closed',
    doubtful: true,
  },
  {
    what: 'resets on CONNECT',
    behaviour: (socket) => void socket.once('data', () => socket.resetAndDestroy()),
    reason: 'closed',
    doubtful: true,
  },
  {
    what: 'closes within its answer',
    behaviour: (socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n')),
    reason: 'closed',
    doubtful: true,
  },
  { what: 'is silent', behaviour: SILENT, reason: 'timeout', doubtful: true },
  {
    what: 'never ends its answer',
    behaviour: once('HTTP/1.1 200 OK\r\n'),
    reason: 'timeout',
    doubtful: true,
  },
  {
    what: 'wants other credentials',
    behaviour: once('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    reason: 'auth',
  },
  { what: 'forbids it', behaviour: once('HTTP/1.1 403 Forbidden\r\n\r\n'), reason: 'rejected' },
  {
    what: 'cannot reach the target',
    behaviour: once('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 1000000\r\n\r\nx'),
    reason: 'rejected',
    doubtful: true,
  },
  { what: 'redirects', behaviour: once('HTTP/1.1 302 Found\r\n\r\n'), reason: 'rejected' },
  { what: 'says something else', behaviour: once('SSH-2.0-OpenSSH_9.6\r\n'), reason: 'garbage' },
  { what: 'speaks HTTP/2', behaviour: once('HTTP/2 200\r\n\r\n'), reason: 'garbage' },
  { what: 'has a bad status', behaviour: once('HTTP/1.1 2000 OK\r\n\r\n'), reason: 'garbage' },
  {
    what: 'sends zeros',
    behaviour: (socket) => {
      const more = (): void => void (!socket.destroyed && socket.write(Buffer.alloc(65_536), more))
      socket.once('data', more)
    },
    reason: 'garbage',
  },
  {
    what: 'sends headers without end',
    behaviour: (socket) => {
      const header = `x: ${'y'.repeat(1_000)}\r\n`
      const more = (): void => void (!socket.destroyed && socket.write(header, more))
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n', more))
    },
    reason: 'garbage',
  },
  {
    what: 'speaks no TLS',
    scheme: 'https',
    behaviour: once('HTTP/1.1 400 Bad\r\n\r\n'),
    reason: 'tls',
  },
  {
    what: 'closes in the TLS handshake',
    scheme: 'https',
    behaviour: (socket) => void socket.once('data', () => socket.end()),
    reason: 'tls',
  },
  {
    what: 'is silent in the TLS handshake',
    scheme: 'https',
    behaviour: SILENT,
    reason: 'timeout',
  },
  { what: 'is silent', scheme: 'socks5', behaviour: SILENT, reason: 'timeout', doubtful: true },
  {
    what: 'closes at once',
    scheme: 'socks5',
    behaviour: (socket) => void socket.resume().end(),
    reason: 'closed',
    doubtful: true,
  },
  {
    what: 'resets on its request',
    scheme: 'socks5',
    behaviour: (socket) => void socket.once('data', () => socket.resetAndDestroy()),
    reason: 'closed',
    doubtful: true,
  },
  {
    what: 'speaks HTTP',
    scheme: 'socks5',
    behaviour: once('HTTP/1.1 400 Bad\r\n\r\n'),
    reason: 'garbage',
  },
  {
    what: 'takes no method',
    scheme: 'socks5',
    behaviour: once(Buffer.from([5, 0xff])),
    reason: 'auth',
  },
  ...[1, 2, 3, 4, 5, 6, 7, 8, 200].map((code): BadAgent => ({
    what: `replies ${code}`,
    scheme: 'socks5',
    behaviour: (socket) =>
      void socket.once('data', () => {
        socket.write(Buffer.from([5, 0]))
        socket.once('data', () => socket.write(Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0])))
      }),
    reason: 'rejected',
    doubtful: ![2, 7, 8].includes(code),
  })),
]

describe('an agent', () => {
  it.each(BAD_AGENTS)(
    '($scheme) that $what costs one bounded attempt and is charged',
    async ({ behaviour, scheme = 'http', reason, doubtful = false }) => {
      const agent = await serve(behaviour)
      const url = `${scheme}://user:hunter2@127.0.0.1:${agent.port}`
      const startMs = performance.now()
      const failed = await failureOf(
        open(url, 443, {
          timeoutMs: reason === 'timeout' ? 300 : 5_000,
          tls: { servername: 'secure.example' },
        }),
      )
      expect(failed).toBeInstanceOf(AgentFailure)
      expect({ reason: failed.reason, doubtful: (failed as AgentFailure).doubtful }).toEqual({
        reason,
        doubtful,
      })
      expect(performance.now() - startMs).toBeLessThan(4_000)
      expect(agent.sockets.length).toBe(1)
      await until('its connection closed', () => agent.sockets[0].destroyed)
      expect(JSON.stringify([failed.message, failed, failed.cause])).not.toContain('hunter2')
    },
  )

  it('that refuses connections is charged', async () => {
    for (const scheme of ['http', 'https', 'socks5']) {
      const failed = await failureOf(open(`${scheme}://127.0.0.1:${await freePort()}`, 443))
      expect(failed).toBeInstanceOf(AgentFailure)
      expect(failed).toMatchObject({ reason: 'refused', doubtful: false })
    }
  })

  it('whose name is nowhere is charged', async () => {
    expect(await failureOf(open('http://agent.invalid:8080', 443))).toMatchObject({
      kind: 'agent',
      reason: 'unreachable',
    })
  })

  it('with other credentials than ours is charged, be it HTTP or SOCKS5', async () => {
    const http = `http://me:wrong@127.0.0.1:${await portOf('right')}`
    expect(await failureOf(open(http, 443))).toMatchObject({ kind: 'agent', reason: 'auth' })
    const socks = await serveSocks({ username: 'me', password: 'right' })
    for (const user of ['me:wrong@', '']) {
      const url = `socks5://${user}127.0.0.1:${socks.port}`
      expect(await failureOf(open(url, 443)), user).toMatchObject({ kind: 'agent', reason: 'auth' })
    }
  })

  it('whose certificate is not trusted is charged', async () => {
    const agent = await serve(ECHO, { tls: true })
    const failed = await failureOf(open(`https://127.0.0.1:${agent.port}`, 443))
    expect(failed).toMatchObject({ kind: 'agent', reason: 'tls' })
  })

  it.each([
    'ftp://127.0.0.1:21',
    'http://',
    'not a url',
    'http://127.0.0.1:0',
    'http://127.0.0.1/path',
    'http://127.0.0.1?x',
    'socks5://',
    'socks4://127.0.0.1:1080',
    'http://%ff:hunter2@127.0.0.1:80',
    `socks5://hunter2:${'x'.repeat(256)}@127.0.0.1:1080`,
  ])('at %s is misconfigured', (url) => {
    try {
      readEndpoint(url)
    } catch (error) {
      expect(error).toMatchObject({ kind: 'agent', reason: 'misconfigured' })
      expect((error as Error).message).not.toContain('hunter2')
      return
    }
    throw new Error('was read')
  })
})

describe('a target', () => {
  it('that refuses a direct connection is charged', async () => {
    const failed = await failureOf(open('direct', await freePort()))
    expect(failed).toBeInstanceOf(TargetFailure)
    expect(failed.reason).toBe('refused')
  })

  it('whose certificate is for another name, or not trusted, is charged', async () => {
    const target = await serve(ECHO, { tls: true })
    const through = `http://127.0.0.1:${await portOf()}`
    for (const tls of [
      { servername: 'other.example', context: TRUSTING },
      { servername: 'secure.example' },
    ]) {
      const failed = await failureOf(open(through, target.port, { tls }))
      expect(failed, tls.servername).toMatchObject({ kind: 'target', reason: 'tls' })
    }
  })

  it('that speaks no TLS, closes or resets instead is charged', async () => {
    const through = `http://127.0.0.1:${await portOf()}`
    for (const behaviour of [
      once('HTTP/1.1 400 Bad\r\n\r\n'),
      (socket: Socket) => void socket.end(),
      (socket: Socket) => void socket.once('data', () => socket.resetAndDestroy()),
    ]) {
      const target = await serve(behaviour)
      for (const url of [through, 'direct']) {
        const failed = await failureOf(open(url, target.port, { tls: { servername: 'a.example' } }))
        expect(failed, url).toMatchObject({ kind: 'target', reason: 'tls' })
      }
    }
  })

  it('that is silent in the TLS handshake is late', async () => {
    const target = await serve(SILENT)
    const tls = { servername: 'secure.example' }
    const failed = await failureOf(open('direct', target.port, { timeoutMs: 500, tls }))
    expect(failed).toBeInstanceOf(TimeoutFailure)
    expect(failed.reason).toBe('tls')
    await until('its connection closed', () => target.sockets[0].destroyed)
  })
})

describe('giving up', () => {
  it('before it begins connects to nothing', async () => {
    const agent = await serve(ECHO)
    const signal = AbortSignal.abort(new Error('left'))
    const failed = await failureOf(open(`http://127.0.0.1:${agent.port}`, 443, { signal }))
    expect(failed).toBeInstanceOf(AbortFailure)
    expect(failed.cause).toEqual(new Error('left'))
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
    expect(agent.sockets).toEqual([])
  })

  it.each([
    ['in the TLS handshake with the agent', 'https', SILENT],
    ['while CONNECT waits', 'http', SILENT],
    ['in the greeting of SOCKS5', 'socks5', SILENT],
    ['while SOCKS5 connects', 'socks5', once(Buffer.from([5, 0]))],
    ['in the TLS handshake with the target', 'http', once('HTTP/1.1 200 OK\r\n\r\n')],
  ] as const)('%s ends at once and leaves no socket', async (_, scheme, behaviour) => {
    const agent = await serve(behaviour)
    const abort = new AbortController()
    const tls = { servername: 'secure.example' }
    const url = `${scheme}://127.0.0.1:${agent.port}`
    const failed = failureOf(open(url, 443, { signal: abort.signal, tls }))
    await until('a connection', () => agent.sockets.length === 1)
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
    const startMs = performance.now()
    abort.abort()
    expect(await failed).toBeInstanceOf(AbortFailure)
    expect(performance.now() - startMs).toBeLessThan(2_000)
    await until('its connection closed', () => agent.sockets[0].destroyed)
  })

  it('by a signal that is a time is being late', async () => {
    const agent = await serve(SILENT)
    const signal = AbortSignal.timeout(50)
    const failed = await failureOf(open(`http://127.0.0.1:${agent.port}`, 443, { signal }))
    expect(failed).toMatchObject({ kind: 'agent', reason: 'timeout' })
  })

  it('leaves no handle open, nor does any failure', async () => {
    const agent = await answering('HTTP/1.1 200 OK\r\n\r\n')
    const url = `http://127.0.0.1:${agent.port}`
    const handles = (): number =>
      process
        .getActiveResourcesInfo()
        .filter((name) => name === 'TCPSocketWrap' || name === 'Timeout').length
    const before = handles()
    for (let i = 0; i < 20; i++) {
      const abort = new AbortController()
      const tls = { servername: 'secure.example' }
      const failed = failureOf(open(url, 443, { timeoutMs: 50, signal: abort.signal, tls }))
      if (i % 2 === 0) setTimeout(() => abort.abort(), 10)
      await failed
    }
    await until('as few handles as before', () => handles() <= before)
  })
})
