import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Requests that the demo's shop takes from one address before it turns it away, and for how long. */
const MOST_FROM_ONE = 3
const REFUSED_MS = 20_000

export interface DemoTargets {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string
  close(): Promise<void>
}

/**
 * A web server on this machine that behaves as targets do: `/` answers, `/shop` turns away who comes too often, `/slow` takes its
 * time, `/redirect` sends elsewhere, `/limited` has a limit and says so.
 */
export async function startDemoTargets(): Promise<DemoTargets> {
  const visits = new Map<string, { count: number; refusedUntilMs: number }>()
  const server = createServer((request, response) => answer(visits, request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function answer(
  visits: Map<string, { count: number; refusedUntilMs: number }>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const from = request.socket.remoteAddress ?? 'unknown'
  const path = (request.url ?? '/').split('?', 1)[0]
  response.setHeader('content-type', 'text/html; charset=utf-8')
  switch (path) {
    case '/':
      response.end(page('Demo', `You come from ${from}.`))
      return
    case '/shop':
      if (mayEnter(visits, from, Date.now())) response.end(page('Shop', 'Oats, 4.20 a sack.'))
      else response.writeHead(403).end(page('Access denied', 'Your network is blocked.'))
      return
    case '/limited':
      response.writeHead(429, { 'retry-after': '5' }).end(page('Slower', 'Too many requests.'))
      return
    case '/slow':
      setTimeout(() => response.end(page('Slow', 'It took a while.')), 2_000)
      return
    case '/redirect':
      response.writeHead(302, { location: '/' }).end()
      return
    default:
      response.writeHead(404).end(page('Not found', 'There is no such page.'))
  }
}

function mayEnter(
  visits: Map<string, { count: number; refusedUntilMs: number }>,
  from: string,
  nowMs: number,
): boolean {
  const visit = visits.get(from) ?? { count: 0, refusedUntilMs: 0 }
  visits.set(from, visit)
  if (nowMs < visit.refusedUntilMs) return false
  visit.count++
  if (visit.count <= MOST_FROM_ONE) return true
  visit.count = 0
  visit.refusedUntilMs = nowMs + REFUSED_MS
  return false
}

function page(title: string, text: string): string {
  return `<!doctype html><title>${title}</title><h1>${title}</h1><p>${text}</p>\n`
}
