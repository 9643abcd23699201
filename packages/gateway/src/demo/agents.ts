import type { AddressInfo } from 'node:net'
import { Server } from 'proxy-chain'
import type { Agent } from '@ostler/core'

/** Where the demo's agents say that they are. */
const PLACES: readonly Omit<Agent, 'exitIp' | 'url'>[] = [
  { id: 'de-frankfurt', country: 'DE', city: 'Frankfurt', lat: 50.11, lon: 8.68 },
  { id: 'de-berlin', country: 'DE', city: 'Berlin', lat: 52.52, lon: 13.4 },
  { id: 'at-vienna', country: 'AT', city: 'Vienna', lat: 48.21, lon: 16.37 },
  { id: 'fr-paris', country: 'FR', city: 'Paris', lat: 48.86, lon: 2.35 },
  { id: 'gb-london', country: 'GB', city: 'London', lat: 51.51, lon: -0.13 },
  { id: 'us-ashburn', country: 'US', region: 'US-VA', city: 'Ashburn', lat: 39.04, lon: -77.49 },
  { id: 'us-portland', country: 'US', region: 'US-OR', city: 'Portland', lat: 45.52, lon: -122.68 },
  { id: 'jp-tokyo', country: 'JP', city: 'Tokyo', lat: 35.68, lon: 139.69 },
]

export interface DemoAgents {
  readonly agents: readonly Agent[]
  close(): Promise<void>
}

/** Forward proxies on this machine, each with an address of its own towards targets where the system has them (all of 127/8 on Linux). */
export async function startDemoAgents(): Promise<DemoAgents> {
  const servers: Server[] = []
  const agents: Agent[] = []
  for (const [i, place] of PLACES.entries()) {
    const exitIp = process.platform === 'linux' ? `127.0.1.${i + 1}` : '127.0.0.1'
    const server = new Server({
      host: '127.0.0.1',
      port: 0,
      prepareRequestFunction: () => ({ localAddress: exitIp }),
    })
    await server.listen()
    servers.push(server)
    const { port } = server.server.address() as AddressInfo
    agents.push({ ...place, exitIp, url: `http://127.0.0.1:${port}` })
  }
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close(true)))
  }
  return { agents, close }
}
