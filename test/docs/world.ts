import { once } from 'node:events'
import { createServer, request as httpRequest, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { Resolver } from 'node:dns/promises'
import { AMQPClient } from '@cloudamqp/amqp-client'
import { SCOPES, type Scope } from '@ostler/api'
import { createGateway, hashKey, keyRing } from '@ostler/gateway'
import { WebSocketServer } from 'ws'
import { startRabbit } from '../servers/rabbit.ts'

/** The world of the pages: a gateway that listens, and the hosts that examples name. */
export interface World {
  readonly url: string
  readonly key: string
  close(): Promise<void>
}

/** What stands in the pages in place of a key. */
const KEY = 'ak_live_YOUR_KEY_OF_OSTLER_KEYS'
const SECRET = 'a secret of the pages'
const PLACES = [
  ['de1', 'DE'],
  ['de2', 'DE'],
  ['fr1', 'FR'],
] as const
const HOSTS = ['shop.example', 'live.example', 'broker.example']

export interface WorldOptions {
  readonly broker?: boolean
  /** Requests in two minutes. */
  readonly limit?: number
  readonly scopes?: readonly Scope[]
  readonly agents?: readonly (readonly [id: string, country: string])[]
}

/** Starts it; the broker only where it is asked for, as that takes a while. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { broker = false, limit = 1000, scopes = SCOPES, agents: places = PLACES } = options
  const closing: (() => Promise<unknown>)[] = []
  const shop = createServer((request, response) => {
    response.setHeader('content-type', 'text/plain; charset=utf-8')
    request.resume().once('end', () => response.end('Oats, 4.20 a sack.'))
  })
  const ports = new Map([['shop.example:80', await listen(shop, closing)]])
  const live = createServer()
  new WebSocketServer({ server: live }).on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  ports.set('live.example:80', await listen(live, closing))
  if (broker) {
    const rabbit = await startRabbit()
    closing.push(() => rabbit.stop())
    await rabbit
      .ctl('add_user', 'guest', 'guest')
      .catch(() => rabbit.ctl('change_password', 'guest', 'guest'))
    await rabbit.ctl('set_permissions', 'guest', '.*', '.*', '.*')
    const client = new AMQPClient(rabbit.url)
    await client.connect()
    await (await client.channel()).queueDeclare('orders')
    await client.close()
    ports.set('broker.example:5672', rabbit.port)
  }
  const agents = []
  for (const [id, country] of places) {
    const port = await listen(agentOf(ports), closing)
    agents.push({ id, country, url: `http://127.0.0.1:${port}` })
  }
  closing.push(nameHosts())
  const hash = hashKey(KEY, SECRET)
  const gateway = await createGateway({
    keys: keyRing([{ id: 'key_docs', tier: 'docs', scopes, createdAtMs: 1, hash }], SECRET),
    tiers: { docs: { policies: [{ name: 'docs', limit, windowMs: 120_000 }], permits: 10 } },
    agents,
    allowTargets: HOSTS,
    resolveAt: 'agent',
    log: false,
    drainMs: 100,
  })
  closing.push(() => gateway.close())
  const url = await gateway.listen({ port: 0 })
  const close = async (): Promise<void> => {
    for (const end of closing.toReversed()) await end()
  }
  return { url, key: KEY, close }
}

async function listen(server: Server, closing: (() => Promise<unknown>)[]): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return (server.address() as AddressInfo).port
}

/** A forward proxy that knows where the hosts of the examples are. */
function agentOf(ports: ReadonlyMap<string, number>): Server {
  const agent = createServer((request, response) => {
    const { host, port, pathname, search } = new URL(request.url ?? '')
    const to = ports.get(`${host}:${port === '' ? '80' : port}`)
    const { method, headers } = request
    const options = { host: '127.0.0.1', port: to, method, headers, path: `${pathname}${search}` }
    const onward = httpRequest(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  agent.on('connect', (request, socket) => {
    const to = connect(ports.get(request.url ?? '') ?? 0, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n')
      to.pipe(socket).pipe(to)
    })
    to.on('error', () => socket.destroy())
    socket.on('error', () => to.destroy())
    socket.once('close', () => to.destroy())
  })
  return agent
}

/** No name server knows the hosts of examples (RFC 6761, section 6.5): these are told here. */
function nameHosts(): () => Promise<void> {
  const resolve4 = Resolver.prototype.resolve4 as (host: string) => Promise<string[]>
  const named = async function (this: Resolver, host: string): Promise<string[]> {
    return HOSTS.includes(host) ? ['127.0.0.1'] : resolve4.call(this, host)
  }
  Object.assign(Resolver.prototype, { resolve4: named })
  return async () => {
    Object.assign(Resolver.prototype, { resolve4 })
  }
}
