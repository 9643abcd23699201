import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { Line } from './proxy-line.ts'

/** What a proxy does to what passes. Every count of `fired` belongs to one of them. */
type Fault =
  | { readonly kind: 'none' }
  | { readonly kind: 'black_hole' }
  | { readonly kind: 'drop_replies' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'cut_replies'; readonly afterBytes: number; left: number }

/** How often each fault has met something, since the proxy began: proof that it was there. */
export interface Fired {
  /** Chunks of requests that a black hole has swallowed. */
  swallowed: number
  /** Chunks of replies that were dropped, of requests that had arrived. */
  dropped: number
  /** Chunks of replies that came late. */
  delayed: number
  /** Replies that ended in their middle, and their connection with them. */
  cut: number
  /** Connection attempts that found nobody listening: the proxy's own, for it cannot see others'. */
  refused: number
  /** Connections that were reset under their users. */
  reset: number
}

export interface Proxy {
  readonly port: number
  readonly targetPort: number
  readonly url: string
  readonly fired: Readonly<Fired>
  /** Connections that have been accepted so far. */
  readonly accepted: number
  /** Accepts, and swallows: requests do not arrive, nothing answers, nothing is closed. */
  blackHole(): void
  /** Requests arrive, their replies never. */
  dropReplies(): void
  /** Each reply comes so much later, in order. */
  delay(ms: number): void
  /** Passes so many more bytes of replies on each connection, then resets it; heals itself after `times` (default: never). */
  cutReplies(afterBytes: number, times?: number): void
  /** Nobody listens, and connections that are open are reset. Resolves when that has been seen to be so. */
  refuse(): Promise<void>
  /** Resets every open connection, and accepts new ones. */
  reset(): void
  /** As it was. A connection that has lost bytes is reset: what followed would be taken for what is missing. */
  heal(): Promise<void>
  stop(): Promise<void>
}

/** A TCP proxy on loopback whose faults begin and end at once, for connections that are open too. */
export async function startProxy(targetPort: number): Promise<Proxy> {
  const lines = new Set<Line>()
  const fired: Fired = { swallowed: 0, dropped: 0, delayed: 0, cut: 0, refused: 0, reset: 0 }
  let fault: Fault = { kind: 'none' }
  let accepted = 0

  const server = createServer({ noDelay: true }, (client) => {
    accepted++
    const target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
    const line = new Line(client, target, () => lines.delete(line))
    lines.add(line)
    client.on('data', (bytes) => request(line, bytes))
    target.on('data', (bytes) => reply(line, bytes))
  })
  await listen(server, 0)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0

  function request(line: Line, bytes: Buffer): void {
    if (fault.kind === 'black_hole') {
      fired.swallowed++
      line.gap = true
    }
    line.request(bytes)
  }

  function reply(line: Line, bytes: Buffer): void {
    switch (fault.kind) {
      case 'none':
        line.reply(bytes)
        return
      case 'delay':
        fired.delayed++
        line.reply(bytes, fault.ms)
        return
      case 'black_hole':
        line.gap = true
        return
      case 'drop_replies':
        fired.dropped++
        line.gap = true
        return
      case 'cut_replies':
        cut(line, bytes, fault)
        return
      default:
        fault satisfies never
    }
  }

  function cut(line: Line, bytes: Buffer, of: Fault & { kind: 'cut_replies' }): void {
    const room = of.afterBytes - line.replied
    line.replied += bytes.length
    if (bytes.length <= room) {
      line.reply(bytes)
      return
    }
    fired.cut++
    if (--of.left === 0) fault = { kind: 'none' }
    lines.delete(line)
    line.end(bytes.subarray(0, room))
  }

  function begin(next: Fault): void {
    for (const line of lines) line.replied = 0
    fault = next
  }

  function resetLines(which: (line: Line) => boolean): void {
    for (const line of [...lines].filter(which)) {
      fired.reset++
      line.reset()
      lines.delete(line)
    }
  }

  return {
    port,
    targetPort,
    url: `redis://127.0.0.1:${port}`,
    fired,
    get accepted() {
      return accepted
    },
    blackHole: () => begin({ kind: 'black_hole' }),
    dropReplies: () => begin({ kind: 'drop_replies' }),
    delay: (ms) => begin({ kind: 'delay', ms }),
    cutReplies: (afterBytes, times = Infinity) =>
      begin({ kind: 'cut_replies', afterBytes, left: times }),
    refuse: async () => {
      begin({ kind: 'none' })
      server.close()
      resetLines(() => true)
      if (await isRefused(port)) fired.refused++
    },
    reset: () => resetLines(() => true),
    heal: async () => {
      begin({ kind: 'none' })
      resetLines((line) => line.gap)
      if (!server.listening) await listen(server, port)
    },
    stop: async () => {
      resetLines(() => true)
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

/** Where a Cluster client finds each node, if it is to come through its proxy: ioredis's `natMap`. */
export function natMapOf(
  proxies: readonly Proxy[],
): Record<string, { readonly host: string; readonly port: number }> {
  const entries = proxies.map(
    ({ port, targetPort }) => [`127.0.0.1:${targetPort}`, { host: '127.0.0.1', port }] as const,
  )
  return Object.fromEntries(entries)
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
  })
}
