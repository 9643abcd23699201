import type { AMQPMessage } from '@cloudamqp/amqp-client'
import { Scheduler, memoryStore } from '@ostler/core'
import { createGuard } from '@ostler/gateway'
import { describe, expect, test } from 'vitest'
import { Patience } from '../../packages/gateway/src/agents/patience.ts'
import { reachBroker } from '../../packages/gateway/src/amqp/connect.ts'
import { until } from '../servers/until.ts'
import { startGateway, useBroker, type PostOptions } from './rig/amqp.ts'
import { CERTIFICATE, KEY, TRUSTING } from './rig/certificate.ts'

const at = useBroker({
  rabbit: { conf: ['max_message_size = 200000'], tls: { key: KEY, cert: CERTIFICATE } },
})

interface Answer {
  readonly status: number
  readonly replayed: boolean
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any
}

async function publish(body: object = {}, options?: PostOptions): Promise<Answer> {
  const asked = { url: at.rabbit.url, routingKey: at.queue, body: 'hello', ...body }
  const response = await at.gateway.post('/amqp/publish', asked, options)
  const replayed = response.headers.get('idempotent-replayed') === 'true'
  return { status: response.status, replayed, body: await response.json() }
}

async function taken(): Promise<AMQPMessage> {
  const message = await at.broker.basicGet(at.queue)
  if (message === null) throw new Error('the queue is empty')
  return message
}

async function depth(): Promise<number> {
  return (await at.broker.queueDeclare(at.queue, { passive: true })).messageCount
}

