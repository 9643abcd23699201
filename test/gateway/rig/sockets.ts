import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach } from 'vitest'
import { CERTIFICATE, KEY } from './certificate.ts'

/** A server on a free loopback port, closed after the test with all its connections. */
export interface Listening {
  readonly port: number
  /** Every connection that was made, the oldest first. */
  readonly sockets: readonly Socket[]
  close(): Promise<void>
}

const running = new Set<Listening>()

afterEach(async () => {
  for (const server of running) await server.close()
})

/** What a server does with a connection, from its first byte on. */
export type Behaviour = (socket: Socket) => void

/** A server that does as told; with TLS, once that is agreed. */
export async function serve(
  behaviour: Behaviour,
  { tls = false, host = '127.0.0.1' }: { readonly tls?: boolean; readonly host?: string } = {},
): Promise<Listening> {
  return listen(
    tls
      ? createTlsServer({ key: KEY, cert: CERTIFICATE, ALPNProtocols: ['http/1.1'] })
      : createServer(),
    tls ? 'secureConnection' : 'connection',
    behaviour,
    host,
  )
}

/** Starts any server, and keeps count of its connections. */
export async function listen(
  server: Server,
  event: 'connection' | 'secureConnection' = 'connection',
  behaviour: Behaviour = () => {},
  host = '127.0.0.1',
): Promise<Listening> {
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
  })
  server.on(event, (socket: Socket) => {
    socket.on('error', () => {})
    behaviour(socket)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, resolve)
  })
  const { port } = server.address() as AddressInfo
  const listening = {
    port,
    sockets,
    close: async () => {
      running.delete(listening)
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
  running.add(listening)
  return listening
}
