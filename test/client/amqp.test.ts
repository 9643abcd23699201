import { AMQPClient, type AMQPChannel } from '@cloudamqp/amqp-client'
import { Ostler, type ConsumeOptions, type QueueMessage } from '@ostler/client'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startAgent, startGateway, type TestAgent, type TestGateway } from '../gateway/rig/amqp.ts'
import { revocable } from '../gateway/rig/gateway.ts'
import { startRabbit, type RabbitServer } from '../servers/rabbit.ts'
import { until } from '../servers/until.ts'
import { failure } from './rig/failure.ts'

let rabbit: RabbitServer
let agent: TestAgent
let gateway: TestGateway
let client: Ostler
let connection: AMQPClient
let broker: AMQPChannel
let queue: string
let count = 0

beforeAll(async () => {
  rabbit = await startRabbit()
  agent = await startAgent('de1')
  gateway = await startGateway([agent], { maxResponseBytes: 100_000 })
  client = new Ostler({ apiKey: gateway.key, baseUrl: gateway.url, maxRetries: 0 })
  connection = new AMQPClient(rabbit.url)
  await connection.connect()
}, 90_000)

afterAll(async () => {
  await gateway?.gateway.close()
  await agent?.close()
  await connection?.close().catch(() => undefined)
  await rabbit?.stop()
})

beforeEach(async () => {
  broker = await connection.channel()
  queue = `q${count++}`
  await broker.queueDeclare(queue)
})

async function put(body: string): Promise<void> {
  await broker.basicPublish('', queue, body, { contentType: 'text/plain' })
}

async function untilDepth(messages: number, consumers: number): Promise<void> {
  await until(`${queue} has ${messages} messages and ${consumers} consumers`, async () => {
    const depth = await broker.queueDeclare(queue, { passive: true })
    return depth.messageCount === messages && depth.consumerCount === consumers
  })
}

/** The first so many messages of the queue. */
async function first(most: number, options: Partial<ConsumeOptions> = {}): Promise<QueueMessage[]> {
  const messages: QueueMessage[] = []
  for await (const message of client.amqp.consume({ url: rabbit.url, queue, ...options })) {
    messages.push(message)
    if (messages.length === most) break
  }
  return messages
}

test('what is published comes out of the queue, as it went in', async () => {
  const properties = { contentType: 'application/json', headers: { n: 1 }, correlationId: 'c' }
  const answer = await client.amqp.publish({
    url: rabbit.url,
    routingKey: queue,
    properties,
    body: '{"oats":4}',
  })
  expect(answer).toMatchObject({ outcome: 'confirmed', meta: { agent: { id: 'de1' } } })
  const [message] = await first(1)
  expect(message).toMatchObject({
    body: '{"oats":4}',
    encoding: 'text',
    routingKey: queue,
    properties,
  })
  // Who leaves the loop has left the queue.
  await untilDepth(0, 0)
})

test('a message that no queue gets is returned', async () => {
  const asked = { url: rabbit.url, routingKey: 'nowhere', body: 'x', mandatory: true }
  expect(await client.amqp.publish(asked)).toMatchObject({
    outcome: 'returned',
    reply: { code: 312 },
  })
})

test('a message whose confirmation was lost is published once', async () => {
  let losses = 0
  const unlucky = new Ostler({
    apiKey: gateway.key,
    baseUrl: gateway.url,
    maxRetries: 1,
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      if (losses++ > 0) return response
      await response.body?.cancel()
      throw new TypeError('the connection was reset')
    },
  })
  const asked = { url: rabbit.url, routingKey: queue, body: 'Oats' }
  expect(await unlucky.amqp.publish(asked)).toMatchObject({ outcome: 'confirmed' })
  await untilDepth(1, 0)
})

