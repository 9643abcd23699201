import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { ApiError } from './api-error.ts'
import type { Turns } from './turns.ts'

type App = Pick<FastifyInstance, 'server' | 'routing' | 'addHook'>

/**
 * Has the app answer what Node's server answers by itself, with a bare status, or not at all: an `Expect` of something else than
 * `100-continue`, a request without a host or with two (RFC 9112, section 3.2), and CONNECT.
 */
export function answerBareRequests(app: App, turns: Turns): void {
  const unexpected = new WeakSet<IncomingMessage>()
  app.addHook('onRequest', async ({ raw }) => {
    const hosts = hostsOf(raw)
    if (hosts > 1 || (hosts === 0 && raw.httpVersion !== '1.0')) {
      throw new ApiError('BAD_REQUEST', `a request has one Host header, this one has ${hosts}`)
    }
    if (unexpected.has(raw)) {
      throw new ApiError('EXPECTATION_FAILED', 'Expect must be 100-continue, or not be given')
    }
  })
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    unexpected.add(request)
    turns.begin(request, response)
    app.routing(request, response)
  })
  app.server.on('connect', (request: IncomingMessage, socket: Socket) =>
    takeOver(socket, turns, () => routeLast(app, request, socket)),
  )
}

function hostsOf({ rawHeaders }: IncomingMessage): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name.length === 4 && name.toLowerCase() === 'host') count++
  }
  return count
}

/** What a caller may say before what he has asked is answered. */
const MOST_EARLY_BYTES = 64 * 1024

/** Serves a connection that the server has let go, once what was asked before is answered. */
export function takeOver(socket: Socket, turns: Turns, serve: () => void): void {
  socket.on('error', () => socket.destroy())
  const early: Buffer[] = []
  let earlyBytes = 0
  // That a caller leaves is only heard by reading.
  const hear = (): void => {
    for (let bytes = read(socket); bytes !== null; bytes = read(socket)) {
      early.push(bytes)
      earlyBytes += bytes.length
    }
    if (earlyBytes > MOST_EARLY_BYTES) leave()
  }
  const leave = (): void => void socket.destroy()
  socket.on('readable', hear).once('end', leave)
  turns.after(socket, () => {
    socket.off('readable', hear).off('end', leave)
    // An answer before may have been the last.
    if (socket.destroyed || socket.writableEnded) return
    if (earlyBytes > 0) socket.unshift(Buffer.concat(early))
    socket.setTimeout(0)
    serve()
  })
}

function read(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null
}

/** Has the app answer the last request of a connection that the server has let go. */
export function routeLast(
  app: Pick<FastifyInstance, 'routing'>,
  request: IncomingMessage,
  socket: Socket,
): void {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', () => {
    response.detachSocket(socket)
    socket.end(() => socket.destroy())
  })
  app.routing(request, response)
}
