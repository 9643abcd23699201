import { once } from 'node:events'
import { connect } from 'node:net'
import { memoryStore, Scheduler } from '@ostler/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BrokerClient } from '../../packages/gateway/src/amqp/client.ts'
import { BrokerFailure, brokerFailure } from '../../packages/gateway/src/amqp/failure.ts'
import { FrameError, Frames } from '../../packages/gateway/src/amqp/frames.ts'
import { HeldPermit } from '../../packages/gateway/src/http/permit.ts'
import { until } from '../servers/until.ts'
import { serve } from './rig/sockets.ts'

const METHOD = 1
const HEADER = 2
const BODY = 3

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7)
  head.writeUInt8(type, 0)
  head.writeUInt16BE(channel, 1)
  head.writeUInt32BE(payload.length, 3)
  return Buffer.concat([head, payload, Buffer.of(0xce)])
}

function header(channel: number, bodyBytes: bigint): Buffer {
  const payload = Buffer.alloc(14)
  payload.writeUInt16BE(60, 0)
  payload.writeBigUInt64BE(bodyBytes, 4)
  return frame(HEADER, channel, payload)
}

function taken(frames: Frames, chunks: readonly Buffer[]): readonly [Buffer, number | null][] {
  const out: [Buffer, number | null][] = []
  for (const chunk of chunks) frames.take(chunk, (one, bodyBytes) => out.push([one, bodyBytes]))
  return out
}

describe('frames', () => {
  const payloads = fc.array(
    fc.tuple(fc.constantFrom(METHOD, BODY, 8), fc.nat(3), fc.uint8Array({ maxLength: 40 })),
    { minLength: 1, maxLength: 8 },
  )

  test('come out whole and in order, however the bytes were cut', () => {
    fc.assert(
      fc.property(
        payloads,
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (of, cuts) => {
          const sent = of.map(([type, channel, payload]) =>
            frame(type, channel, Buffer.from(payload)),
          )
          const bytes = Buffer.concat(sent)
          const chunks: Buffer[] = []
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const length = cuts[i % cuts.length]
            chunks.push(bytes.subarray(at, at + length))
            at += length
          }
          const got = taken(new Frames(64, 100), chunks).map(([one]) => one)
          expect(Buffer.concat(got).equals(bytes)).toBe(true)
          expect(got).toHaveLength(sent.length)
        },
      ),
    )
  })

  test('have memory of their own, in which nothing else lies', () => {
    const [[one]] = taken(new Frames(64, 100), [frame(METHOD, 0, Buffer.from('abc'))])
    expect(one.buffer.byteLength).toBe(one.length)
  })

  test('of a body that is too long are let pass, and no others', () => {
    const big = [
      header(1, 101n),
      frame(BODY, 1, Buffer.alloc(60)),
      frame(BODY, 1, Buffer.alloc(41)),
    ]
    const next = [header(1, 100n), frame(BODY, 1, Buffer.alloc(100))]
    const other = frame(BODY, 2, Buffer.alloc(5))
    const got = taken(new Frames(128, 100), [...big.slice(0, 2), other, big[2], ...next])
    expect(got.map(([one, bodyBytes]) => [one[0], one.readUInt16BE(1), bodyBytes])).toEqual([
      [HEADER, 1, 101],
      [BODY, 2, null],
      [HEADER, 1, 100],
      [BODY, 1, null],
    ])
    expect(got[0][0].readBigUInt64BE(11)).toBe(0n)
    expect(got[2][0].readBigUInt64BE(11)).toBe(100n)
  })

  test('are refused where they are none, too long, or without an end', () => {
    const take = (bytes: Buffer) => () => taken(new Frames(64, 100), [bytes])
    expect(take(Buffer.from('HTTP/1.1 400'))).toThrow(FrameError)
    expect(take(Buffer.from('AMQP\0\0\x09\x01'))).toThrow(FrameError)
    expect(take(frame(METHOD, 0, Buffer.alloc(57)))).toThrow(/at most 64 bytes, has 65/)
    const unended = frame(METHOD, 0, Buffer.alloc(4))
    unended[unended.length - 1] = 0
    expect(take(unended)).toThrow(/no end/)
    expect(take(frame(HEADER, 1, Buffer.alloc(3)))).toThrow(/too short/)
  })
})

