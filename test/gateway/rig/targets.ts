import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { closing } from './closing.ts'

/** A request as a target saw it. */
export interface Visit {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** The address that it came from: the agent's exit. */
  readonly from: string
}

export interface Target {
  /** Without a path, such as `http://127.0.0.1:40123`. */
  readonly url: string
  /** Every request so far, the oldest first. */
  readonly visits: readonly Visit[]
}

/** What a target does at a path. */
export type Behaviour = (visit: Visit, response: ServerResponse) => void | Promise<void>

export const BLOCK_PAGE: string = page('Access denied', 'Your network is blocked.')
export const CHALLENGE_PAGE: string = page('Just a moment...', 'Checking your browser.')

/** A web server on loopback with what targets do, and what a test adds by path. */
export async function startTarget(
  more: Readonly<Record<string, Behaviour>> = {},
  host = '127.0.0.1',
): Promise<Target> {
  const behaviours: Readonly<Record<string, Behaviour>> = { ...USUAL, ...more }
  const visits: Visit[] = []
  const server = createServer((request, response) => {
    void answer(behaviours, visits, request, response)
  })
  server.listen(0, host)
  await once(server, 'listening')
  closing(async () => {
    server.closeAllConnections()
    server.close()
    if (server.listening) await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://${host}:${port}`, visits }
}

async function answer(
  behaviours: Readonly<Record<string, Behaviour>>,
  visits: Visit[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch {
    // Who sent it went away.
    return
  }
  const { method = '', url: path = '/', headers, rawHeaders, socket } = request
  const from = socket.remoteAddress ?? 'unknown'
  const visit = { method, path, headers, rawHeaders, body: Buffer.concat(chunks), from }
  visits.push(visit)
  const behaviour = behaviours[path.split('?', 1)[0]] ?? missing
  await behaviour(visit, response)
}

const USUAL: Readonly<Record<string, Behaviour>> = {
  '/': (visit, response) => html(response, 200, page('Hello', `You come from ${visit.from}.`)),
  '/echo': ({ method, path, headers, body, from }, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ method, path, headers, body: body.toString('base64'), from }))
  },
  '/blocked': (_, response) => html(response, 403, BLOCK_PAGE),
  '/challenged': (_, response) => {
    response.setHeader('cf-mitigated', 'challenge')
    html(response, 403, CHALLENGE_PAGE)
  },
  '/limited': (_, response) => {
    response.setHeader('retry-after', '7')
    html(response, 429, page('Slower', 'Too many requests.'))
  },
  '/broken': (_, response) => html(response, 500, page('Oops', 'Broken.')),
  '/hang': () => undefined,
  '/slow': async (_, response) => {
    await setTimeout(300)
    html(response, 200, page('Slow', 'It took a while.'))
  },
  '/stream': async (_, response) => {
    response.setHeader('content-type', 'text/plain; charset=utf-8')
    for (const part of ['one ', 'two ', 'three']) {
      response.write(part)
      await setTimeout(20)
    }
    response.end()
  },
  '/drip': (_, response) => {
    response.setHeader('content-type', 'text/plain')
    response.write('for ever')
  },
  '/odd': (_, response) => {
    response.writeHead(200, [
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['X-Odd', 'caf\u00e9'],
      ['Connection', 'x-hop'],
      ['X-Hop', 'one'],
      ['Proxy-Authenticate', 'Basic'],
      ['Content-Type', 'text/plain'],
    ] as never)
    response.end('odd')
  },
  '/gzip': (_, response) => {
    response.setHeader('content-encoding', 'gzip')
    response.setHeader('content-type', 'text/plain; charset=utf-8')
    response.end(gzipSync('pressed'))
  },
  '/latin1': (_, response) => {
    response.setHeader('content-type', 'text/plain; charset=iso-8859-1')
    response.end(Buffer.from('caf\u00e9', 'latin1'))
  },
  '/mislabelled': (_, response) => {
    response.setHeader('content-type', 'text/plain; charset=utf-8')
    response.end(Buffer.from([0x63, 0xe9]))
  },
  '/picture': (_, response) => {
    response.setHeader('content-type', 'image/png')
    response.end(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 255]))
  },
  '/empty': (_, response) => {
    response.writeHead(204).end()
  },
  '/large': (_, response) => {
    response.setHeader('content-type', 'text/plain')
    response.end('x'.repeat(1_500_000))
  },
}

function missing(_: Visit, response: ServerResponse): void {
  html(response, 404, page('Not found', 'There is no such page.'))
}

export function html(response: ServerResponse, status: number, text: string): void {
  response.setHeader('content-type', 'text/html; charset=utf-8')
  response.writeHead(status).end(text)
}

/** Sends elsewhere. */
export function redirect(status: number, location: string): Behaviour {
  return (_, response) => {
    response.writeHead(status, { location }).end()
  }
}

export function page(title: string, text: string): string {
  return `<!doctype html><title>${title}</title><h1>${title}</h1><p>${text}</p>\n`
}
