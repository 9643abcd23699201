import { describe, expect, test } from 'vitest'
import { until } from '../servers/until.ts'
import { startAgent, startGateway, useBroker, type PostOptions } from './rig/amqp.ts'
import type { EventReader } from './rig/events.ts'

const at = useBroker({ gateway: { maxResponseBytes: 100_000 } })

/** A stream of the test's queue. */
async function consume(body: object = {}, options: PostOptions = {}): Promise<EventReader> {
  return at.gateway.consume({ url: at.rabbit.url, queue: at.queue, ...body }, options)
}

async function publish(body: string | Uint8Array, properties = {}): Promise<void> {
  await at.broker.basicPublish('', at.queue, body, properties)
}

/** How many messages wait in the queue, and how many consumers it has. */
async function depth(name = at.queue): Promise<{ messageCount: number; consumerCount: number }> {
  return at.broker.queueDeclare(name, { passive: true })
}

async function untilDepth(messages: number, consumers: number): Promise<void> {
  await until(`${at.queue} has ${messages} messages and ${consumers} consumers`, async () => {
    const { messageCount, consumerCount } = await depth()
    return messageCount === messages && consumerCount === consumers
  })
}

describe('a stream', () => {
  test('begins with who serves it, and brings messages as they were published', async () => {
    const headers = { n: 3, ratio: 1.5, deep: { list: [1, 'two', true, null] } }
    const timestamp = new Date('2024-05-06T07:08:09Z')
    await publish('{ "a": 1.0 }', {
      contentType: 'application/json',
      headers,
      timestamp,
      messageId: 'm1',
      deliveryMode: 2,
    })
    await publish(Uint8Array.of(0, 255, 10))
    const stream = await consume()
    expect(stream.response.headers.get('content-type')).toContain('text/event-stream')
    expect(await stream.expect('ready')).toEqual({
      stream: expect.stringMatching(/^st_[0-9a-f]{32}$/) as string,
      agent: { id: 'de1', country: 'DE' },
      queue: at.queue,
      ack: 'auto',
      prefetch: 20,
      requestId: stream.response.headers.get('x-request-id'),
    })
    expect(await stream.expect('message')).toEqual({
      delivery: '1',
      exchange: '',
      routingKey: at.queue,
      redelivered: false,
      properties: {
        contentType: 'application/json',
        headers,
        timestamp: '2024-05-06T07:08:09.000Z',
        messageId: 'm1',
        deliveryMode: 2,
      },
      body: '{ "a": 1.0 }',
      encoding: 'text',
    })
    expect(await stream.expect('message')).toMatchObject({ body: 'AP8K', encoding: 'base64' })
    await stream.cancel()
    await untilDepth(0, 0)
  })

  test('acknowledges by itself what it has handed on, and no more than that', async () => {
    for (let i = 0; i < 30; i++) await publish(`m${i}`, { contentType: 'text/plain' })
    const stream = await consume({ prefetch: 3 })
    await stream.expect('ready')
    for (let i = 0; i < 30; i++) {
      expect(await stream.expect('message')).toMatchObject({ body: `m${i}` })
    }
    await untilDepth(0, 1)
    await stream.cancel()
    await untilDepth(0, 0)
  })

  test('tells a compressed body as bytes, whatever its type says', async () => {
    await publish('not gzip', { contentType: 'text/plain', contentEncoding: 'gzip' })
    const stream = await consume()
    await stream.expect('ready')
    expect(await stream.expect('message')).toMatchObject({ encoding: 'base64' })
    await stream.cancel()
  })

  test('declares a queue of its own, bound to exchanges, which goes with it', async () => {
    await at.broker.exchangeDeclare('news', 'topic')
    const stream = await consume({
      queue: undefined,
      declare: { bindings: [{ exchange: 'news', routingKey: 'de.#' }] },
    })
    const { queue: own } = await stream.expect('ready')
    expect(own).toMatch(/^amq\.gen/)
    await at.broker.basicPublish('news', 'fr.oats', 'no')
    await at.broker.basicPublish('news', 'de.oats', 'yes', { contentType: 'text/plain' })
    expect(await stream.expect('message')).toMatchObject({ routingKey: 'de.oats', body: 'yes' })
    await stream.cancel()
    await until('the queue is gone', async () => {
      const probe = await at.client.channel()
      return probe.queueDeclare(own, { passive: true }).then(
        () => probe.close().then(() => false),
        (error: Error) => error.message.includes('NOT_FOUND'),
      )
    })
  })

  test('goes through an agent where the hint says', async () => {
    const [de, us] = [await startAgent('de2', 'DE'), await startAgent('us2', 'US')]
    const other = await startGateway([de, us])
    for (const [country, id] of [
      ['US', 'us2'],
      ['DE', 'de2'],
    ]) {
      const stream = await other.consume({
        url: at.rabbit.url,
        queue: at.queue,
        geo: `${country};strict`,
      })
      expect(await stream.expect('ready')).toMatchObject({ agent: { id, country } })
      await stream.cancel()
    }
    await other.gateway.close()
    await Promise.all([de.close(), us.close()])
  })

  test('tells of a message that is too large, and leaves it with the broker', async () => {
    await publish('x'.repeat(100_001))
    await publish('small', { contentType: 'text/plain' })
    const stream = await consume()
    await stream.expect('ready')
    expect(await stream.expect('error')).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      severity: 'warning',
      final: false,
      delivery: '1',
    })
    expect(await stream.expect('message')).toMatchObject({ body: 'small', delivery: '2' })
    await stream.cancel()
    await untilDepth(1, 0)
  })

  test('ends where nothing but messages that are too large can come', async () => {
    for (let i = 0; i < 2; i++) await publish('x'.repeat(300_000))
    const stream = await consume({ prefetch: 2 })
    await stream.expect('ready')
    await stream.expect('error')
    await stream.expect('error')
    expect(await stream.expect('error')).toMatchObject({ code: 'MESSAGE_TOO_LARGE', final: true })
    expect(await stream.expect('end')).toEqual({ reason: 'error', messages: 0 })
    expect(await stream.next()).toBeNull()
    await untilDepth(2, 0)
  })
})

