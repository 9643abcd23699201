import { createServer } from 'node:net'

/** A loopback port that nobody listens on now. Another process may take it before its user does: a start that fails is tried again. */
export async function freePort(): Promise<number> {
  const port = await listenOnce(0)
  if (port === null) throw new Error('no loopback port is free')
  return port
}

/** Ports whose cluster bus, 10,000 above, is free as well. Below the range from which the system gives out ports. */
export async function freeClusterPorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  for (let tries = 0; ports.size < count; tries++) {
    if (tries === 1_000) throw new Error(`no ${count} loopback ports are free for a cluster`)
    const port = 12_000 + Math.floor(Math.random() * 10_000)
    if ((await listenOnce(port)) !== null && (await listenOnce(port + 10_000)) !== null) {
      ports.add(port)
    }
  }
  return [...ports]
}

/** Listens for an instant. Answers the port, or null where it is taken. */
async function listenOnce(port: number): Promise<number | null> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      const got = typeof address === 'object' && address !== null ? address.port : null
      server.close(() => resolve(got))
    })
  })
}
