import type { AddressInfo } from 'node:net'
import { AMQPClient, type AMQPChannel } from '@cloudamqp/amqp-client'
import { createGateway, type Gateway, type GatewayOptions } from '@ostler/gateway'
import { Server } from 'proxy-chain'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { startRabbit, type RabbitOptions, type RabbitServer } from '../../servers/rabbit.ts'
import { EventReader } from './events.ts'
import { makeKey, ringOf } from './gateway.ts'

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
  const logged: string[] = []
  const scopes = [['amqp', 'usage'], ['amqp', 'usage'], ['fetch']] as const
  const keys = scopes.map((own, i) => makeKey({ id: `key_${i}`, tier: 'test', scopes: own }))
  const [{ key }, { key: otherKey }, { key: fetchKey }] = keys
  const gateway = await createGateway({
    keys: ringOf(...keys),
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
  const post: TestGateway['post'] = async (path, body, { key: by = key, headers, signal } = {}) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${by}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      ...(signal !== undefined && { signal }),
    })
  return {
    gateway,
    url,
    key,
    otherKey,
    fetchKey,
    logged,
    post,
    consume: async (body, asked) => {
      const response = await post('/amqp/consume', body, asked)
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
      return new EventReader(response)
    },
  }
}

/** What the tests of one file have in common. */
export interface AtBroker {
  rabbit: RabbitServer
  agent: TestAgent
  gateway: TestGateway
  client: AMQPClient
  /** The test's own channel, past the gateway. */
  broker: AMQPChannel
  /** The test's own queue. */
  queue: string
}

/** A broker, an agent and a gateway for all tests of a file, and a queue for each. What it gives is there once a test runs. */
export function useBroker(
  options: { readonly rabbit?: RabbitOptions; readonly gateway?: Partial<GatewayOptions> } = {},
): AtBroker {
  const at = {} as AtBroker
  let count = 0
  beforeAll(async () => {
    at.rabbit = await startRabbit(options.rabbit)
    at.agent = await startAgent('de1')
    at.gateway = await startGateway([at.agent], options.gateway)
    at.client = new AMQPClient(at.rabbit.url)
    await at.client.connect()
  }, 90_000)
  afterAll(async () => {
    await at.gateway?.gateway.close()
    await at.agent?.close()
    await at.client?.close().catch(() => undefined)
    await at.rabbit?.stop()
  })
  beforeEach(async () => {
    at.queue = `q${count++}`
    if (at.client.closed) await at.client.connect()
    at.broker = await at.client.channel()
    await at.broker.queueDeclare(at.queue)
  })
  return at
}
