import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startProxy, type Proxy } from './proxy.ts'
import { until } from './until.ts'

let target: Server
let proxy: Proxy
/** All that has reached the target. */
let arrived: string

/** Answers each `?x` line by `=x`. */
beforeEach(async () => {
  arrived = ''
  target = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      arrived += bytes.toString()
      socket.write(bytes.toString().replaceAll('?', '='))
    })
  })
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  const address = target.address()
  proxy = await startProxy(typeof address === 'object' && address !== null ? address.port : 0)
})
afterEach(async () => {
  await proxy.stop()
  target.close()
})

interface Caller {
  readonly socket: Socket
  readonly heard: () => string
  /** How the connection ended: `open`, `ended`, or an error's code. */
  readonly fate: () => string
}

async function call(): Promise<Caller> {
  const socket = connect(proxy.port, '127.0.0.1')
  let heard = ''
  let fate = 'open'
  socket.on('data', (bytes) => (heard += bytes.toString()))
  socket.on('error', (error: NodeJS.ErrnoException) => (fate = error.code ?? 'error'))
  socket.on('close', () => (fate = fate === 'open' ? 'ended' : fate))
  await once(socket, 'connect')
  return { socket, heard: () => heard, fate: () => fate }
}

async function talk(caller: Caller, line: string): Promise<void> {
  const before = caller.heard()
  caller.socket.write(`?${line}`)
  await until(`=${line} is heard`, () => caller.heard() === `${before}=${line}`, 2_000)
}

describe('a proxy', () => {
  test('passes what it is given, both ways', async () => {
    const caller = await call()
    await talk(caller, 'one')
    await talk(caller, 'two')
    expect(arrived).toBe('?one?two')
    expect(Object.values(proxy.fired).every((count) => count === 0)).toBe(true)
  })

  test('as a black hole accepts, and lets nothing arrive', async () => {
    const open = await call()
    await talk(open, 'before')
    proxy.blackHole()
    const late = await call()
    for (const caller of [open, late]) caller.socket.write('?lost')
    await until('both are swallowed', () => proxy.fired.swallowed === 2)
    await sleep(20)
    expect(arrived).toBe('?before')
    expect([open.fate(), late.fate()]).toEqual(['open', 'open'])
    await proxy.heal()
    await until('who lost bytes is reset', () => open.fate() === 'ECONNRESET')
    await talk(await call(), 'after')
  })

  test('drops replies of requests that arrive', async () => {
    const caller = await call()
    const idle = await call()
    proxy.dropReplies()
    caller.socket.write('?asked')
    await until('the reply is dropped', () => proxy.fired.dropped === 1)
    expect(arrived).toBe('?asked')
    await sleep(20)
    expect([caller.heard(), caller.fate()]).toEqual(['', 'open'])
    await proxy.heal()
    await until('who lost bytes is reset', () => caller.fate() === 'ECONNRESET')
    await talk(idle, 'still whole')
  })

  test('delays replies, and keeps their order when it heals in between', async () => {
    const caller = await call()
    proxy.delay(80)
    const beganMs = performance.now()
    caller.socket.write('?slow')
    await until('the request has arrived', () => proxy.fired.delayed === 1)
    await proxy.heal()
    caller.socket.write('?fast')
    await until('both are heard', () => caller.heard() === '=slow=fast')
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(79)
  })

  test('cuts a reply in its middle, so many times', async () => {
    const caller = await call()
    await talk(caller, 'before')
    proxy.cutReplies(3, 1)
    caller.socket.write('?long')
    await until('the connection ends', () => caller.fate() !== 'open')
    expect(caller.heard()).toBe('=before=lo')
    expect([arrived, proxy.fired.cut]).toEqual(['?before?long', 1])
    await talk(await call(), 'long again')
    expect(proxy.fired.cut).toBe(1)
  })

  test('refuses, and listens on the same port when healed', async () => {
    const open = await call()
    await proxy.refuse()
    expect(proxy.fired).toMatchObject({ refused: 1, reset: 1 })
    await until('who was connected is reset', () => open.fate() === 'ECONNRESET')
    await expect(call()).rejects.toThrow(/ECONNREFUSED/)
    await proxy.heal()
    await talk(await call(), 'after')
  })

  test('resets who is connected, and accepts others', async () => {
    const open = await call()
    await talk(open, 'before')
    proxy.reset()
    await until('who was connected is reset', () => open.fate() === 'ECONNRESET')
    await talk(await call(), 'after')
    expect(proxy.fired.reset).toBe(1)
  })
})
