import type { Figure, Kind, Table } from '../case.ts'
import type { Exits } from '../programs/exits.ts'
import type { Serving } from '../programs/gateway.ts'
import { drive, quantile, type Driven } from '../rig/load.ts'
import { startProgram, type Program } from '../rig/program.ts'

const AGENTS = 50
const TARGETS = 4
const PAGE_BYTES = 4_096
const IN_FLIGHT = 64
/** Some thousands of requests: before that a gateway's code is not compiled yet. */
const WARM_UP_MS = 4_000
const ROUND_MS = 1_000
const ROUNDS = 2
const RATE = 'requests a second, through the gateway'

export const gatewayTables: readonly Table[] = [
  {
    name: 'gateway, requests through 50 proxies',
    about: `A gateway in a process of its own, as \`ostler serve\` has it, logs and all, but for a limit that nobody reaches; ${AGENTS} proxies (proxy-chain) and ${TARGETS} targets in another, each answer a page of ${PAGE_BYTES.toLocaleString('en')} bytes; ${IN_FLIGHT} callers at once, each waits for its answer before it asks again. Without the gateway: undici's ProxyAgent over the same proxies in turn, by the same callers. One by one: a single caller, so that nothing waits for another. Time on the processor is of the gateway's process, in user and system.`,
    full: true,
    gauges: [{ name: 'gateway', kind: 'ours', processes: 2, measure }],
    bounds: [{ row: RATE, least: 1_000 }],
  },
]

type Request = (i: number) => Promise<void>

interface Rig {
  readonly gateway: Program<Serving>
  readonly through: Request
  readonly without: Request
}

async function measure(): Promise<readonly Figure[]> {
  const exits = await startProgram<Exits>('exits', {
    agents: AGENTS,
    targets: TARGETS,
    pageBytes: PAGE_BYTES,
  })
  const gateway = await startProgram<Serving>('gateway', exits.told.agents)
  try {
    const through = await throughGateway(gateway.told, exits.told)
    const without = await withoutGateway(exits.told)
    return await figures({ gateway, through, without })
  } finally {
    await gateway.end()
    await exits.end()
  }
}

/** Both ways by turns, so that what else the machine does meets both. */
async function figures({ gateway, through, without }: Rig): Promise<readonly Figure[]> {
  await drive(IN_FLIGHT, WARM_UP_MS, through)
  await drive(IN_FLIGHT, WARM_UP_MS / 8, without)
  const ours: Driven[] = []
  const bare: Driven[] = []
  let cpuUs = 0
  for (let round = 0; round < ROUNDS; round++) {
    const before = await gateway.spent()
    ours.push(await drive(IN_FLIGHT, ROUND_MS, through))
    cpuUs += (await gateway.spent()).cpuUs - before.cpuUs
    bare.push(await drive(IN_FLIGHT, ROUND_MS, without))
  }
  const { memoryBytes } = await gateway.spent()
  const alone = await drive(1, ROUND_MS / 2, through)
  const bareAlone = await drive(1, ROUND_MS / 2, without)
  const count = ours.reduce((sum, { latenciesMs }) => sum + latenciesMs.length, 0)
  const overheadNs = 1e6 * (p(alone, 0.5) - p(bareAlone, 0.5))
  return [
    { name: RATE, unit: 'per second', value: rate(ours) },
    { name: 'requests a second, without it', unit: 'per second', value: rate(bare), kind: 'floor' },
    ...quantiles('through the gateway', ours),
    ...quantiles('without it', bare, 'floor'),
    ...quantiles('through the gateway, one by one', [alone]),
    ...quantiles('without it, one by one', [bareAlone], 'floor'),
    { name: "the gateway's own, one by one, p50", unit: 'ns', value: overheadNs },
    { name: 'time on the processor for each request', unit: 'ns', value: (1e3 * cpuUs) / count },
    { name: 'memory of the gateway', unit: 'MB', value: memoryBytes / 1e6 },
  ]
}

function quantiles(
  name: string,
  driven: readonly Driven[],
  kind: Kind = 'ours',
): readonly Figure[] {
  const all = { latenciesMs: driven.flatMap(({ latenciesMs }) => latenciesMs) }
  return [
    { name: `${name}, p50`, unit: 'ns', value: 1e6 * p(all, 0.5), kind },
    { name: `${name}, p99`, unit: 'ns', value: 1e6 * p(all, 0.99), kind },
  ]
}

function p({ latenciesMs }: Pick<Driven, 'latenciesMs'>, share: number): number {
  return quantile(latenciesMs, share)
}

function rate(driven: readonly Driven[]): number {
  return driven.reduce((sum, { perSecond }) => sum + perSecond, 0) / driven.length
}

/** Loaded here: only the process that measures needs it. */
async function throughGateway({ url, key }: Serving, { targets }: Exits): Promise<Request> {
  const { Pool } = await import('undici')
  const pool = new Pool(url, { connections: IN_FLIGHT, pipelining: 1 })
  const headers = { authorization: `Bearer ${key}` }
  return async (i) => {
    const target = targets[i % targets.length]
    const path = `/fetch?url=${encodeURIComponent(target)}`
    const { statusCode, body } = await pool.request({ method: 'GET', path, headers })
    const { meta, body: page } = (await body.json()) as {
      readonly meta?: { readonly status: number }
      readonly body?: string
    }
    expectPage(statusCode === 200 ? meta?.status : statusCode, page)
  }
}

async function withoutGateway({ agents, targets }: Exits): Promise<Request> {
  const { ProxyAgent, request } = await import('undici')
  const ways = agents.map(({ url = '' }) => new ProxyAgent({ uri: url }))
  return async (i) => {
    const dispatcher = ways[i % ways.length]
    const { statusCode, body } = await request(targets[i % targets.length], { dispatcher })
    expectPage(statusCode, await body.text())
  }
}

function expectPage(status: number | undefined, page: string | undefined): void {
  if (status === 200 && page?.length === PAGE_BYTES) return
  throw new Error(`a request came to ${status}, with ${page?.length} bytes`)
}
