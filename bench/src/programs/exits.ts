import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Agent } from '@ostler/core'
import { Server } from 'proxy-chain'
import { placedAgents } from '../rig/fleet.ts'
import { serveProgram } from '../rig/program.ts'

/** What to start, and with how long a page targets answer. */
export interface ExitsInput {
  readonly agents: number
  readonly targets: number
  readonly pageBytes: number
}

/** What was started. */
export interface Exits {
  readonly agents: readonly Agent[]
  readonly targets: readonly string[]
}

serveProgram(async ({ agents, targets, pageBytes }: ExitsInput): Promise<Exits> => {
  const page = `<!doctype html><title>Oats</title>`.padEnd(pageBytes, '<p>4.20 a sack.</p>\n')
  return {
    agents: await Promise.all(placedAgents(agents).map(startAgent)),
    targets: await Promise.all(Array.from({ length: targets }, (_, i) => startTarget(i, page))),
  }
})

/** A forward proxy. */
async function startAgent(agent: Agent): Promise<Agent> {
  const server = new Server({ host: '127.0.0.1', port: 0 })
  await server.listen()
  const { port } = server.server.address() as AddressInfo
  return { ...agent, url: `http://127.0.0.1:${port}` }
}

/** A web server; each is a domain of its own where the system has more than one loopback address. */
async function startTarget(i: number, page: string): Promise<string> {
  const host = process.platform === 'linux' ? `127.0.3.${i + 1}` : '127.0.0.1'
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(page)
  })
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return `http://${host}:${port}/`
}
