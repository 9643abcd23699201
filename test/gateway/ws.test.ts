import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { until } from '../servers/until.ts'
import { TRUSTING } from './rig/certificate.ts'
import { serveSocks } from './rig/socks-server.ts'
import { afterwards, startGateway, startProxy, untilQuiet } from './rig/ws-gateway.ts'
import { dial, dialTarget, echo, silent, startTarget } from './rig/ws-peers.ts'

const ONE = { id: 'one', country: 'DE' } as const

describe('a WebSocket through an agent', () => {
  it('is connected by its first message, which names the agent', async () => {
    const target = await startTarget()
    const proxy = await startProxy()
    const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
    const { client, answer } = await dialTarget(gateway, target.url)
    expect(answer).toEqual({ type: 'connected', status: 101, node_id: 'one' })
    expect(proxy.sockets).toHaveLength(1)
    client.socket.close(1000)
    expect(await client.ended()).toEqual({ code: 1000, reason: '' })
    await untilQuiet(gateway, [target.url])
  })

  it('relays texts and binaries of any size, in order, both ways', async () => {
    const target = await startTarget()
    const proxy = await startProxy()
    const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
    const { client } = await dialTarget(gateway, target.url)
    const sent = ['', 'grüß dich', Buffer.alloc(0), Buffer.from([0, 255])]
    const long = 'x'.repeat(3_000_000)
    const wide = Buffer.alloc(1_000_000, 7)
    for (const message of [...sent, long, wide]) client.socket.send(message)
    for (const message of sent) expect(await client.next()).toEqual(message)
    expect((await client.next()) === long).toBe(true)
    expect(wide.equals((await client.next()) as Buffer)).toBe(true)
  })

  it('relays the pings and pongs of both sides', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    const { client } = await dialTarget(gateway, target.url)
    const peer = await target.peer()
    client.socket.ping('from the caller')
    peer.socket.ping('from the target')
    await until('a pong for the caller', () => client.pongs.includes('from the caller'))
    await until('a pong for the target', () => peer.pongs.includes('from the target'))
    expect(peer.pings).toContain('from the caller')
    expect(client.pings).toContain('from the target')
  })

  it.each([
    [1000, ''],
    [1001, 'going'],
    [1013, 'try again later'],
    [3000, 'x'.repeat(123)],
    [4999, 'ünïcode'],
  ])('hands the close code %i and its reason on, both ways', async (code, reason) => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    const first = await dialTarget(gateway, target.url)
    first.client.socket.close(code, reason)
    expect(await (await target.peer(0)).ended()).toEqual({ code, reason })
    const second = await dialTarget(gateway, target.url)
    ;(await target.peer(1)).socket.close(code, reason)
    expect(await second.client.ended()).toEqual({ code, reason })
    await untilQuiet(gateway, [target.url])
  })

  it('closes without a code where the other side gave none', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    const { client } = await dialTarget(gateway, target.url)
    client.socket.close()
    expect(await (await target.peer()).ended()).toEqual({ code: 1005, reason: '' })
  })

  it('keeps what the caller says before he is answered, and what the target says at once', async () => {
    const target = await startTarget((peer) => {
      peer.socket.send('welcome')
      echo(peer)
    })
    const gateway = await startGateway({ agents: [ONE] })
    const client = await dial(gateway.ws)
    client.socket.send(JSON.stringify({ apiKey: gateway.key, url: target.url }))
    client.socket.ping('too early')
    for (let i = 0; i < 50; i++) client.socket.send(`${i} ${'x'.repeat(20_000)}`)
    expect(await client.json()).toMatchObject({ type: 'connected' })
    expect(client.pongs).toEqual(['too early'])
    expect(await client.next()).toBe('welcome')
    for (let i = 0; i < 50; i++) expect(String(await client.next())).toMatch(`${i} xxx`)
  })

  it('goes to wss targets, and through SOCKS5', async () => {
    const target = await startTarget(echo, { tls: true })
    const socks = await serveSocks()
    const gateway = await startGateway({
      agents: [{ ...ONE, url: `socks5://127.0.0.1:${socks.port}` }],
      targetContext: TRUSTING,
    })
    const { client, answer } = await dialTarget(gateway, target.url)
    expect(answer).toMatchObject({ type: 'connected' })
    client.socket.send('hello')
    expect(await client.next()).toBe('hello')
    expect(socks.asked).toHaveLength(1)
  })

  it('reads http and https targets as ws and wss', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    const { answer } = await dialTarget(gateway, target.url.replace('ws:', 'http:'))
    expect(answer).toMatchObject({ type: 'connected' })
  })
})

