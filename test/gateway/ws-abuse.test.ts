import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { describe, expect, it } from 'vitest'
import { until } from '../servers/until.ts'
import { Flow } from '../../packages/gateway/src/ws/flow.ts'
import { Reception } from '../../packages/gateway/src/ws/reception.ts'
import { serve } from './rig/sockets.ts'
import {
  afterwards,
  startGateway,
  startProxy,
  untilQuiet,
  type TestGateway,
} from './rig/ws-gateway.ts'
import {
  dial,
  dialTarget,
  echo,
  type Peer,
  silent,
  startTarget,
  type SocketTarget,
} from './rig/ws-peers.ts'

const ONE = { id: 'one', country: 'DE' } as const
const MIB = 1024 * 1024

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** A WebSocket by its bytes alone, past its handshake. */
async function raw({ url }: TestGateway): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  afterwards(async () => void socket.destroy())
  socket.write(
    'GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      `sec-websocket-version: 13\r\nsec-websocket-key: ${'A'.repeat(22)}==\r\n\r\n`,
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  expect(head.toString()).toMatch(/^HTTP\/1.1 101 /)
  return socket
}

/** Waits for the end of a socket, in whatever way. */
async function closed(socket: Socket): Promise<void> {
  await until('an end of the connection', () => socket.destroyed)
}

/** A frame of a client, its mask all zeros. */
function frame(first: number, payload: Buffer, length = payload.length): Buffer {
  const head = Buffer.alloc(14)
  head[0] = first
  head[1] = 0x80 | 127
  head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, payload])
}

/** Sends messages until the other side takes no more: how many bytes it has taken by then. */
async function fill(socket: WebSocket, size: number, mostBytes: number): Promise<number> {
  const message = Buffer.alloc(size, 7)
  let sent = 0
  let stalls = 0
  let before = -1
  while (sent < mostBytes && stalls < 10) {
    if (socket.bufferedAmount < MIB) {
      socket.send(message)
      sent += size
    }
    await pause(socket.bufferedAmount < MIB ? 0 : 20)
    const taken = sent - socket.bufferedAmount
    stalls = taken === before ? stalls + 1 : 0
    before = taken
  }
  return sent - socket.bufferedAmount
}

async function untilGone(target: SocketTarget): Promise<void> {
  await until('no socket at the target', () => target.sockets.every((socket) => socket.destroyed))
}

describe('a slow reader', () => {
  it.each(['target', 'caller'] as const)(
    'makes the other side wait, and gets everything in the end: the %s',
    async (slow) => {
      const target = await startTarget(silent)
      const proxy = await startProxy()
      const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
      const { client } = await dialTarget(gateway, target.url)
      const there = await target.peer()
      const [from, to] = slow === 'target' ? [client, there] : [there, client]
      to.socket.pause()
      const taken = await fill(from.socket, 64 * 1024, 200 * MIB)
      // What the gateway holds is well below a megabyte: the rest is in the system's buffers, six of them.
      expect(taken).toBeLessThan(60 * MIB)
      const count = Math.ceil((taken + from.socket.bufferedAmount) / (64 * 1024 + 14))
      to.socket.resume()
      await until(`${count} messages`, () => to.seen.length >= count)
      expect(to.seen.every((message) => message.length === 64 * 1024)).toBe(true)
    },
  )

  it('is closed for once it takes nothing at all any more', async () => {
    const target = await startTarget(silent)
    const gateway = await startGateway({ agents: [ONE], sockets: { pingEveryMs: 500 } })
    const { client } = await dialTarget(gateway, target.url)
    ;(await target.peer()).socket.pause()
    await fill(client.socket, 64 * 1024, 200 * MIB)
    expect((await client.ended()).code).toBe(1011)
    await untilQuiet(gateway, [target.url])
  })

  it('is found though the other side is one as well, and neither is read', async () => {
    const target = await startTarget(silent)
    const gateway = await startGateway({ agents: [ONE], sockets: { pingEveryMs: 1_000 } })
    const { client } = await dialTarget(gateway, target.url)
    const there = await target.peer()
    client.socket.pause()
    there.socket.pause()
    await Promise.all([
      fill(client.socket, 64 * 1024, 200 * MIB),
      fill(there.socket, 64 * 1024, 200 * MIB),
    ])
    await untilQuiet(gateway, [target.url])
  })

  it('makes many empty messages wait as much as few long ones', async () => {
    const [from, fromFar] = await pair()
    const [to, toFar] = await pair()
    toFar.pause()
    await fill(to, 64 * 1024, 200 * MIB)
    const flow = new Flow(from, to, 256 * 1024, () => true)
    flow.start()
    for (let i = 0; i < 100_000; i++) fromFar.send('')
    await until('a pause', () => from.isPaused)
    await pause(100)
    // Each read of 64 KiB may bring 11,000 of them, at 256 bytes each.
    expect(flow.queuedBytes).toBeLessThan(4 * MIB)
  })
})

