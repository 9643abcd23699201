import type { Redis } from 'ioredis'
import { bare } from './failures.ts'

/** What one server has shown; null where it could not be told. */
export interface NodeInspection {
  /** `host:port`. */
  readonly address: string
  readonly kind: 'redis' | 'valkey' | null
  readonly version: string | null
  readonly role: string | null
  readonly connectedReplicas: number | null
  /** 0 for no bound. */
  readonly maxmemoryBytes: number | null
  readonly maxmemoryPolicy: string | null
  readonly aof: boolean | null
  readonly rdb: boolean | null
  /** Whether scripts run, with the libraries that Ostler's need. */
  readonly scripts: boolean
  /** The median of 20 PINGs. */
  readonly roundTripMs: number
  /** The server's clock minus this host's. */
  readonly skewMs: number
}

export interface NodeFindings {
  readonly node: NodeInspection
  readonly problems: readonly string[]
  readonly unknown: readonly string[]
}

const PINGS = 20
/** From this on a difference of clocks is a problem, in ms. */
const MOST_SKEW_MS = 1_000
/** A median round trip of more than this leaves too little of the default budget, in ms. */
const MOST_ROUND_TRIP_MS = 20
const LEAST_VERSION = [6, 2] as const

/** Looks at one server. Rejects only where it can't be asked at all. */
export async function inspectNode(client: Redis, cluster: boolean): Promise<NodeFindings> {
  const { host = '', port = 0 } = client.options
  const address = `${host}:${port}`
  const unknown: string[] = []
  const ask = async (what: string, command: string, ...args: string[]): Promise<unknown> =>
    client.call(command, ...args).catch((error: unknown) => {
      unknown.push(`${address}: ${what}: ${bare(error).message}`)
      return null
    })
  const told = await ask('what INFO tells', 'info')
  const info = infoFields(typeof told === 'string' ? told : '')
  const save = await ask('whether there are snapshots (CONFIG GET save)', 'config', 'get', 'save')
  const scripts = await ask(
    'whether scripts run',
    'eval',
    'return struct and struct.pack and 1',
    '0',
  )
  const { roundTripMs, skewMs } = await timed(client)
  const count = (field: string): number | null => (info.has(field) ? Number(info.get(field)) : null)
  const valkey = info.get('valkey_version')
  const version = valkey ?? info.get('redis_version') ?? null
  const aof = info.get('aof_enabled')
  const node: NodeInspection = {
    address,
    kind: version === null ? null : valkey === undefined ? 'redis' : 'valkey',
    version,
    role: info.get('role') ?? null,
    connectedReplicas: count('connected_slaves'),
    maxmemoryBytes: count('maxmemory'),
    maxmemoryPolicy: info.get('maxmemory_policy') ?? null,
    aof: aof === undefined ? null : aof === '1',
    rdb: Array.isArray(save) ? String(save[1] ?? '') !== '' : null,
    scripts: scripts === 1,
    roundTripMs,
    skewMs,
  }
  const problems = problemsOf(node)
  if (told === null) {
    problems.push(
      'INFO is refused: that another server has taken over may go unnoticed (ACL +info)',
    )
  }
  const mode = info.get('redis_mode')
  if (mode === 'sentinel') problems.push('this is a Sentinel: connect to what it watches')
  if (mode === 'cluster' && !cluster) {
    problems.push('this is a node of a Cluster: give the store a Cluster client')
  }
  return { node, problems: problems.map((problem) => `${address}: ${problem}`), unknown }
}

/** The fields of an INFO answer. */
export function infoFields(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

async function timed(client: Redis): Promise<{ roundTripMs: number; skewMs: number }> {
  const tripsMs: number[] = []
  for (let i = 0; i < PINGS; i++) {
    const startMs = performance.now()
    await client.ping()
    tripsMs.push(performance.now() - startMs)
  }
  tripsMs.sort((a, b) => a - b)
  const sentMs = Date.now()
  const [seconds, micros] = await client.time()
  const receivedMs = Date.now()
  const serverMs = seconds * 1000 + Math.floor(micros / 1000)
  const skewMs = Math.round(serverMs - (sentMs + receivedMs) / 2)
  return { roundTripMs: Math.round(tripsMs[PINGS / 2] * 1_000) / 1_000, skewMs }
}

function problemsOf(node: NodeInspection): string[] {
  const problems: string[] = []
  const { kind, version, maxmemoryPolicy: policy } = node
  if (kind === 'redis' && version !== null && isOlder(version)) {
    problems.push(`Redis ${version} is older than ${LEAST_VERSION.join('.')}`)
  }
  if (!node.scripts) problems.push('scripts (EVAL, with the struct library) do not run')
  if (node.role === 'slave') problems.push('this is a replica: only a primary can decide')
  if (policy !== null && policy !== 'noeviction') {
    const why = 'evicting a key lifts its limits and exclusions; set noeviction'
    problems.push(`maxmemory-policy is ${policy}: ${why}`)
  }
  if (node.aof === false && node.rdb === false) {
    problems.push('neither AOF nor snapshots are on: a restart forgets limits and exclusions')
  }
  if (node.roundTripMs > MOST_ROUND_TRIP_MS) {
    const trip = `${node.roundTripMs.toFixed(1)} ms`
    problems.push(`a round trip takes ${trip} (the median): the default budget is 50 ms`)
  }
  if (Math.abs(node.skewMs) > MOST_SKEW_MS) {
    const why = "decisions and their instants go by the server's"
    problems.push(`its clock differs from this host's by ${node.skewMs} ms: ${why}`)
  }
  return problems
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor, leastMinor] = LEAST_VERSION
  return major < leastMajor || (major === leastMajor && minor < leastMinor)
}
