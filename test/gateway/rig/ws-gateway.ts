import type { AddressInfo, Socket } from 'node:net'
import type { Agent } from '@ostler/core'
import {
  createGateway,
  hashKey,
  keyRing,
  newKey,
  type ApiKey,
  type Gateway,
  type GatewayOptions,
} from '@ostler/gateway'
import { Server as ProxyServer } from 'proxy-chain'
import { afterEach } from 'vitest'
import { until } from '../../servers/until.ts'

const SECRET = 'a secret of tests alone'
const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Closes something after the test, the newest first. */
export function afterwards(close: () => Promise<void>): void {
  closing.push(close)
}

/** A forward proxy on loopback, with the sockets that it was reached by. */
export interface TestProxy {
  readonly url: string
  readonly sockets: readonly Socket[]
  /** Ends it, and every connection through it. */
  kill(): Promise<void>
}

export async function startProxy(): Promise<TestProxy> {
  const sockets: Socket[] = []
  const server = new ProxyServer({ host: '127.0.0.1', port: 0 })
  server.server.on('connection', (socket: Socket) => sockets.push(socket))
  await server.listen()
  let killed: Promise<void> | null = null
  const kill = async (): Promise<void> => {
    killed ??= server.close(true)
    for (const socket of sockets) socket.destroy()
    return killed
  }
  afterwards(kill)
  const { port } = server.server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, sockets, kill }
}

export interface TestGateway {
  readonly gateway: Gateway
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string
  /** Such as `ws://127.0.0.1:40123/ws`. */
  readonly ws: string
  /** A key of every scope that is needed here, of the tier `test`. */
  readonly key: string
  readonly keyId: string
  /** Connections to the gateway that are open. */
  connections(): Promise<number>
  /** WebSockets and requests under way, by `/metrics`. */
  metric(name: string): Promise<number>
}

export interface TestKey extends Pick<ApiKey, 'tier' | 'scopes'> {
  readonly key: string
  readonly revoked?: boolean
}

/** A gateway on loopback that may fetch from there, with a key `key_ws` of the tier `test`. */
export async function startGateway(
  options: Partial<GatewayOptions> & {
    readonly agents?: readonly Agent[]
    readonly others?: readonly TestKey[]
    readonly permits?: number
  } = {},
): Promise<TestGateway> {
  const { others = [], permits = 1_000, ...rest } = options
  const key = newKey('test')
  const own: TestKey = { key, tier: 'test', scopes: ['ws', 'usage', 'fetch'] }
  const kept = [own, ...others].map(({ key, tier, scopes, revoked = false }, i) => ({
    id: i === 0 ? 'key_ws' : `key_${i}`,
    hash: hashKey(key, SECRET),
    tier,
    scopes,
    createdAtMs: 0,
    ...(revoked && { revokedAtMs: 1 }),
  }))
  const gateway = await createGateway({
    keys: keyRing(kept, SECRET),
    allowTargets: ['127.0.0.1/32'],
    log: false,
    drainMs: 0,
    ...rest,
    tiers: {
      test: { policies: [{ name: 'test', limit: 10_000, windowMs: 60_000 }], permits },
      ...rest.tiers,
    },
  })
  afterwards(() => gateway.close())
  const url = await gateway.listen({ port: 0 })
  return {
    gateway,
    url,
    ws: `${url.replace('http', 'ws')}/ws`,
    key,
    keyId: 'key_ws',
    connections: () =>
      new Promise((resolve, reject) => {
        gateway.app.server.getConnections((error, count) =>
          error === null ? resolve(count) : reject(error),
        )
      }),
    async metric(name) {
      const { payload } = await gateway.app.inject('/metrics')
      const line = payload.split('\n').find((text) => text.startsWith(`${name} `))
      return Number(line?.split(' ').at(-1) ?? NaN)
    },
  }
}

/** Waits until a gateway holds nothing any more: no WebSocket, no permit, no lease, no work. */
export async function untilQuiet(
  { gateway, keyId, metric }: TestGateway,
  urls: readonly string[] = [],
): Promise<void> {
  let held = ''
  const look = async (): Promise<void> => {
    const usage = await gateway.scheduler.usage(keyId, 'test')
    const permits = usage.find(({ policy }) => policy === 'permits')?.used
    const sockets = await metric('ostler_websockets')
    const inFlight = await metric('ostler_in_flight')
    const leases = urls.flatMap((url) => {
      const { candidates } = gateway.scheduler.explain({ url }) as {
        readonly candidates: readonly { readonly inFlight: number }[]
      }
      return candidates.map((candidate) => candidate.inFlight)
    })
    const busy = leases.filter((count) => count > 0).length
    held = permits === 0 && sockets === 0 && inFlight === 0 && busy === 0 ? '' : 'held'
    held &&= JSON.stringify({ permits, sockets, inFlight, leases })
  }
  await look()
  const poll = setInterval(() => void look(), 20)
  try {
    await until(`a gateway that holds nothing, it holds ${held}`, () => held === '')
  } finally {
    clearInterval(poll)
  }
}