/** Two ends of one WebSocket. */
async function pair(): Promise<readonly [WebSocket, WebSocket]> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, autoPong: false })
  afterwards(async () => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  await once(server, 'listening')
  const { port } = server.address() as { readonly port: number }
  const arrived = once(server, 'connection') as Promise<[WebSocket]>
  const { socket } = await dial(`ws://127.0.0.1:${port}/`)
  const [far] = await arrived
  return [far, socket]
}

describe('a first message that is none', () => {
  it.each([
    ['bytes that are no frame', Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(20))],
    ['a frame without a mask', Buffer.from([0x81, 2, 0x68, 0x69])],
    ['a frame with reserved bits', Buffer.from([0xf1, 0x80, 0, 0, 0, 0])],
    ['a text that is no UTF-8', frame(0x81, Buffer.from([0xff, 0xfe]))],
    ['an end of nothing', frame(0x80, Buffer.from('hi'))],
    ['a frame of an exabyte', frame(0x81, Buffer.from('{'), 2 ** 52)],
    ['a frame longer than is taken', frame(0x81, Buffer.alloc(1000), 5 * MIB)],
    ['more than 64 KiB of one that never ends', frame(0x81, Buffer.alloc(100_000), 4 * MIB)],
    ['a ping of 200 bytes', frame(0x89, Buffer.alloc(200))],
    ['a close without a code', Buffer.from([0x88, 0x81, 0, 0, 0, 0, 1])],
  ])('ends the connection: %s', async (_name, bytes) => {
    const gateway = await startGateway()
    const socket = await raw(gateway)
    socket.resume().write(bytes)
    // A caller of good will closes what is closed for him.
    socket.once('data', () => socket.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0])))
    await closed(socket)
    await untilQuiet(gateway)
    expect(await gateway.connections()).toBe(0)
  })

  it('ends the connection: pings of who reads no answers', async () => {
    const [near, far] = await pair()
    far.pause()
    await fill(near, 64 * 1024, 200 * MIB)
    const reception = new Reception(near, MIB)
    for (let i = 0; i < 60; i++) far.ping('a')
    await pause(50)
    expect(near.readyState).toBe(near.OPEN)
    far.ping('one too many')
    await until('an end of the connection', () => near.readyState === near.CLOSED)
    reception.end()
  })

  it('is not read on while more is said before the answer than is held back', async () => {
    const [near, far] = await pair()
    const reception = new Reception(near, MIB)
    for (let i = 0; i < 64; i++) far.send(Buffer.alloc(256 * 1024))
    await until('a pause', () => near.isPaused)
    await pause(50)
    expect(reception.early.length).toBeLessThan(8)
    reception.end()
  })

  it('does not hold up those that come after it', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE], sockets: { connectWithinMs: 20_000 } })
    const idle = await Promise.all(Array.from({ length: 50 }, () => dial(gateway.ws)))
    const { answer } = await dialTarget(gateway, target.url)
    expect(answer).toMatchObject({ type: 'connected' })
    for (const { socket } of idle) socket.terminate()
  })
})

