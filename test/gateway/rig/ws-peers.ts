import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocket, WebSocketServer, type ClientOptions, type ServerOptions } from 'ws'
import { CERTIFICATE, KEY } from './certificate.ts'
import { afterwards } from './ws-gateway.ts'

/** How long a test waits for one thing. */
const PATIENCE_MS = 5_000

/** What one side of a WebSocket has seen, in order. */
export class Peer {
  readonly socket: WebSocket
  readonly seen: (string | Buffer)[] = []
  readonly pings: string[] = []
  readonly pongs: string[] = []
  /** Null while it is open. */
  end: { readonly code: number; readonly reason: string } | null = null
  readonly #waiting: (() => void)[] = []

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('message', (data: Buffer, isBinary) => {
      this.seen.push(isBinary ? data : data.toString())
      this.#wake()
    })
    socket.on('ping', (data: Buffer) => this.pings.push(data.toString()))
    socket.on('pong', (data: Buffer) => this.pongs.push(data.toString()))
    socket.on('close', (code, reason) => {
      this.end = { code, reason: reason.toString() }
      this.#wake()
    })
  }

  /** The next message that was not taken yet. */
  async next(): Promise<string | Buffer> {
    await this.#until(() => this.seen.length > 0 || this.end !== null)
    const message = this.seen.shift()
    if (message === undefined) throw new Error(`closed with ${JSON.stringify(this.end)}`)
    return message
  }

  /** The same as JSON. */
  async json(): Promise<Record<string, unknown>> {
    return JSON.parse(String(await this.next())) as Record<string, unknown>
  }

  /** How it ended. */
  async ended(): Promise<{ readonly code: number; readonly reason: string }> {
    await this.#until(() => this.end !== null)
    return this.end as { readonly code: number; readonly reason: string }
  }

  async #until(holds: () => boolean): Promise<void> {
    const lateMs = Date.now() + PATIENCE_MS
    while (!holds()) {
      if (Date.now() > lateMs) throw new Error('nothing came within 5 s')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

/** Opens a WebSocket, and gives it up after the test. */
export async function dial(
  url: string,
  protocols: readonly string[] = [],
  options: ClientOptions = {},
): Promise<Peer> {
  const socket = new WebSocket(url, [...protocols], options)
  afterwards(async () => socket.terminate())
  const peer = new Peer(socket)
  await once(socket, 'open')
  return peer
}

/** Opens one through a gateway, up to its target's answer. */
export async function dialTarget(
  { ws, key }: { readonly ws: string; readonly key: string },
  url: string,
  more: Record<string, unknown> = {},
): Promise<{ readonly client: Peer; readonly answer: Record<string, unknown> }> {
  const client = await dial(ws)
  client.socket.send(JSON.stringify({ apiKey: key, url, ...more }))
  return { client, answer: await client.json() }
}

/** A WebSocket server of the wide world. */
export interface SocketTarget {
  /** Such as `ws://127.0.0.1:40123/`. */
  readonly url: string
  /** Those that are there, the oldest first. */
  readonly peers: readonly Peer[]
  readonly requests: readonly IncomingMessage[]
  readonly sockets: readonly Socket[]
  /** Waits for its nth WebSocket. */
  peer(index?: number): Promise<Peer>
}

/** A target that does with each WebSocket as told; by default it sends back what it gets. */
export async function startTarget(
  behave: (peer: Peer) => void = echo,
  options: ServerOptions & { readonly tls?: boolean } = {},
): Promise<SocketTarget> {
  const { tls = false, ...rest } = options
  const peers: Peer[] = []
  const requests: IncomingMessage[] = []
  const sockets: Socket[] = []
  const http = tls ? createTlsServer({ key: KEY, cert: CERTIFICATE }) : createServer()
  const server = new WebSocketServer({ server: http, ...rest })
  http.on('connection', (socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
  })
  server.on('connection', (socket, request) => {
    const peer = new Peer(socket)
    requests.push(request)
    peers.push(peer)
    behave(peer)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  afterwards(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => {
      http.close(() => resolve())
    })
  })
  const { port } = http.address() as AddressInfo
  return {
    url: `${tls ? 'wss' : 'ws'}://127.0.0.1:${port}/`,
    peers,
    requests,
    sockets,
    async peer(index = 0) {
      const lateMs = Date.now() + PATIENCE_MS
      while (peers.length <= index) {
        if (Date.now() > lateMs) throw new Error('the target was not reached within 5 s')
        await new Promise((resolve) => {
          setTimeout(resolve, 5)
        })
      }
      return peers[index]
    },
  }
}

/** Sends back what it gets. */
export function echo({ socket }: Peer): void {
  socket.on('message', (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }))
}

/** Says nothing. */
export function silent(): void {}
