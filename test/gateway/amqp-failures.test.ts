import { describe, expect, test } from 'vitest'
import { until } from '../servers/until.ts'
import { startAgent, startGateway, useBroker } from './rig/amqp.ts'
import type { EventReader, ServerEvent } from './rig/events.ts'
import { revocable } from './rig/gateway.ts'
import { serve } from './rig/sockets.ts'

const at = useBroker({
  // How long it waits for acknowledgements, and how often it looks: 30 minutes and one in the wild.
  rabbit: {
    conf: ['consumer_timeout = 3000', 'heartbeat = 2'],
    settings: [['channel_tick_interval', '500']],
  },
  gateway: { slowReaderMs: 1_000 },
})

async function consume(body: object = {}): Promise<EventReader> {
  return at.gateway.consume({ url: at.rabbit.url, queue: at.queue, ...body })
}

/** All events of a stream that ends by itself. */
async function events(body: object = {}): Promise<readonly ServerEvent[]> {
  return (await consume(body)).rest()
}

/** What a stream that never was ready says, whatever it says besides. */
function refusal(of: object): readonly object[] {
  return [
    { event: 'error', data: expect.objectContaining({ ...of, final: true }) as object },
    { event: 'end', data: { reason: 'error', messages: 0 } },
  ]
}

describe('the broker refuses', () => {
  test('credentials', async () => {
    const url = at.rabbit.url.replace('hush-hush', 'wrong-word')
    const told = await events({ url })
    expect(told).toEqual(refusal({ code: 'ACCESS_REFUSED', severity: 'fatal', replyCode: 403 }))
    expect(JSON.stringify(told)).not.toMatch(/wrong-word|ostler/)
  })

  test('a queue that the user may not read', async () => {
    const told = await events({ url: at.rabbit.narrowUrl })
    expect(told).toEqual(refusal({ code: 'ACCESS_REFUSED', severity: 'error', replyCode: 403 }))
    expect(JSON.stringify(told)).not.toMatch(/hush|narrow/)
  })

  test('a queue that is not there', async () => {
    expect(await events({ queue: 'none' })).toEqual(
      refusal({ code: 'NOT_FOUND', severity: 'error', replyCode: 404 }),
    )
  })

  test('an exchange that is not there', async () => {
    const declare = { bindings: [{ exchange: 'none' }] }
    expect(await events({ queue: undefined, declare })).toEqual(
      refusal({ code: 'NOT_FOUND', severity: 'error' }),
    )
  })

  test('a virtual host that is not there, or not for this user', async () => {
    expect(await events({ url: `${at.rabbit.url}/none` })).toEqual(
      refusal({ code: 'NOT_FOUND', severity: 'fatal', replyCode: 530 }),
    )
    const told = await events({ url: `${at.rabbit.url}/closed` })
    expect(told).toEqual(refusal({ code: 'ACCESS_REFUSED', severity: 'fatal', replyCode: 530 }))
    expect(JSON.stringify(told)).not.toContain('ostler')
  })

  test('a queue that another connection has for itself', async () => {
    await at.broker.queueDeclare(`${at.queue}-own`, { exclusive: true, durable: false })
    expect(await events({ queue: `${at.queue}-own` })).toEqual(
      refusal({ code: 'RESOURCE_LOCKED', severity: 'error', replyCode: 405 }),
    )
  })

  test('to be the only consumer where there is one', async () => {
    await at.broker.basicConsume(at.queue, { noAck: false }, () => undefined)
    expect(await events({ exclusive: true })).toEqual(refusal({ code: 'ACCESS_REFUSED' }))
  })
})