describe('acknowledgement by hand', () => {
  const ack = async (
    id: string,
    body: unknown,
    options?: PostOptions,
  ): Promise<{ status: number; answer: unknown }> => {
    const response = await at.gateway.post(`/amqp/streams/${id}/ack`, body, options)
    return { status: response.status, answer: await response.json() }
  }

  test('holds messages until they are settled, at most as many as are prefetched', async () => {
    for (let i = 0; i < 5; i++) await publish(`m${i}`, { contentType: 'text/plain' })
    const stream = await consume({ ack: 'manual', prefetch: 2 })
    const { stream: id } = await stream.expect('ready')
    await stream.expect('message')
    await stream.expect('message')
    await untilDepth(3, 1)
    expect(await ack(id, { deliveries: ['1', '2', '9'] })).toEqual({
      status: 200,
      answer: { settled: ['1', '2'], unknown: ['9'] },
    })
    expect(await stream.expect('message')).toMatchObject({ delivery: '3', body: 'm2' })
    expect(await stream.expect('message')).toMatchObject({ delivery: '4', body: 'm3' })
    expect(await ack(id, { deliveries: ['1'] })).toMatchObject({ answer: { unknown: ['1'] } })
    await stream.cancel()
    await untilDepth(3, 0)
  })

  test('puts back into the queue, or drops, as it is told', async () => {
    await at.broker.queueDeclare(`${at.queue}-dead`)
    const args = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': `${at.queue}-dead` }
    at.queue = `${at.queue}-live`
    await at.broker.queueDeclare(at.queue, {}, args)
    await publish('again', { contentType: 'text/plain' })
    const stream = await consume({ ack: 'manual' })
    const { stream: id } = await stream.expect('ready')
    expect(await stream.expect('message')).toMatchObject({ redelivered: false })
    await ack(id, { deliveries: ['1'], action: 'requeue' })
    expect(await stream.expect('message')).toMatchObject({ delivery: '2', redelivered: true })
    await ack(id, { deliveries: ['2'], action: 'nack' })
    await until('it is dead', async () => {
      const { messageCount } = await depth(at.queue.replace('-live', '-dead'))
      return messageCount === 1
    })
    await stream.cancel()
  })

  test('settles a message that was too large', async () => {
    await publish('x'.repeat(200_000))
    const stream = await consume({ ack: 'manual' })
    const { stream: id } = await stream.expect('ready')
    await stream.expect('error')
    expect(await ack(id, { deliveries: ['1'], action: 'nack' })).toMatchObject({ status: 200 })
    await stream.cancel()
    await untilDepth(0, 0)
  })

  test('is for the key that owns the stream alone, while it is open', async () => {
    const stream = await consume({ ack: 'manual' })
    const { stream: id } = await stream.expect('ready')
    const body = { deliveries: ['1'] }
    expect(await ack(id, body, { key: at.gateway.otherKey })).toMatchObject({ status: 404 })
    expect(await ack(id, body)).toMatchObject({ status: 200 })
    await stream.cancel()
    await untilDepth(0, 0)
    expect(await ack(id, body)).toMatchObject({ status: 404 })
  })

  test('is refused where the stream acknowledges by itself', async () => {
    const stream = await consume()
    const { stream: id } = await stream.expect('ready')
    expect(await ack(id, { deliveries: ['1'] })).toMatchObject({
      status: 409,
      answer: { error: { code: 'CONFLICT' } },
    })
    await stream.cancel()
  })
})

