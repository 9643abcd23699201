import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { until } from '../servers/until.ts'
import { readAnswers, type HttpAnswer, type Read } from './fuzz/answers.ts'
import { acceptOf, OPCODES, readFrames } from './fuzz/frames.ts'
import { closing } from './rig/closing.ts'
import { startRig, type Rig } from './rig/gateway.ts'
import { serve } from './rig/sockets.ts'
import type { Behaviour } from './rig/targets.ts'

/** A connection to a gateway, of which everything is read by the book. */
class Line {
  readonly socket: Socket
  hasEnded = false
  readonly #isHead: boolean
  #received: Buffer = Buffer.alloc(0)

  /** @param isHead whether answers have no bodies, as those to HEAD */
  constructor({ url }: Rig, isHead = false) {
    this.#isHead = isHead
    this.socket = connect({
      port: Number(new URL(url).port),
      host: '127.0.0.1',
      allowHalfOpen: true,
    })
    closing(() => this.socket.destroy())
    this.socket.on(
      'data',
      (bytes: Buffer) => (this.#received = Buffer.concat([this.#received, bytes])),
    )
    this.socket.on('error', () => {})
    this.socket.on('close', () => (this.hasEnded = true))
    this.socket.on('end', () => (this.hasEnded = true))
  }

  get read(): Read {
    return readAnswers(this.#received, this.#isHead)
  }

  send(...parts: readonly string[]): this {
    this.socket.write(Buffer.from(parts.join(''), 'latin1'))
    return this
  }

  /** Waits for the connection to end, and gives the answers that came. */
  async ended(): Promise<readonly HttpAnswer[]> {
    await until('the connection ends', () => this.hasEnded)
    return this.read.answers
  }

  async answered(count: number): Promise<readonly HttpAnswer[]> {
    await until(`${count} answers are there`, () => this.read.answers.length >= count)
    return this.read.answers
  }
}

function requestOf(rig: Rig, path: string, more: readonly string[] = [], method = 'GET'): string {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'host: a',
    `authorization: Bearer ${rig.key}`,
    ...more,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const HANDSHAKE = [
  'connection: upgrade',
  'upgrade: websocket',
  `sec-websocket-key: ${KEY}`,
  'sec-websocket-version: 13',
]
const STREAM = ['accept: text/event-stream']
const CHUNKED = ['content-type: application/json', 'transfer-encoding: chunked']

function slow({ target }: Rig): string {
  return `/fetch?url=${target.url}/slow`
}

async function held({ gateway, ask }: Rig): Promise<number> {
  const permits = await gateway.scheduler.usage('key_rig', 'roomy')
  const { text } = await ask('/metrics')
  const [, inFlight] = /^ostler_in_flight (\d+)$/m.exec(text) ?? []
  return (permits.find(({ policy }) => policy === 'permits')?.used ?? 0) + Number(inFlight)
}

function codes(answers: readonly HttpAnswer[]): readonly unknown[] {
  return answers.map(({ status, body }) => {
    if (status < 400) return status
    return (JSON.parse(body.toString()) as { error: { code: string } }).error.code
  })
}

test('a WebSocket that is asked for behind a request under way is opened once that is answered', async () => {
  const rig = await startRig()
  const message = Buffer.from('{}')
  const frame = Buffer.from([0x81, 0x80 | message.length, 0, 0, 0, 0, ...message])
  const line = new Line(rig).send(requestOf(rig, slow(rig)), requestOf(rig, '/ws', HANDSHAKE))
  line.socket.write(frame)
  await until(
    'the WebSocket is told off',
    () => readFrames(line.read.rest).at(-1)?.opcode === OPCODES.close,
  )
  const { answers, begun, rest } = line.read
  expect(codes(answers)).toEqual([200])
  expect(begun?.headers.get('sec-websocket-accept')).toBe(acceptOf(KEY))
  expect(readFrames(rest).map(({ opcode }) => opcode)).toEqual([OPCODES.text, OPCODES.close])
})

test('what is said to a WebSocket before it is opened is heard', async () => {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const answer: Behaviour = async (_, response) => {
    await opened
    response.end('at last')
  }
  const rig = await startRig({ paths: { '/gate': answer } })
  const path = `/fetch?url=${rig.target.url}/gate`
  const line = new Line(rig).send(requestOf(rig, path), requestOf(rig, '/ws', HANDSHAKE))
  await until('the target is asked', () => rig.target.visits.length === 1)
  line.socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x7b, 0x7d]))
  // What is answered after it was sent later.
  await rig.ask('/healthz')
  open()
  await until('the WebSocket is told off', () => readFrames(line.read.rest).length === 2)
  expect(readFrames(line.read.rest)[0].data.toString()).toContain('UNAUTHORIZED')
})

