import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { closing } from './rig/closing.ts'
import { startRig, type Rig } from './rig/gateway.ts'
import { BLOCK_PAGE, html, page } from './rig/targets.ts'

const AGENTS = 50
const CALLERS = 64
const REQUESTS = 5_000
/** Exits that the shop turns away: fewer than an incident takes. */
const UNWANTED: readonly string[] = [3, 7, 11, 23, 29, 31, 43, 47].map((i) => `127.0.2.${i}`)

interface Shop {
  readonly url: string
  /** How often each exit came. */
  readonly visits: Map<string, number>
  /** Connections that were made to it. */
  connections(): number
}

/** A target that keeps nothing of a visit but its number, and turns some exits away. */
async function startShop(): Promise<Shop> {
  const visits = new Map<string, number>()
  let connections = 0
  const server = createServer((request, response) => {
    const from = request.socket.remoteAddress ?? 'unknown'
    visits.set(from, (visits.get(from) ?? 0) + 1)
    if (request.url === '/shop' && UNWANTED.includes(from)) html(response, 403, BLOCK_PAGE)
    else html(response, 200, page('Shop', 'Oats, 4.20 a sack.'))
  })
  server.on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, visits, connections: () => connections }
}

interface Answered {
  readonly status: number
  readonly agent: string
  readonly blocked: boolean
}

/** So many requests by callers that each wait for their answer; in the order of the answers. */
async function drive(
  rig: Rig,
  url: string,
  requests: number,
  callers = CALLERS,
): Promise<readonly Answered[]> {
  const answered: Answered[] = []
  let asked = 0
  const caller = async (): Promise<void> => {
    while (asked++ < requests) {
      const { status, json } = await rig.ask(`/fetch?url=${url}`)
      const { agent, blocked } = json?.meta ?? {}
      answered.push({ status, agent: agent?.id ?? 'none', blocked: blocked === true })
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return answered
}

async function inFlight(rig: Rig): Promise<number> {
  const { text } = await rig.ask('/metrics', { key: null })
  return Number(/^ostler_in_flight (\d+)$/m.exec(text)?.[1])
}

test(`${REQUESTS} requests through ${AGENTS} agents are all answered, by all of them evenly`, async () => {
  const rig = await startRig({ agents: AGENTS })
  const shop = await startShop()
  // Connections and code are made first, which is slow: few at once, so that it makes few agents look slow.
  await drive(rig, `${shop.url}/`, 6 * AGENTS, 1)
  shop.visits.clear()
  const answered = await drive(rig, `${shop.url}/`, REQUESTS)
  expect(answered).toHaveLength(REQUESTS)
  expect(answered.filter(({ status }) => status !== 200)).toEqual([])

  // The target counted the same as was answered: nothing was sent twice, and nobody was left out.
  const counts = [...shop.visits.values()]
  expect(counts).toHaveLength(AGENTS)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(REQUESTS)
  const mean = REQUESTS / AGENTS
  expect(Math.max(...counts)).toBeLessThan(mean * 2)
  // Who was asked while all was cold counts as slow for a minute: they are few, and all others have their share.
  expect(counts.filter((count) => count > mean / 2).length).toBeGreaterThanOrEqual(0.8 * AGENTS)

  // Connections are kept: of a request a connection there would be as many as requests.
  expect(shop.connections()).toBeLessThan(REQUESTS / 4)
  expect(await inFlight(rig)).toBe(0)
  const explained = await rig.gateway.scheduler.explain({ url: `${shop.url}/` })
  expect(explained.candidates.length).toBeGreaterThan(0)
  for (const candidate of explained.candidates) expect(candidate.inFlight).toBe(0)
}, 120_000)

test('under load a block steers all others elsewhere, and soon none meets one', async () => {
  const rig = await startRig({ agents: AGENTS })
  const shop = await startShop()
  const answered = await drive(rig, `${shop.url}/shop`, REQUESTS / 2)
  expect(answered.filter(({ status }) => status !== 200)).toEqual([])
  const blocked = answered.filter((each) => each.blocked)
  expect(new Set(blocked.map(({ agent }) => agent)).size).toBe(UNWANTED.length)
  // Only those that were under way when the first of them was told may meet a block of the same exit.
  expect(blocked.length).toBeLessThan(CALLERS)
  expect(answered.slice(REQUESTS / 4).filter((each) => each.blocked)).toEqual([])
  expect(shop.visits.size).toBe(AGENTS)
}, 120_000)

test('what thousands of requests leave behind does not grow with their number', async () => {
  const rig = await startRig({ agents: AGENTS })
  const shop = await startShop()
  await drive(rig, `${shop.url}/`, REQUESTS / 2)
  const before = heldBytes()
  await drive(rig, `${shop.url}/`, REQUESTS / 2)
  const grown = heldBytes() - before
  // Tables and compiled code move about by half a megabyte; a kilobyte kept of each request is five times that.
  expect(grown).toBeLessThan((REQUESTS / 2) * 1_000)
}, 120_000)

/** What is in use, once what is not has been collected. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