describe('a broker that breaks the rules', () => {
  /** Methods that a server may send, and some that it may not. */
  const methods = fc.constantFrom(
    ...[10, 20, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71].map((id) => [10, id] as const),
    ...[11, 21, 40, 41].map((id) => [20, id] as const),
    ...[11, 21, 31, 41, 50, 60, 71, 72, 80, 120].map((id) => [60, id] as const),
    [50, 11] as const,
    [85, 11] as const,
    [99, 1] as const,
  )
  const payload = fc
    .tuple(methods, fc.uint8Array({ maxLength: 60 }))
    .map(([[kind, id], rest]) => Buffer.concat([Buffer.of(0, kind, 0, id), rest]))
  const frames = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(2), payload), {
    maxLength: 6,
  })

  test('does no harm but to its own connection', async () => {
    await fc.assert(
      fc.asyncProperty(frames, async (sent) => {
        const server = await serve((socket) => {
          socket.once('data', () => {
            socket.end(Buffer.concat(sent.map(([type, channel, of]) => frame(type, channel, of))))
          })
        })
        const socket = connect(server.port, '127.0.0.1')
        await once(socket, 'connect')
        socket.on('error', () => undefined)
        const options = { username: 'u', password: 'p', vhost: '/', maxBodyBytes: 100 }
        const client = new BrokerClient(socket, options)
        const ended = await client.connect().then(
          () => null,
          (error: unknown) => error,
        )
        if (ended !== null) expect(ended).toBeInstanceOf(BrokerFailure)
        await client.leave()
        expect(socket.destroyed).toBe(true)
        await server.close()
      }),
      { numRuns: 200 },
    )
  })
})

describe('what a broker closed', () => {
  const of = (text: string): unknown => {
    const failure = brokerFailure(new Error(text), 'anna')
    return failure && [failure.code, failure.severity, failure.replyCode]
  }

  test('is told by its reply code, and by what was closed', () => {
    expect(of('channel 1 closed: INTERNAL_ERROR (541)')).toEqual(['CHANNEL_CLOSED', 'error', 541])
    expect(of('connection closed: INTERNAL_ERROR (541)')).toEqual([
      'CONNECTION_CLOSED',
      'fatal',
      541,
    ])
    expect(of('channel 1 closed: CONTENT_TOO_LARGE (311)')).toEqual([
      'MESSAGE_TOO_LARGE',
      'error',
      311,
    ])
    expect(of('something else')).toBeNull()
  })

  test('is told without the name of the user', () => {
    const text = "connection closed: access to vhost '/x' refused for user 'anna' (530)"
    expect(brokerFailure(new Error(text), 'anna')?.message).not.toContain('anna')
  })
})

describe('the permit of a stream', () => {
  const key = { id: 'k', tier: 't', scopes: [], createdAtMs: 0 }
  const scheduler = (): Scheduler<'sync'> =>
    new Scheduler({
      store: memoryStore(),
      tiers: { t: { policies: [{ name: 't', limit: 100, windowMs: 60_000 }], permits: 1 } },
    })
  const never = (): void => {
    throw new Error('it was lost')
  }

  test('is held beyond its time while the stream lives, and free when it ends', async () => {
    const core = scheduler()
    const permit = await HeldPermit.take(core, key, 60, never)
    await new Promise((resolve) => {
      setTimeout(resolve, 150)
    })
    await expect(HeldPermit.take(core, key, 60, never)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      details: { policy: 'permits', limit: 1 },
    })
    await permit.release()
    await (await HeldPermit.take(core, key, 60, never)).release()
  })

  test('that the store has lost is taken again, without using quota', async () => {
    const core = scheduler()
    const permit = await HeldPermit.take(core, key, 60, never)
    core.release({ id: permit.id, key: 'k', deadlineMs: Date.now() + 60 })
    await until('it is held again', () => {
      return !core.peek({ key: 'k', tier: 't', permit: { ttlMs: 1 } }).allowed
    })
    expect(core.peek({ key: 'k', tier: 't' }).remaining).toBe(98)
    await permit.release()
  })

  test('that the store has given to another is lost, and that is told once', async () => {
    const core = scheduler()
    let lost = 0
    const permit = await HeldPermit.take(core, key, 60, () => lost++)
    core.release({ id: permit.id, key: 'k', deadlineMs: Date.now() + 60 })
    core.admit({ key: 'k', tier: 't', permit: { ttlMs: 60_000 } })
    await until('it is lost', () => lost > 0)
    await new Promise((resolve) => {
      setTimeout(resolve, 100)
    })
    expect(lost).toBe(1)
    await permit.release()
  })
})