test('a request that offers another protocol behind one under way is served after it', async () => {
  const rig = await startRig()
  const offer = ['connection: upgrade, http2-settings', 'upgrade: h2c', 'http2-settings: AAMAAABk']
  const line = new Line(rig).send(
    requestOf(rig, slow(rig)),
    requestOf(rig, '/usage', offer),
    requestOf(rig, '/healthz'),
  )
  const answers = await line.answered(3)
  expect(codes(answers)).toEqual([200, 200, 200])
  expect(JSON.parse(answers[2].body.toString())).toEqual({ status: 'ok' })
})

test('who leaves while an upgrade waits for a stream to end is let go', async () => {
  const rig = await startRig()
  const line = new Line(rig).send(
    requestOf(rig, '/network/health/shop.example', STREAM),
    requestOf(rig, '/ws', HANDSHAKE),
  )
  await until('the stream has begun', () => line.read.begun !== null)
  expect(await held(rig)).toBe(2)
  line.socket.end()
  await line.ended()
  await until('nothing is held', async () => (await held(rig)) === 0)
})

test('who says too much before it is his turn is hung up on', async () => {
  const rig = await startRig()
  const line = new Line(rig).send(
    requestOf(rig, '/network/health/shop.example', STREAM),
    requestOf(rig, '/ws', HANDSHAKE),
    'x'.repeat(200_000),
  )
  await line.ended()
  await until('nothing is held', async () => (await held(rig)) === 0)
})

test('who asks for more behind a stream, which never ends, is hung up on', async () => {
  const rig = await startRig()
  const stream = requestOf(rig, '/network/health/shop.example', STREAM)
  const once = new Line(rig).send(stream, requestOf(rig, '/usage'))
  await once.ended()
  const later = new Line(rig).send(stream)
  await until('the stream has begun', () => later.read.begun !== null)
  await later.send(requestOf(rig, '/usage')).ended()
  await until('nothing is held', async () => (await held(rig)) === 0)
})

test('the head of a stream alone is answered at once, and holds nothing', async () => {
  const rig = await startRig()
  const path = '/network/health/shop.example'
  const line = new Line(rig, true).send(requestOf(rig, path, STREAM, 'HEAD'))
  const [{ status, body }] = await line.answered(1)
  expect([status, body.length, await held(rig)]).toEqual([200, 0, 0])
})

test('who asks for more when a stream has ended is answered', async () => {
  const rig = await startRig()
  const body = JSON.stringify({ url: rig.target.url.replace('http', 'amqp'), queue: 'q' })
  const headers = ['content-type: application/json', `content-length: ${body.length}`]
  const line = new Line(rig).send(requestOf(rig, '/amqp/consume', headers, 'POST'), body)
  const [stream] = await line.answered(1)
  expect(stream.body.toString()).toContain('event: end')
  expect(codes(await line.send(requestOf(rig, '/usage')).answered(2))).toEqual([200, 200])
})

test('what waits behind another answer ends with the connection', async () => {
  const rig = await startRig()
  const line = new Line(rig).send(
    requestOf(rig, `/fetch?url=${rig.target.url}/hang`),
    requestOf(rig, `/fetch?url=${rig.target.url}/hang`),
    requestOf(rig, '/network/health/shop.example', STREAM),
  )
  await until('all of it is under way', async () => (await held(rig)) === 4)
  line.socket.destroy()
  await until('nothing is held', async () => (await held(rig)) === 0)
})

test('what cannot be read is told after the answers to what could be', async () => {
  const rig = await startRig()
  const line = new Line(rig).send(
    requestOf(rig, slow(rig)),
    requestOf(rig, '/usage'),
    'NONSENSE\r\n\r\n',
  )
  expect(codes(await line.ended())).toEqual([200, 200, 'BAD_REQUEST'])
})