describe('a message', () => {
  test('is there when the answer says confirmed, as it was given', async () => {
    const properties = {
      contentType: 'text/plain',
      headers: {
        small: 7,
        large: 3_000_000_000,
        larger: Number.MAX_SAFE_INTEGER,
        part: 0.1,
        none: null,
        deep: { list: [1, 'a', false] },
      },
      deliveryMode: 2,
      priority: 4,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '60000',
      messageId: 'm',
      timestamp: '2024-05-06T07:08:09Z',
      type: 't',
      userId: 'ostler',
      appId: 'a',
    }
    expect(await publish({ body: 'grüße', properties })).toEqual({
      status: 200,
      replayed: false,
      body: {
        outcome: 'confirmed',
        meta: {
          agent: { id: 'de1', country: 'DE' },
          attempts: 1,
          distanceKm: null,
          timingMs: expect.any(Number) as number,
          requestId: expect.stringMatching(/^req_/) as string,
        },
      },
    })
    const message = await taken()
    expect(message.bodyToString()).toBe('grüße')
    expect(message.properties).toEqual({
      ...properties,
      timestamp: new Date(properties.timestamp),
    })
  })

  test('may be bytes, and longer than a frame', async () => {
    const bytes = Buffer.alloc(150_000, 0xfe)
    await publish({ body: bytes.toString('base64'), encoding: 'base64' })
    expect(Buffer.from((await taken()).body ?? []).equals(bytes)).toBe(true)
  })

  test('goes to an exchange, and is returned where it is mandatory and no queue gets it', async () => {
    await at.broker.exchangeDeclare('out', 'direct')
    await at.broker.queueBind(at.queue, 'out', 'here')
    const to = { exchange: 'out', mandatory: true }
    expect((await publish({ ...to, routingKey: 'here' })).body.outcome).toBe('confirmed')
    expect(await depth()).toBe(1)
    expect((await publish({ ...to, routingKey: 'nowhere' })).body).toMatchObject({
      outcome: 'returned',
      reply: { code: 312, text: 'NO_ROUTE' },
    })
    const unasked = await publish({ exchange: 'out', routingKey: 'nowhere' })
    expect(unasked.body.outcome).toBe('confirmed')
  })

  test('is rejected by a queue that is full', async () => {
    at.queue = `${at.queue}-full`
    await at.broker.queueDeclare(
      at.queue,
      {},
      { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
    )
    expect((await publish()).body.outcome).toBe('confirmed')
    expect(await publish()).toMatchObject({ status: 200, body: { outcome: 'rejected' } })
    expect(await depth()).toBe(1)
  })
})

describe('a failure says what it was, and whether the message may be there', () => {
  const failure = async (body: object): Promise<unknown> => {
    const { status, body: answer } = await publish(body)
    const { code, details } = answer.error
    return [status, code, details.amqp?.code, details.amqp?.replyCode, details.published]
  }

  test('refused by the broker', async () => {
    const url = at.rabbit.url.replace('hush-hush', 'wrong')
    expect(await failure({ url })).toEqual([502, 'BAD_GATEWAY', 'ACCESS_REFUSED', 403, 'no'])
    expect(await failure({ exchange: 'none' })).toEqual([
      502,
      'BAD_GATEWAY',
      'NOT_FOUND',
      404,
      'no',
    ])
    const narrow = { url: at.rabbit.narrowUrl, exchange: 'amq.direct' }
    expect(await failure(narrow)).toEqual([502, 'BAD_GATEWAY', 'ACCESS_REFUSED', 403, 'no'])
    const userId = { properties: { userId: 'somebody' } }
    expect(await failure(userId)).toEqual([502, 'BAD_GATEWAY', 'PRECONDITION_FAILED', 406, 'no'])
    expect(await failure({ body: 'x'.repeat(200_001) })).toEqual([
      502,
      'BAD_GATEWAY',
      'PRECONDITION_FAILED',
      406,
      'no',
    ])
    expect(at.gateway.logged.join('')).not.toMatch(/hush|wrong|ostler:/)
  })

  test('refused by the gateway', async () => {
    const refused = async (body: object): Promise<unknown> => {
      const { status, body: answer } = await publish(body)
      return [status, answer.error.code]
    }
    const invalid = [422, 'VALIDATION_ERROR']
    expect(await refused({ routingKey: 'ü'.repeat(200) })).toEqual(invalid)
    expect(await refused({ properties: { timestamp: 'soon' } })).toEqual(invalid)
    expect(await refused({ properties: { headers: { x: 'y'.repeat(140_000) } } })).toEqual(invalid)
    expect(await refused({ body: '%', encoding: 'base64' })).toEqual(invalid)
    let deep: object = {}
    for (let i = 0; i < 20; i++) deep = { deep }
    expect(await refused({ properties: { headers: deep } })).toEqual(invalid)
    expect(await refused({ url: 'amqp://169.254.169.254' })).toEqual([403, 'TARGET_FORBIDDEN'])
    expect(await refused({ geo: 'JP;strict' })).toEqual([502, 'NO_AGENT_AVAILABLE'])
    expect(await depth()).toBe(0)
  })

  test('not taken for now, by a broker that is short of memory', async () => {
    await at.rabbit.ctl('set_vm_memory_high_watermark', 'absolute', '1MB')
    try {
      expect(await failure({ timeout: 1 })).toEqual([
        504,
        'TARGET_TIMEOUT',
        'CONNECTION_BLOCKED',
        undefined,
        'unknown',
      ])
    } finally {
      await at.rabbit.ctl('set_vm_memory_high_watermark', '0.4')
    }
  })

  test('not confirmed in time', async () => {
    await at.rabbit.pause()
    try {
      const answer = await failure({ timeout: 0.5 })
      expect(answer).toEqual([504, 'TARGET_TIMEOUT', 'CONNECT_TIMEOUT', undefined, 'no'])
    } finally {
      at.rabbit.resume()
    }
  })
})

describe('with an idempotency key', () => {
  const once = (key: string): PostOptions => ({ headers: { 'idempotency-key': key } })

  test('a message is published once, and its repeat is answered alike', async () => {
    const first = await publish({}, once('a'))
    const second = await publish({}, once('a'))
    expect(second).toEqual({ ...first, replayed: true })
    expect(await depth()).toBe(1)
    expect(await publish({ body: 'other' }, once('a'))).toMatchObject({
      status: 409,
      body: { error: { code: 'IDEMPOTENCY_KEY_REUSED' } },
    })
  })

  test('what certainly was not published may be asked for again', async () => {
    const body = { exchange: `late-${at.queue}` }
    expect(await publish(body, once('b'))).toMatchObject({ status: 502, replayed: false })
    await at.broker.exchangeDeclare(body.exchange, 'fanout')
    expect(await publish(body, once('b'))).toMatchObject({ status: 200, replayed: false })
  })

  test('what may have been published is not published again', async () => {
    await at.rabbit.ctl('set_vm_memory_high_watermark', 'absolute', '1MB')
    const first = await publish({ timeout: 1 }, once('c'))
    await at.rabbit.ctl('set_vm_memory_high_watermark', '0.4')
    expect(first).toMatchObject({ status: 504, replayed: false })
    expect(await publish({ timeout: 1 }, once('c'))).toEqual({ ...first, replayed: true })
  })
})

test('usage counts messages, and what went wrong', async () => {
  const { gateway: other, post, url, key } = await startGateway([at.agent])
  await post('/amqp/publish', { url: at.rabbit.url, routingKey: at.queue, body: 'x' })
  await post('/amqp/publish', {
    url: at.rabbit.url,
    routingKey: at.queue,
    exchange: 'none',
    body: 'x',
  })
  const used = await fetch(`${url}/usage`, { headers: { authorization: `Bearer ${key}` } })
  expect(JSON.stringify(await used.json())).toContain('"amqp":2')
  await other.close()
})

test('reaches a broker over TLS, whose certificate is checked', async () => {
  const scheduler = new Scheduler({ store: memoryStore(), tiers: {} })
  scheduler.agents.upsert([{ id: at.agent.id, url: at.agent.url }])
  const parts = {
    scheduler,
    guard: createGuard({ allow: ['127.0.0.1/32'] }),
    resolveAt: 'gateway',
    maxMessageBytes: 1_000,
    nowMs: () => Date.now(),
  } as const
  const asked = {
    url: at.rabbit.secureUrl,
    geo: null,
    session: null,
    attempts: 1,
    timeoutMs: 5_000,
  }
  const { signal } = new AbortController()
  const reach = async (more: object): ReturnType<typeof reachBroker> =>
    reachBroker({ ...parts, ...more }, asked, new Patience(5_000, signal), signal)
  await expect(reach({})).rejects.toMatchObject({ code: 'BAD_GATEWAY' })
  const { result } = await reach({ trust: TRUSTING })
  expect(result.kind).toBe('open')
  if (result.kind === 'open') await result.client.leave()
  scheduler.close()
})

test('a connection is over when its message is', async () => {
  await publish()
  await until('one connection is left', async () => {
    const listed = await at.rabbit.ctl('list_connections', '--quiet', 'pid')
    return (
      listed
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('<')).length === 1
    )
  })
})