describe('a huge message', () => {
  it('of the caller ends his WebSocket with 1009, and the target is told that he is gone', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE], sockets: { maxMessageBytes: MIB } })
    const { client } = await dialTarget(gateway, target.url)
    client.socket.send(Buffer.alloc(MIB + 1))
    expect((await client.ended()).code).toBe(1009)
    const there = await target.peer()
    expect((await there.ended()).code).toBe(1001)
    expect(there.seen).toEqual([])
    await untilQuiet(gateway, [target.url])
  })

  it('of the target ends the WebSocket with 1011', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE], sockets: { maxMessageBytes: MIB } })
    const { client } = await dialTarget(gateway, target.url)
    const there = await target.peer()
    there.socket.send(Buffer.alloc(MIB + 1))
    expect(await client.ended()).toEqual({
      code: 1011,
      reason: 'the target sent a message that is longer than is relayed',
    })
    expect((await there.ended()).code).toBe(1009)
    await untilQuiet(gateway, [target.url])
  })

  it('of the target in a thousand parts is bounded as well', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    const { client } = await dialTarget(gateway, target.url)
    const { socket } = await target.peer()
    for (let i = 0; i < 5_000; i++) socket.send('x', { fin: false })
    expect((await client.ended()).code).toBe(1011)
    await untilQuiet(gateway, [target.url])
  })
})

describe('a side that is gone', () => {
  it('leaves nothing behind: the caller, amid connecting', async () => {
    const target = await serve((socket) => void socket.resume())
    const proxy = await startProxy()
    const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
    const url = `ws://127.0.0.1:${target.port}/`
    const client = await dial(gateway.ws)
    client.socket.send(JSON.stringify({ apiKey: gateway.key, url }))
    await until('a connection to the target', () => target.sockets.length === 1)
    expect(await gateway.metric('ostler_in_flight')).toBe(1)
    client.socket.terminate()
    await untilQuiet(gateway, [url])
    await until('no connection to the target', () => target.sockets[0].destroyed)
    // Nobody did anything wrong.
    expect(gateway.gateway.scheduler.explain({ url })).toMatchObject({ kind: 'picked' })
  })

  it('leaves nothing behind: the caller, amid relay', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    const { client } = await dialTarget(gateway, target.url)
    client.socket.terminate()
    expect((await (await target.peer()).ended()).code).toBe(1001)
    await untilQuiet(gateway, [target.url])
    await untilGone(target)
  })

  it('is told to the caller: the target, amid relay', async () => {
    const target = await startTarget()
    const proxy = await startProxy()
    const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
    const { client } = await dialTarget(gateway, target.url)
    ;(await target.peer()).socket.terminate()
    const end = { code: 1011, reason: 'the connection to the target was lost' }
    expect(await client.ended()).toEqual(end)
    await untilQuiet(gateway, [target.url])
  })

  it('is told to the caller: the agent, amid relay', async () => {
    const target = await startTarget()
    const proxy = await startProxy()
    const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
    const { client } = await dialTarget(gateway, target.url)
    await proxy.kill()
    const end = { code: 1011, reason: 'the connection to the target was lost' }
    expect(await client.ended()).toEqual(end)
    await untilQuiet(gateway, [target.url])
    await untilGone(target)
  })
})

describe('two hundred WebSockets at once', () => {
  it('are all served, over several agents, and leave nothing behind', async () => {
    const target = await startTarget(echo)
    const proxies = await Promise.all([startProxy(), startProxy(), startProxy()])
    const gateway = await startGateway({
      agents: proxies.map(({ url }, i) => ({ id: `agent-${i}`, url })),
      sockets: { maxWaitingPerAddress: 200 },
    })
    const all = await Promise.all(
      Array.from({ length: 200 }, () => dialTarget(gateway, target.url)),
    )
    expect(all.every(({ answer }) => answer['type'] === 'connected')).toBe(true)
    expect(await gateway.metric('ostler_websockets')).toBe(200)
    const said = await Promise.all(
      all.map(async ({ client }, i) => {
        client.socket.send(`hello ${i}`)
        return client.next()
      }),
    )
    expect(said).toEqual(all.map((_, i) => `hello ${i}`))
    const halves: Peer[][] = [[], []]
    for (const [i, { client }] of all.entries()) halves[i % 2].push(client)
    for (const { socket } of halves[0]) socket.close(1000)
    for (const { socket } of halves[1]) socket.terminate()
    await untilQuiet(gateway, [target.url])
    await untilGone(target)
    await until('no socket at the agents', () =>
      proxies.every(({ sockets }) => sockets.every((socket) => socket.destroyed)),
    )
    expect(await gateway.connections()).toBe(0)
  })
})