test('a body that cannot be read is told so, after the answers to what came before', async () => {
  const rig = await startRig()
  const post = requestOf(rig, '/fetch', CHUNKED, 'POST')
  const line = new Line(rig).send(requestOf(rig, slow(rig)), post, 'nonsense\r\n')
  expect(codes(await line.ended())).toEqual([200, 'BAD_REQUEST'])
})

test('nothing is written into a stream that is under way', async () => {
  const rig = await startRig()
  const line = new Line(rig).send(
    requestOf(rig, '/network/health/shop.example', STREAM),
    'NONSENSE\r\n\r\n',
  )
  await until('the stream has begun', () => line.read.begun !== null)
  const { text } = await rig.ask('/usage')
  expect(text).toContain('permits')
  expect(codes(line.read.answers)).toEqual([])
  expect(await held(rig)).toBe(2)
  // He has left: what could not be read is read no further, so his leaving is all that comes.
  line.socket.end()
  await line.ended()
  await until('nothing is held', async () => (await held(rig)) === 0)
})

test('a caller of AMQP who leaves is no failure in what he has used', async () => {
  const rig = await startRig()
  const silent = await serve(() => {})
  const body = JSON.stringify({ url: `amqp://127.0.0.1:${silent.port}/`, queue: 'q' })
  const headers = ['content-type: application/json', `content-length: ${body.length}`]
  const line = new Line(rig).send(requestOf(rig, '/amqp/consume', headers, 'POST'), body)
  await until('the broker is asked', () => silent.sockets.length > 0)
  line.socket.destroy()
  await until('nothing is held', async () => (await held(rig)) === 0)
  expect((await rig.ask('/usage')).json).toMatchObject({ total: 0, failed: 0 })
})

test('a request that is refused before its body is answered once, whatever the body is', async () => {
  const rig = await startRig()
  const line = new Line(rig).send(requestOf({ ...rig, key: 'nonsense' }, '/fetch', CHUNKED, 'POST'))
  await line.answered(1)
  line.send('nonsense\r\n')
  expect(codes(await line.ended())).toEqual(['UNAUTHORIZED'])
})

test('a request without a host, or with two, is told so like everything else', async () => {
  const rig = await startRig()
  const line = new Line(rig)
  line.send('GET /healthz HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n')
  line.send('GET /healthz HTTP/1.0\r\n\r\n')
  const answers = await line.answered(3)
  expect(codes(answers)).toEqual(['BAD_REQUEST', 'BAD_REQUEST', 200])
  expect(answers[0].headers.get('x-request-id')).toMatch(/^req_/)
})

test('who expects something else than to be told to go on is told that, and 1.0 knows no Expect', async () => {
  const rig = await startRig()
  const line = new Line(rig)
  line.send(
    requestOf(rig, '/usage', ['expect: a miracle']),
    requestOf(rig, '/usage', ['expect: 100-continue']),
  )
  line.send('GET /healthz HTTP/1.0\r\nhost: a\r\nexpect: a miracle\r\n\r\n')
  expect(codes(await line.ended())).toEqual(['EXPECTATION_FAILED', 200, 200])
})

test('CONNECT is answered, after what came before it', async () => {
  const rig = await startRig()
  const line = new Line(rig).send(
    requestOf(rig, slow(rig)),
    requestOf(rig, 'shop.example:443', [], 'CONNECT'),
  )
  expect(codes(await line.ended())).toEqual([200, 'NOT_FOUND'])
})

test('a request with a body that also asks for a WebSocket is served as if it had not', async () => {
  const rig = await startRig()
  const body = JSON.stringify({ url: `${rig.target.url}/` })
  const headers = [...HANDSHAKE, 'content-type: application/json', `content-length: ${body.length}`]
  const line = new Line(rig).send(requestOf(rig, '/fetch', headers, 'POST'), body)
  expect(codes(await line.answered(1))).toEqual([200])
})

test('who asks for a stream and a WebSocket at once has a stream, which ends when he leaves', async () => {
  const rig = await startRig()
  const path = '/network/health/shop.example'
  const line = new Line(rig).send(requestOf(rig, path, [...STREAM, ...HANDSHAKE]))
  await until('the stream has begun', () => line.read.begun !== null)
  line.socket.end()
  await until('nothing is held', async () => (await held(rig)) === 0)
})
