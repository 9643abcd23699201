import { createServer, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { until } from '../servers/until.ts'
import { EventStream, type EventStreamOptions } from '../../packages/gateway/src/stream/sse.ts'
import { listen } from './rig/sockets.ts'

const readers: Socket[] = []

afterEach(() => {
  for (const reader of readers.splice(0)) reader.destroy()
})

interface Opened {
  readonly events: EventStream
  readonly raw: ServerResponse
  readonly reader: Socket
  /** What the reader has read, since he reads. */
  readonly read: () => string
}

/** A stream, and a reader of it who does not read before he is told to. */
async function open(options?: EventStreamOptions): Promise<Opened> {
  let opened: { events: EventStream; raw: ServerResponse } | null = null
  const server = createServer((_, raw) => {
    opened = { events: new EventStream(raw, { 'x-own': '1' }, options), raw }
  })
  const { port } = await listen(server)
  const reader = connect(port, '127.0.0.1')
  readers.push(reader)
  reader.on('error', () => undefined)
  reader.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await until('the stream is open', () => opened !== null)
  let text = ''
  reader.on('data', (bytes: Buffer) => (text += bytes.toString()))
  reader.pause()
  return { ...(opened as unknown as Pick<Opened, 'events' | 'raw'>), reader, read: () => text }
}

/** More than the system takes for a reader who does not read. */
const MUCH = 'x'.repeat(1_000_000)

function fill(events: EventStream): void {
  for (let i = 0; i < 40; i++) events.send('much', MUCH)
}

test('sends events with names and JSON, headers of its own, and comments in between', async () => {
  const { events, reader, read } = await open({ heartbeatMs: 20 })
  reader.resume()
  events.send('one', { text: 'a\nb' })
  await until('a comment came', () => read().includes(': alive'))
  expect(read()).toMatch(/^HTTP\/1\.1 200 OK\r\nx-own: 1\r\ncontent-type: text\/event-stream/i)
  expect(read()).toContain('event: one\ndata: {"text":"a\\nb"}\n\n')
  events.end()
  await until('the answer ended', () => read().endsWith('0\r\n\r\n'))
})

test('says when an event was taken for the reader, and how much waits for him', async () => {
  const { events, reader } = await open()
  let taken = 0
  expect(events.send('first', 1, () => taken++)).toBe('flowing')
  await until('the first was taken', () => taken === 1)
  fill(events)
  expect(events.send('last', 1, () => taken++)).toBe('full')
  expect(events.pendingBytes).toBeGreaterThan(MUCH.length)
  expect(taken).toBe(1)
  reader.resume()
  await events.drained()
  await until('the last was taken', () => taken === 2)
  expect(events.pendingBytes).toBe(0)
})

test('does not say that an event was taken for a reader who has gone', async () => {
  const { events, raw, reader } = await open()
  let taken = 0
  fill(events)
  events.send('last', 1, () => taken++)
  reader.destroy()
  await until('the stream has heard', () => raw.destroyed)
  expect(events.send('more', 1, () => taken++)).toBe('closed')
  await events.drained()
  expect(taken).toBe(0)
})

test('tells of a reader who takes nothing, and not of one who takes little at a time', async () => {
  let stalls = 0
  const { events, reader, read } = await open({ stallMs: 2_500, onStall: () => stalls++ })
  fill(events)
  let rounds = 0
  while (events.pendingBytes > 0 && rounds++ < 100) {
    reader.resume()
    const before = read().length
    await until('the reader took some', () => read().length > before)
    reader.pause()
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
  }
  expect(stalls).toBe(0)
  fill(events)
  await until('the reader was told of', () => stalls > 0)
  expect(events.pendingBytes).toBeGreaterThan(0)
})

test('hangs up on a reader who takes nothing, where nobody else sees to it', async () => {
  const { events, raw } = await open({ stallMs: 50 })
  fill(events)
  await until('it hung up', () => raw.destroyed)
})

test('ends with all that was sent, or hangs up on who does not take it', async () => {
  const patient = await open({ lingerMs: 100 })
  patient.events.send('last', 1)
  patient.events.end()
  patient.events.end()
  expect(patient.events.send('late', 1)).toBe('closed')
  patient.reader.resume()
  await until('the last came', () => patient.read().includes('event: last'))
  const stubborn = await open({ lingerMs: 100 })
  fill(stubborn.events)
  stubborn.events.end()
  await until('it hung up', () => stubborn.raw.destroyed)
})