describe('the agent of a WebSocket', () => {
  const AGENTS = [
    { id: 'berlin', country: 'DE' },
    { id: 'paris', country: 'FR' },
  ]

  it('is picked by the geo hint, or pinned', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: AGENTS })
    const hinted = await dialTarget(gateway, target.url, { geo: 'FR' })
    expect(hinted.answer).toMatchObject({ node_id: 'paris' })
    const pinned = await dialTarget(gateway, target.url, { geo: 'FR', agent: 'berlin' })
    expect(pinned.answer).toMatchObject({ node_id: 'berlin' })
  })

  it('is kept from a domain that turned its handshake away', async () => {
    const target = await startTarget(silent, {
      verifyClient: (_info, done) => done(false, 429, 'no', { 'retry-after': '60' } as never),
    })
    const gateway = await startGateway({ agents: AGENTS })
    const first = await dialTarget(gateway, target.url, { geo: 'DE' })
    expect(first.answer).toMatchObject({
      type: 'error',
      code: 'BAD_GATEWAY',
      details: { status: 429, blocked: true, outcome: 'rate_limited' },
    })
    const second = gateway.gateway.scheduler.explain({ url: target.url, geo: 'DE' })
    expect(second).toMatchObject({ kind: 'picked', agent: { id: 'paris' } })
    await untilQuiet(gateway, [target.url])
  })

  it('rests after failures of its own', async () => {
    const target = await startTarget()
    const proxy = await startProxy()
    await proxy.kill()
    const gateway = await startGateway({ agents: [{ ...ONE, url: proxy.url }] })
    for (let i = 0; i < 3; i++) {
      const { answer } = await dialTarget(gateway, target.url)
      expect(answer).toMatchObject({ code: 'BAD_GATEWAY', details: { by: 'agent' } })
    }
    const { answer } = await dialTarget(gateway, target.url)
    expect(answer).toMatchObject({ code: 'NO_AGENT_AVAILABLE' })
  })
})

describe('the handshake with a target', () => {
  it('carries headers and cookies, and nothing of the gateway or of one hop', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    await dialTarget(gateway, `${target.url}live?x=1`, {
      headers: {
        Origin: 'https://shop.example',
        'User-Agent': 'me',
        Cookie: 'a=1',
        Authorization: 'Bearer ak_test_0123456789abcdef',
        'X-API-Key': 'ak_test_0123456789abcdef',
        'X-Geo': 'DE',
        'X-Forwarded-For': '192.0.2.1',
        Connection: 'close, X-Hop',
        'X-Hop': 'mine',
        Upgrade: 'h2c',
        Host: 'other.example',
        'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        'Sec-WebSocket-Version': '8',
        'Sec-WebSocket-Extensions': 'permessage-deflate',
      },
      cookies: { b: '2', c: '"three, four"' },
    })
    await target.peer()
    const [{ url, headers }] = target.requests
    expect(url).toBe('/live?x=1')
    const { 'sec-websocket-key': key, ...others } = headers
    expect(key).not.toContain('AAAAAAAA')
    expect(others).toEqual({
      host: new URL(target.url).host,
      origin: 'https://shop.example',
      'user-agent': 'me',
      cookie: 'a=1; b=2; c="three, four"',
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
    })
  })

  it("passes on an Authorization that is the target's own", async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    await dialTarget(gateway, target.url, { headers: { authorization: 'Basic bWU6bWU=' } })
    await target.peer()
    expect(target.requests[0].headers.authorization).toBe('Basic bWU6bWU=')
  })

  it('offers the sub-protocol that was agreed with the caller, and tells it', async () => {
    const target = await startTarget(echo, {
      handleProtocols: (offered) => [...offered].at(-1) ?? false,
    })
    const gateway = await startGateway({ agents: [ONE] })
    const client = await dial(gateway.ws, ['chat.v2', 'chat.v1'])
    expect(client.socket.protocol).toBe('chat.v2')
    client.socket.send(JSON.stringify({ apiKey: gateway.key, url: target.url }))
    expect(await client.json()).toMatchObject({ type: 'connected', protocol: 'chat.v2' })
    expect(target.requests[0].headers['sec-websocket-protocol']).toBe('chat.v2')
  })

  it('leaves the choice of a sub-protocol to the target where the header names them', async () => {
    const target = await startTarget(echo, {
      handleProtocols: (offered) => [...offered].at(-1) ?? false,
    })
    const gateway = await startGateway({ agents: [ONE] })
    const headers = { 'Sec-WebSocket-Protocol': 'chat.v2, chat.v1' }
    const { answer } = await dialTarget(gateway, target.url, { headers })
    expect(answer).toMatchObject({ type: 'connected', protocol: 'chat.v1' })
  })

  it('fails where the target agrees to no sub-protocol, and no agent is blamed', async () => {
    const target = await startTarget(echo, { handleProtocols: () => false })
    const gateway = await startGateway({ agents: [ONE] })
    const client = await dial(gateway.ws, ['chat.v2'])
    client.socket.send(JSON.stringify({ apiKey: gateway.key, url: target.url }))
    expect(await client.json()).toMatchObject({
      code: 'BAD_GATEWAY',
      details: { by: 'target', reason: 'protocol' },
    })
    expect((await client.ended()).code).toBe(1011)
    expect(gateway.gateway.scheduler.explain({ url: target.url })).toMatchObject({ kind: 'picked' })
    await untilQuiet(gateway, [target.url])
  })
})

