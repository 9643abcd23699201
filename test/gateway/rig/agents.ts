import type { AddressInfo } from 'node:net'
import { Server } from 'proxy-chain'
import type { Agent } from '@ostler/core'
import { closing } from './closing.ts'

const PLACES: readonly Pick<Agent, 'country' | 'lat' | 'lon'>[] = [
  { country: 'DE', lat: 50.11, lon: 8.68 },
  { country: 'FR', lat: 48.86, lon: 2.35 },
  { country: 'US', lat: 39.04, lon: -77.49 },
  { country: 'JP', lat: 35.68, lon: 139.69 },
]

/** An agent that runs here. */
export interface RunningAgent extends Agent {
  readonly exitIp: string
  /** Hosts and ports that it was asked to connect to. */
  readonly asked: readonly string[]
}

/** Forward proxies on loopback, each with an address of its own towards targets. */
export async function startAgents(
  count: number,
  credentials?: { readonly username: string; readonly password: string },
): Promise<readonly RunningAgent[]> {
  const agents: RunningAgent[] = []
  for (let i = 0; i < count; i++) {
    const exitIp = `127.0.2.${i + 1}`
    const asked: string[] = []
    const server = new Server({
      host: '127.0.0.1',
      port: 0,
      prepareRequestFunction: ({ hostname, port, username, password }) => {
        asked.push(`${hostname}:${port}`)
        const requestAuthentication =
          credentials !== undefined &&
          (username !== credentials.username || password !== credentials.password)
        return { localAddress: exitIp, requestAuthentication }
      },
    })
    await server.listen()
    closing(() => server.close(true))
    const { port } = server.server.address() as AddressInfo
    const login =
      credentials === undefined ? '' : `${credentials.username}:${credentials.password}@`
    const place = PLACES[i % PLACES.length]
    agents.push({
      id: `a${i + 1}`,
      ...place,
      exitIp,
      url: `http://${login}127.0.0.1:${port}`,
      asked,
    })
  }
  return agents
}
