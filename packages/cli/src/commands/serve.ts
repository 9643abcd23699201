import { existsSync } from 'node:fs'
import type { Agent } from '@ostler/core'
import type { GatewayOptions } from '@ostler/gateway'
import type { Command } from 'commander'
import { usage } from '../failure.ts'
import { readJson } from '../files.ts'
import type { Io } from '../io.ts'
import { wholeNumber } from '../numbers.ts'
import { openServingStore, parseStore, STORE_FORMS } from '../stores.ts'
import { complain, readAgents } from './import.ts'
import { DEFAULT_KEYS, gatewayPackage, open as openKeys, type GatewayPackage } from './keys.ts'

/** What a configuration file may say; options of the command line go before it. */
interface Config {
  readonly port?: number
  readonly host?: string
  readonly store?: string
  /** A list that `import` reads, or agents themselves. */
  readonly agents?: string | readonly Agent[]
  readonly keys?: string
  /** What `createGateway` is told beyond these. */
  readonly gateway?: Omit<GatewayOptions, 'keys' | 'store' | 'agents' | 'clock' | 'logTo'>
}

interface Options extends Omit<Config, 'agents' | 'gateway'> {
  readonly config?: string
  readonly agents?: string
  readonly demo?: true
  readonly quiet?: true
}

const FIELDS: readonly string[] = ['port', 'host', 'store', 'agents', 'keys', 'gateway']
const DEFAULT_PORT = 8080
const DEFAULT_HOST = '127.0.0.1'

/** `ostler serve`: the gateway, until it is asked to end. */
export function serveCommand(ostler: Command, io: Io): void {
  ostler
    .command('serve')
    .description('run the gateway; --demo brings agents, a target and a key of its own')
    .option('--config <file>', 'JSON: { port, host, store, agents, keys, gateway }')
    .option('--port <n>', `where to listen; default ${DEFAULT_PORT}`, wholeNumber(0, 65_535))
    .option('--host <address>', `default ${DEFAULT_HOST}: from this machine alone`)
    .option('--store <url>', `default memory; ${STORE_FORMS}`)
    .option('--agents <file>', 'any list that import reads')
    .option('--keys <file>', `API keys, made by keys create; default ${DEFAULT_KEYS}`)
    .option('--demo', 'agents and a target on this machine, and a key to try them with')
    .option('--quiet', 'log warnings only')
    .action(async (options: Options) => {
      const config = await configOf(io, options)
      if (options.demo === true) await serveDemo(io, config)
      else await serve(io, config)
    })
}

async function configOf(io: Io, options: Options): Promise<Config> {
  const { config: path, demo: _demo, quiet, ...given } = options
  const read = path === undefined ? {} : await readJson(io, path)
  if (typeof read !== 'object' || read === null || Array.isArray(read)) {
    throw usage(`${path} must be { ${FIELDS.join(', ')} }`)
  }
  const unknown = Object.keys(read).find((field) => !FIELDS.includes(field))
  if (unknown !== undefined) {
    throw usage(`${path} has ${JSON.stringify(unknown)}; known are ${FIELDS.join(', ')}`)
  }
  const config: Config = { ...(read as Config), ...given }
  if (quiet !== true) return config
  return { ...config, gateway: { ...config.gateway, log: 'warn' } }
}

async function serve(io: Io, config: Config): Promise<void> {
  const { createGateway } = await gatewayPackage()
  const { store, end } = await openServingStore(parseStore(config.store ?? 'memory'))
  try {
    const gateway = await createGateway({
      ...config.gateway,
      store,
      keys: await keysOf(io, config.keys),
      agents: await agentsOf(io, config.agents),
    })
    try {
      await listen(io, gateway, config)
      await io.ended()
    } finally {
      await gateway.close()
    }
  } finally {
    await end()
  }
}

/** The default file may be made while the gateway runs. */
async function keysOf(io: Io, file: string | undefined): Promise<GatewayOptions['keys']> {
  if (file === undefined && !existsSync(DEFAULT_KEYS)) {
    io.err(`no keys: nobody may fetch. Make one by: ostler keys create\n`)
  }
  return openKeys({ file: file ?? DEFAULT_KEYS }, io, await gatewayPackage())
}

async function agentsOf(
  io: Io,
  agents: string | readonly Agent[] | undefined,
): Promise<readonly Agent[]> {
  const gateway = await gatewayPackage()
  if (typeof agents !== 'string') return usable(io, agents ?? [], gateway)
  const imported = await readAgents(io, agents)
  complain(io, imported)
  return usable(io, imported.agents, gateway)
}

/** Without those that the gateway cannot go through: each would cost attempts. What is no agent at all is for the core to refuse. */
function usable(
  io: Io,
  agents: readonly Agent[],
  { readEndpoint }: GatewayPackage,
): readonly Agent[] {
  if (!Array.isArray(agents)) return agents
  return agents.filter((agent: Agent | null) => {
    if (typeof agent?.url !== 'string') return true
    try {
      readEndpoint(agent.url)
      return true
    } catch (error) {
      io.err(`${agent.id} is left out: ${(error as Error).message}\n`)
      return false
    }
  })
}

async function listen(
  io: Io,
  gateway: { listen(at: { port: number; host: string }): Promise<string> },
  { port = DEFAULT_PORT, host = DEFAULT_HOST }: Config,
): Promise<string> {
  try {
    const url = await gateway.listen({ port, host })
    io.err(`listening on ${url}\n`)
    return url
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw usage(`port ${port} of ${host} is taken: give another one by --port`, error)
  }
}

async function serveDemo(io: Io, config: Config): Promise<void> {
  const { startDemo } = await gatewayPackage()
  const { store, end } = await openServingStore(parseStore(config.store ?? 'memory'))
  try {
    const demo = await startDemo({ log: 'warn', ...config.gateway, store })
    try {
      const url = await listen(io, demo.gateway, config)
      io.out(demoText(url, demo.key, demo.targetUrl))
      await io.ended()
    } finally {
      await demo.close()
    }
  } finally {
    await end()
  }
}

function demoText(url: string, key: string, target: string): string {
  return `Ostler gateway at ${url}, with 8 agents and a target at ${target}

  export KEY=${key} GATEWAY=${url} TARGET=${target}
  curl -s "$GATEWAY/healthz"
  curl -s -H "Authorization: Bearer $KEY" "$GATEWAY/fetch?url=$TARGET/"
  curl -s -H "Authorization: Bearer $KEY" -H "X-Geo: DE" "$GATEWAY/fetch?url=$TARGET/shop"
  curl -s -H "Authorization: Bearer $KEY" "$GATEWAY/network/health/127.0.0.1"
  curl -s -H "Authorization: Bearer $KEY" "$GATEWAY/debug/pick?url=$TARGET/shop&geo=DE"
  curl -s -H "Authorization: Bearer $KEY" "$GATEWAY/usage"

/shop turns an agent away at its fourth visit: see it excluded, and the next one picked.
`
}