describe('the time of a WebSocket', () => {
  it('is over when nobody says anything for idle_timeout', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE], sockets: { pingEveryMs: 100 } })
    const { client } = await dialTarget(gateway, target.url, { idle_timeout: 1 })
    const startMs = performance.now()
    await new Promise((resolve) => {
      setTimeout(resolve, 500)
    })
    client.socket.send('still here')
    expect(await client.ended()).toEqual({ code: 1000, reason: 'nothing was said for 1 s' })
    const lastedMs = performance.now() - startMs
    expect(lastedMs).toBeGreaterThan(1_450)
    expect(lastedMs).toBeLessThan(3_000)
    expect(await (await target.peer()).ended()).toEqual({ code: 1000, reason: '' })
    await untilQuiet(gateway, [target.url])
  })

  it('is over for a caller that gives no sign of life', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE], sockets: { pingEveryMs: 100 } })
    const { client } = await dialTarget(gateway, target.url)
    client.socket.pause()
    expect(await (await target.peer()).ended()).toEqual({ code: 1001, reason: '' })
    await untilQuiet(gateway, [target.url])
  })

  it('is over for a target that gives no sign of life', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE], sockets: { pingEveryMs: 100 } })
    const { client } = await dialTarget(gateway, target.url)
    ;(await target.peer()).socket.pause()
    expect(await client.ended()).toEqual({
      code: 1011,
      reason: 'the connection to the target was lost',
    })
    await untilQuiet(gateway, [target.url])
  })

  it('goes on while both answer pings, however long nothing else is said', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE], sockets: { pingEveryMs: 50 } })
    const { client } = await dialTarget(gateway, target.url)
    await until('ten pings', () => client.pings.length >= 10)
    client.socket.send('hello')
    expect(await client.next()).toBe('hello')
    // The answers are the gateway's: nobody else is told.
    expect([...client.pongs, ...(await target.peer()).pongs]).toEqual([])
  })

  it('goes on while the target takes what it is sent, though it does not answer pings', async () => {
    const target = await startTarget(silent, { autoPong: false })
    const gateway = await startGateway({ agents: [ONE], sockets: { pingEveryMs: 200 } })
    const { client } = await dialTarget(gateway, target.url)
    const saying = setInterval(() => client.socket.send('listen'), 20)
    await until('six pings', () => client.pings.length >= 6)
    clearInterval(saying)
    expect(client.end).toBeNull()
    expect((await client.ended()).code).toBe(1011)
  })

  it('is over with the gateway, and both sides are told so', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    const { client } = await dialTarget(gateway, target.url)
    const waiting = await dial(gateway.ws)
    const startMs = performance.now()
    await gateway.gateway.close()
    expect(performance.now() - startMs).toBeLessThan(1_500)
    const end = { code: 1001, reason: 'the gateway is shutting down' }
    expect(await client.ended()).toEqual(end)
    expect(await waiting.ended()).toEqual(end)
    expect((await (await target.peer()).ended()).code).toBe(1001)
    await expect(dial(gateway.ws)).rejects.toThrow(/ECONNREFUSED/)
  })

  it('does not hold a gateway up that closes while a caller does not answer', async () => {
    const target = await startTarget()
    const gateway = await startGateway({ agents: [ONE] })
    const { client } = await dialTarget(gateway, target.url)
    client.socket.pause()
    const startMs = performance.now()
    await gateway.gateway.close()
    expect(performance.now() - startMs).toBeLessThan(4_000)
  })
})

describe('other upgrades', () => {
  it('are served as if they had not been offered', async () => {
    const gateway = await startGateway()
    const { port } = new URL(gateway.url)
    const socket = connect(Number(port), '127.0.0.1')
    afterwards(async () => void socket.destroy())
    let said = ''
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()))
    socket.write(
      'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\n' +
        'upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n',
    )
    await until('an answer', () => said.includes('{"status":"ok"}'))
    socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    await once(socket, 'close')
    expect(said.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2)
  })
})