describe('an open stream ends with an error', () => {
  test('when its queue is deleted', async () => {
    const stream = await consume()
    await stream.expect('ready')
    await at.broker.queueDelete(at.queue)
    expect(await stream.rest()).toEqual(refusal({ code: 'CONSUMER_CANCELLED', severity: 'error' }))
  })

  test('when the broker closes the connection', async () => {
    await at.broker.basicPublish('', at.queue, 'one', {})
    const stream = await consume()
    await stream.expect('ready')
    await stream.expect('message')
    await at.rabbit.ctl('close_all_connections', 'maintenance')
    expect(await stream.rest()).toEqual([
      {
        event: 'error',
        data: {
          code: 'CONNECTION_CLOSED',
          message: expect.stringContaining('maintenance') as string,
          severity: 'fatal',
          final: true,
          replyCode: 320,
        },
      },
      { event: 'end', data: { reason: 'error', messages: 1 } },
    ])
  })

  test('when deliveries are not acknowledged in the time that the broker gives', async () => {
    await at.broker.basicPublish('', at.queue, 'one', {})
    const stream = await consume({ ack: 'manual' })
    await stream.expect('ready')
    await stream.expect('message')
    expect(await stream.rest()).toMatchObject([
      { event: 'error', data: { code: 'PRECONDITION_FAILED', severity: 'error', replyCode: 406 } },
      { event: 'end', data: { reason: 'error', messages: 1 } },
    ])
  })

  test('when the agent goes away', async () => {
    const lost = await startAgent('lost')
    const other = await startGateway([lost])
    const stream = await other.consume({ url: at.rabbit.url, queue: at.queue })
    await stream.expect('ready')
    await lost.close()
    expect(await stream.rest()).toEqual(refusal({ code: 'AGENT_LOST', severity: 'fatal' }))
    await other.gateway.close()
  })

  test('when its reader takes nothing, of which little was read ahead', async () => {
    const big = 'x'.repeat(100_000)
    for (let i = 0; i < 600; i++) await at.broker.basicPublish('', at.queue, big)
    const stream = await consume({ prefetch: 600 })
    let readBytes = 0
    await until('the stream has ended', async () => {
      readBytes = Math.max(readBytes, at.agent.receivedBytes())
      const { consumerCount } = await at.broker.queueDeclare(at.queue, { passive: true })
      return readBytes > 1_000_000 && consumerCount === 0
    })
    // Of 60 MB: what the gateway holds, and the system in its buffers.
    expect(readBytes).toBeLessThan(30_000_000)
    const told = await stream.rest()
    expect(told[0].event).toBe('ready')
    expect(told.slice(-2)).toMatchObject([
      { event: 'error', data: { code: 'SLOW_READER', severity: 'fatal', final: true } },
      { event: 'end', data: { reason: 'error', messages: told.length - 3 } },
    ])
    await at.broker.queueDelete(at.queue)
  })

  test('but not when its reader is slow and keeps on', async () => {
    const big = 'x'.repeat(300_000)
    for (let i = 0; i < 30; i++)
      await at.broker.basicPublish('', at.queue, big, { contentType: 'text/plain' })
    const stream = await consume({ prefetch: 30 })
    await stream.expect('ready')
    for (let i = 0; i < 30; i++) {
      await new Promise((resolve) => {
        setTimeout(resolve, 40)
      })
      expect((await stream.expect('message')).body).toBe(big)
    }
    await stream.cancel()
  })

  test('when its key is revoked', async () => {
    const { key, keys, revoke } = revocable({ tier: 'test' })
    const other = await startGateway([at.agent], { keys })
    const stream = await other.consume({ url: at.rabbit.url, queue: at.queue }, { key })
    await stream.expect('ready')
    revoke()
    expect(await stream.rest()).toEqual(refusal({ code: 'KEY_REVOKED', severity: 'fatal' }))
    await other.gateway.close()
  })

  test('when the gateway shuts down, which is no error', async () => {
    const other = await startGateway([at.agent], { drainMs: 60_000 })
    const stream = await other.consume({ url: at.rabbit.url, queue: at.queue })
    await stream.expect('ready')
    const closed = other.gateway.close()
    expect(await stream.rest()).toEqual([
      { event: 'end', data: { reason: 'shutdown', messages: 0 } },
    ])
    await closed
  })
})

describe('what is no broker', () => {
  test('is told from one by what it says', async () => {
    const { port } = await serve((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(await events({ url: `amqp://127.0.0.1:${port}` })).toEqual(
      refusal({ code: 'PROTOCOL_ERROR', severity: 'fatal' }),
    )
  })

  test('and says nothing is not waited for any longer than was asked', async () => {
    const { port } = await serve(() => undefined)
    expect(await events({ url: `amqp://127.0.0.1:${port}`, timeout: 0.3 })).toEqual(
      refusal({ code: 'CONNECT_TIMEOUT', severity: 'fatal' }),
    )
  })

  test('and hangs up at once has closed the connection', async () => {
    const { port } = await serve((socket) => socket.destroy())
    expect(await events({ url: `amqp://127.0.0.1:${port}` })).toEqual(
      refusal({ code: 'CONNECTION_CLOSED', severity: 'fatal' }),
    )
  })

  test('is not there', async () => {
    const response = await at.gateway.post('/amqp/consume', {
      url: 'amqp://127.0.0.1:1025',
      queue: at.queue,
    })
    expect([response.status, await response.json()]).toMatchObject([
      502,
      { error: { code: 'BAD_GATEWAY' } },
    ])
  })
})

describe('an agent that gives no way', () => {
  test('is told of as everywhere, and another is tried where that is allowed', async () => {
    const dead = await startAgent('dead')
    await dead.close()
    const other = await startGateway([dead])
    const response = await other.post('/amqp/consume', { url: at.rabbit.url, queue: at.queue })
    expect([response.status, await response.json()]).toMatchObject([
      502,
      { error: { code: 'BAD_GATEWAY', details: { by: 'agent' } } },
    ])
    await other.gateway.close()
    const both = await startGateway([dead, at.agent])
    for (let i = 0; i < 4; i++) {
      const stream = await both.consume({ url: at.rabbit.url, queue: at.queue, attempts: 2 })
      expect(await stream.expect('ready')).toMatchObject({ agent: { id: 'de1' } })
      await stream.cancel()
    }
    await both.gateway.close()
  })
})

// Last, for it ends the at.broker.
describe('a broker', () => {
  test('that stands still while the connection is made is not waited for for ever', async () => {
    await at.rabbit.pause()
    try {
      expect(await events({ timeout: 0.5 })).toEqual(refusal({ code: 'CONNECT_TIMEOUT' }))
    } finally {
      at.rabbit.resume()
    }
  })

  test('that falls silent is not waited for for ever', async () => {
    const stream = await consume()
    await stream.expect('ready')
    await at.rabbit.pause()
    try {
      expect(await stream.rest()).toEqual(
        refusal({ code: 'CONNECTION_CLOSED', message: 'the broker has fallen silent' }),
      )
    } finally {
      at.rabbit.resume()
    }
  })

  test('that crashes is told from an agent that went away', async () => {
    const stream = await consume()
    await stream.expect('ready')
    await at.rabbit.kill()
    expect(await stream.rest()).toEqual(refusal({ code: 'CONNECTION_CLOSED', severity: 'fatal' }))
    expect(at.gateway.logged.join('')).not.toMatch(/hush|wrong-word|ostler:|narrow/)
  })
})
