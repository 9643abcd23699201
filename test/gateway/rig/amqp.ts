import type { AddressInfo } from 'node:net'
import {
  createGateway,
  hashKey,
  keyRing,
  newKey,
  type Gateway,
  type GatewayOptions,
} from '@ostler/gateway'
import { Server } from 'proxy-chain'
import { EventReader } from './events.ts'

export interface TestAgent {
  readonly id: string
  readonly country: string
  readonly url: string
  /** What has come from targets, over the connections that are open. */
  receivedBytes(): number
  /** Ends the proxy, with all that goes through it. */
  close(): Promise<void>
}

/** A forward proxy on loopback. */
export async function startAgent(id: string, country = 'DE'): Promise<TestAgent> {
  const server = new Server({ host: '127.0.0.1', port: 0 })
  await server.listen()
  const { port } = server.server.address() as AddressInfo
  const close = async (): Promise<void> => server.close(true)
  const receivedBytes = (): number =>
    server
      .getConnectionIds()
      .map((connection) => server.getConnectionStats(connection)?.trgRxBytes ?? 0)
      .reduce((sum, bytes) => sum + bytes, 0)
  return { id, country, url: `http://127.0.0.1:${port}`, receivedBytes, close }
}

export interface TestGateway {
  readonly gateway: Gateway
  readonly url: string
  /** Of every scope. */
  readonly key: string
  /** Another caller's, of every scope. */
  readonly otherKey: string
  /** Of the scope fetch alone. */
  readonly fetchKey: string
  readonly logged: readonly string[]
  post(path: string, body: unknown, options?: PostOptions): Promise<Response>
  /** Asks for a stream, and reads it. */
  consume(body: unknown, options?: PostOptions): Promise<EventReader>
}

export interface PostOptions {
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A gateway on loopback with these agents, whose log is kept. */
export async function startGateway(
  agents: readonly TestAgent[],
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  const secret = newKey('test')
  const keys = [newKey('test'), newKey('test'), newKey('test')]
  const logged: string[] = []
  const gateway = await createGateway({
    keys: keyRing(
      keys.map((key, i) => ({
        id: `key_${i}`,
        tier: 'test',
        scopes: i === 2 ? ['fetch'] : ['amqp', 'usage'],
        createdAtMs: Date.now(),
        hash: hashKey(key, secret),
      })),
      secret,
    ),
    tiers: {
      test: { policies: [{ name: 'test', limit: 1_000, windowMs: 60_000 }], permits: 5 },
    },
    agents: agents.map(({ id, country, url }) => ({ id, country, url })),
    allowTargets: ['127.0.0.1/32'],
    log: 'trace',
    logTo: { write: (line) => void logged.push(line) },
    drainMs: 2_000,
    ...options,
  })
  const url = await gateway.listen({ port: 0 })
  const post: TestGateway['post'] = async (path, body, { key = keys[0], headers, signal } = {}) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      ...(signal !== undefined && { signal }),
    })
  return {
    gateway,
    url,
    key: keys[0],
    otherKey: keys[1],
    fetchKey: keys[2],
    logged,
    post,
    consume: async (body, asked) => {
      const response = await post('/amqp/consume', body, asked)
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
      return new EventReader(response)
    },
  }
}