test('by hand each message is settled as it is said, and the rest goes back', async () => {
  for (const body of ['a', 'b', 'c']) await put(body)
  const stream = client.amqp.consume({ url: rabbit.url, queue, ack: 'manual' })
  expect(stream.ready).toBeNull()
  const bodies: string[] = []
  for await (const message of stream) {
    bodies.push(message.body)
    if (message.body === 'a') {
      expect(await message.settle('ack')).toEqual({ settled: [message.delivery], unknown: [] })
    } else if (message.body === 'b') {
      const told = await stream.settle([message.delivery, '999'], 'nack')
      expect(told).toEqual({ settled: [message.delivery], unknown: ['999'] })
    } else break
  }
  expect(bodies).toEqual(['a', 'b', 'c'])
  expect(stream.ready).toMatchObject({ queue, ack: 'manual', agent: { id: 'de1' } })
  await untilDepth(1, 0)
})

test('a stream is gone through once', async () => {
  await put('Oats')
  const stream = client.amqp.consume({ url: rabbit.url, queue })
  for await (const _ of stream) break
  expect(await failure(stream[Symbol.asyncIterator]().next())).toMatchObject({
    code: 'INVALID_REQUEST',
  })
})

test('the signal ends it while nothing comes, and the reason is told', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const waiting = failure(first(1, { signal: controller.signal }))
  await untilDepth(0, 1)
  controller.abort(reason)
  expect(await waiting).toMatchObject({ name: 'APIAbortError', cause: reason })
  await untilDepth(0, 0)
})

test('what ends the stream is an error by its code', async () => {
  const waiting = failure(first(1))
  await untilDepth(0, 1)
  await broker.queueDelete(queue)
  const error = await waiting
  expect(error).toBeInstanceOf(Ostler.AMQPError)
  expect(error).toMatchObject({ code: 'CONSUMER_CANCELLED', severity: 'error', retryable: true })
})

test('a stream whose key is revoked ends with an error that names its request', async () => {
  const { key, keys, revoke } = revocable({ tier: 'test' })
  const other = await startGateway([agent], { keys })
  const asked = new Ostler({ apiKey: key, baseUrl: other.url, maxRetries: 0 })
  const stream = asked.amqp.consume({ url: rabbit.url, queue })
  const reading = failure(stream[Symbol.asyncIterator]().next())
  await untilDepth(0, 1)
  revoke()
  const error = await reading
  expect(error).toBeInstanceOf(Ostler.AMQPError)
  const requestId = expect.stringMatching(/^req_[0-9a-f]{32}$/)
  expect(error).toMatchObject({
    code: 'KEY_REVOKED',
    severity: 'fatal',
    retryable: false,
    requestId,
  })
  expect(error).toMatchObject({ requestId: stream.ready?.requestId })
  await other.gateway.close()
}, 15_000)

test('what the broker refuses is an error by its code, with the reply of the broker', async () => {
  const error = await failure(first(1, { queue: 'no-such-queue' }))
  expect(error).toBeInstanceOf(Ostler.AMQPError)
  expect(error).toMatchObject({ code: 'NOT_FOUND', replyCode: 404, retryable: false })
})

test('what the gateway refuses is an error as everywhere', async () => {
  const others = new Ostler({ apiKey: gateway.fetchKey, baseUrl: gateway.url, maxRetries: 0 })
  const stream = others.amqp.consume({ url: rabbit.url, queue })
  const error = await failure(stream[Symbol.asyncIterator]().next())
  expect(error).toBeInstanceOf(Ostler.InsufficientScopeError)
  const asked = { url: rabbit.url, routingKey: queue, body: 'x', timeout: -1 }
  expect(await failure(client.amqp.publish(asked))).toBeInstanceOf(Ostler.ValidationError)
})

test('a message that is too large is a warning, and the rest comes', async () => {
  await put('x'.repeat(200_000))
  await put('Oats')
  const warnings: unknown[] = []
  const [message] = await first(1, {
    ack: 'manual',
    onWarning: (warning) => warnings.push(warning),
  })
  expect(message.body).toBe('Oats')
  expect(warnings).toMatchObject([{ code: 'MESSAGE_TOO_LARGE', final: false }])
})

test('it ends with the gateway, without an error', async () => {
  const other = await startGateway([agent])
  const theirs = new Ostler({ apiKey: other.key, baseUrl: other.url })
  const reading = (async () => {
    for await (const _ of theirs.amqp.consume({ url: rabbit.url, queue })) continue
    return 'ended'
  })()
  await untilDepth(0, 1)
  await other.gateway.close()
  expect(await reading).toBe('ended')
})
