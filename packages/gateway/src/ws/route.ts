import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Type } from 'typebox'
import { WebSocketServer, type ServerOptions } from 'ws'
import { ApiError } from '../http/api-error.ts'
import { sendClientError } from '../http/error-handler.ts'
import { routeLast, takeOver } from '../http/wire.ts'
import type { House, Routes } from '../house.ts'
import { errorAnswers } from '../routes/error-answers.ts'
import { attend } from './attend.ts'
import { CLOSE_WITHIN_MS, MOST_CHUNKS, MOST_FRAGMENTS } from './limits.ts'

/** What is left of a connection whose request asked to upgrade it. */
interface Upgrade {
  readonly socket: Socket
  /** What came after the request. */
  readonly head: Buffer
}

/** `WS /ws`: a target's WebSocket, through the right agent. */
export function socketRoutes(app: Routes, house: House): void {
  const { maxMessageBytes } = house.options.sockets
  const options: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    // Compression would cost memory for each connection, and a small message may inflate to any size.
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: maxMessageBytes,
    maxFragments: MOST_FRAGMENTS,
    maxBufferedChunks: MOST_CHUNKS,
    closeTimeout: CLOSE_WITHIN_MS,
  }
  const server = new WebSocketServer(options)
  server.on('wsClientError', (error, socket) => {
    socket.once('finish', () => socket.destroy())
    sendClientError(error, socket as Socket)
  })
  const upgrades = new WeakMap<IncomingMessage, Upgrade>()
  app.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) =>
    takeOver(socket, house.turns, () => {
      if (!isHandshake(request)) return serveWithoutUpgrade(app, request, socket, head)
      upgrades.set(request, { socket, head })
      routeLast(app, request, socket)
    }),
  )
  app.get(
    '/ws',
    {
      config: { access: 'open' },
      schema: {
        summary: 'Open a WebSocket to a target',
        description:
          'Upgrade to a WebSocket, and send { apiKey, url, headers?, cookies?, geo?, agent?, idle_timeout? } as text within 10 s. ' +
          'The answer is { type: "connected", status: 101, node_id }, and from then on everything is relayed; or ' +
          '{ type: "error", code, message, details }, and a close with 1008 or 1011.',
        response: { 101: Type.Null({ description: 'A WebSocket' }), ...errorAnswers },
      },
    },
    async (request, reply) => {
      const upgrade = upgrades.get(request.raw)
      if (upgrade === undefined) {
        throw new ApiError('BAD_REQUEST', 'this is a WebSocket: ask for `Upgrade: websocket`')
      }
      const seat = house.sockets.enter(request.ip)
      const { socket, head } = upgrade
      let attended = Promise.resolve()
      seat.holds(() => socket.destroy())
      socket.once('close', () => void attended.then(() => seat.leave()))
      reply.hijack()
      reply.raw.detachSocket(socket)
      server.handleUpgrade(request.raw, socket, head, (client) => {
        house.metrics.sockets.inc()
        client.once('close', () => house.metrics.sockets.dec())
        attended = attend(house, { client, connection: socket, request, seat })
      })
    },
  )
}

/** Whether a request may become a WebSocket: of any other the body is to be read, and its end to be heard. */
function isHandshake({ method, url = '', httpVersion, headers }: IncomingMessage): boolean {
  const isOffered = headers.upgrade?.toLowerCase() === 'websocket' && httpVersion !== '1.0'
  return isOffered && method === 'GET' && url.split('?', 1)[0] === '/ws'
}

/**
 * Serves a request that offers a protocol it does not get, such as h2c of Java's and curl's clients, as if it had offered none, which
 * servers may do (RFC 9110, section 7.8). Node can't once somebody listens for upgrades: so the request is read anew without the offer.
 */
function serveWithoutUpgrade(
  app: Routes,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i], rawHeaders[i + 1]]
    const lower = name.toLowerCase()
    if (lower === 'upgrade' || lower === 'http2-settings') continue
    lines.push(`${name}: ${lower === 'connection' ? withoutUpgrade(value) : value}`)
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  app.server.emit('connection', socket)
}

function withoutUpgrade(connection: string): string {
  const tokens = connection.split(',').map((token) => token.trim())
  return tokens.filter((token) => !/^(?:upgrade|http2-settings)$/i.test(token)).join(', ')
}