describe('a caller', () => {
  const refusal = async (body: object, options?: PostOptions): Promise<unknown> => {
    const response = await at.gateway.post(
      '/amqp/consume',
      { url: at.rabbit.url, queue: at.queue, ...body },
      options,
    )
    const { error } = (await response.json()) as { error: { code: string } }
    return [response.status, error.code]
  }

  test('is told as everywhere what is wrong with his request', async () => {
    expect(await refusal({ queue: undefined })).toEqual([422, 'VALIDATION_ERROR'])
    expect(await refusal({ queue: 'ü'.repeat(200) })).toEqual([422, 'VALIDATION_ERROR'])
    expect(await refusal({ prefetch: 0 })).toEqual([422, 'VALIDATION_ERROR'])
    expect(await refusal({ more: 1 })).toEqual([422, 'VALIDATION_ERROR'])
    expect(await refusal({ url: 'https://example.com/' })).toEqual([400, 'INVALID_TARGET_URL'])
    expect(await refusal({ url: 'amqp://10.0.0.1/' })).toEqual([403, 'TARGET_FORBIDDEN'])
    expect(await refusal({ url: `${at.rabbit.url}/%zz` })).toEqual([400, 'INVALID_TARGET_URL'])
    expect(await refusal({ geo: 'nowhere' })).toEqual([400, 'INVALID_GEO'])
    expect(await refusal({ geo: 'JP;strict' })).toEqual([502, 'NO_AGENT_AVAILABLE'])
    expect(await refusal({}, { key: 'ak_test_x' })).toEqual([401, 'UNAUTHORIZED'])
    expect(await refusal({}, { key: at.gateway.fetchKey })).toEqual([403, 'INSUFFICIENT_SCOPE'])
  })

  test('has as many streams at once as his tier says, and gets one back that ended', async () => {
    const streams: EventReader[] = []
    for (let i = 0; i < 5; i++) streams.push(await consume())
    for (const stream of streams) await stream.expect('ready')
    expect(await refusal({})).toEqual([429, 'RATE_LIMITED'])
    await streams[0].cancel()
    await untilDepth(0, 4)
    await until('a permit is free', async () => {
      const response = await at.gateway.post('/amqp/consume', {
        url: at.rabbit.url,
        queue: at.queue,
      })
      await response.body?.cancel()
      return response.status === 200
    })
    for (const stream of streams.slice(1)) await stream.cancel()
    await untilDepth(0, 0)
  })

  test('is counted once for a stream', async () => {
    const left = async (): Promise<number> => {
      const response = await at.gateway.post('/amqp/streams/none/ack', { deliveries: ['1'] })
      return Number(response.headers.get('x-ratelimit-remaining'))
    }
    const before = await left()
    const stream = await consume()
    await stream.expect('ready')
    expect(await left()).toBe(before - 2)
    await stream.cancel()
  })
})

test('what is measured says how many streams are open, and what they came to', async () => {
  const stream = await consume()
  await stream.expect('ready')
  const metrics = async (): Promise<string> => (await fetch(`${at.gateway.url}/metrics`)).text()
  expect(await metrics()).toMatch(/^ostler_amqp_streams [1-9]/m)
  await stream.cancel()
  await untilDepth(0, 0)
  await until('none is open', async () => (await metrics()).includes('ostler_amqp_streams 0'))
  expect(await metrics()).toMatch(/ostler_outcomes_total\{protocol="amqp",outcome="ok"\} [1-9]/)
})

test('no log line holds credentials', () => {
  expect(at.gateway.logged.length).toBeGreaterThan(10)
  expect(at.gateway.logged.join('')).not.toMatch(/hush|ostler:/)
})
