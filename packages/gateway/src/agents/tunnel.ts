import { connect, isIP, isIPv4, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls'
import type { DirectEndpoint, Endpoint } from './endpoint.ts'
import { AgentFailure, DispatchFailure, TargetFailure, TimeoutFailure } from './failure.ts'
import { httpConnect } from './http-connect.ts'
import { Patience } from './patience.ts'
import { socksConnect } from './socks-connect.ts'

/** Where a tunnel ends. A checked target fits. */
export interface TunnelTarget {
  readonly host: string
  readonly port: number
  /** Checked: the only addresses that are connected to. */
  readonly addresses: readonly string[]
}

/** TLS with the target, through the tunnel. */
export interface TargetTls {
  /** Whom the certificate must name; sent as SNI where it is a name. */
  readonly servername: string
  /** Protocols offered, such as `['http/1.1']`. Default none. */
  readonly alpn?: readonly string[]
  /** Whom to trust. Default: Node's authorities. */
  readonly context?: SecureContext
}

export interface TunnelOptions {
  /** For all of it. Default 10,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /**
   * `gateway` (default): the agent is told a checked address. `agent`: it is told the name, looks
   * it up itself, and is trusted to guard itself. Direct connections go to a checked address always.
   */
  readonly resolveAt?: 'gateway' | 'agent'
  readonly tls?: TargetTls
  /** Whom to trust as an agent behind https. Default: Node's authorities. */
  readonly agentContext?: SecureContext
}

export const DEFAULT_TUNNEL_TIMEOUT_MS = 10_000

/** How long a direct connection tries one of several addresses before the next. */
const NEXT_ADDRESS_MS = 2_000
const TCP_KEEP_ALIVE_MS = 60_000

/**
 * Connects to a target: through an agent, or direct. The socket is the caller's, as new: nothing
 * was read of what the target sent. Where this throws no socket is left behind. One attempt; the
 * first address (an IPv4 one, if there is one) is the one an agent is told.
 * @throws AgentFailure of any reason but misconfigured; TargetFailure refused, unreachable, closed
 *   (direct), tls; TimeoutFailure tunnel (direct), tls; AbortFailure
 */
export async function openTunnel(
  endpoint: Endpoint,
  target: TunnelTarget,
  options: TunnelOptions = {},
): Promise<Socket> {
  const opened = new Opened()
  const patience = new Patience(options.timeoutMs ?? DEFAULT_TUNNEL_TIMEOUT_MS, options.signal)
  try {
    const tunnel =
      endpoint.kind === 'direct'
        ? await openDirect(target, opened, patience)
        : await throughAgent(endpoint, target, options, opened, patience)
    const { tls } = options
    return tls === undefined ? tunnel : await withTargetTls(tunnel, tls, opened, patience)
  } catch (error) {
    opened.destroy()
    throw error
  }
}

/** Connects to an agent that is a proxy, over TLS where it wants that, and asks for nothing yet. */
export async function connectToAgent(
  endpoint: Exclude<Endpoint, DirectEndpoint>,
  options: TunnelOptions = {},
): Promise<Socket> {
  const opened = new Opened()
  const patience = new Patience(options.timeoutMs ?? DEFAULT_TUNNEL_TIMEOUT_MS, options.signal)
  try {
    return await reachAgent(endpoint, options, opened, patience)
  } catch (error) {
    opened.destroy()
    throw error
  }
}

/** Sockets of a tunnel that is not there yet, the outermost last. */
class Opened {
  readonly #sockets: Socket[] = []

  add<S extends Socket>(socket: S): S {
    // An error between two steps must find a listener; each step sees for itself what it met.
    socket.on('error', () => {})
    const within = this.#sockets.at(-1)
    if (within !== undefined) socket.once('close', () => within.destroy())
    this.#sockets.push(socket)
    return socket
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

async function openDirect(
  target: TunnelTarget,
  opened: Opened,
  patience: Patience,
): Promise<Socket> {
  const { port, addresses } = target
  const records = addresses.map((address) => ({ address, family: isIPv4(address) ? 4 : 6 }))
  const socket = opened.add(
    connect({
      host: addresses.length === 1 ? addresses[0] : target.host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
      lookup: (_, { all }, callback) => {
        if (all === true) callback(null, records)
        else callback(null, records[0].address, records[0].family)
      },
    }),
  )
  const late = (): Error => new TimeoutFailure('tunnel', 'the target was not connected to in time')
  try {
    await patience.wait(arrival(socket, 'connect'), late)
  } catch (error) {
    if (error instanceof DispatchFailure) throw error
    const reason = reasonOf(error)
    throw new TargetFailure(reason, `the target ${SAID[reason]}`, error)
  }
  return socket
}

async function throughAgent(
  endpoint: Exclude<Endpoint, DirectEndpoint>,
  target: TunnelTarget,
  options: TunnelOptions,
  opened: Opened,
  patience: Patience,
): Promise<Socket> {
  const socket = await reachAgent(endpoint, options, opened, patience)
  const host = options.resolveAt === 'agent' ? target.host : toldAddress(target.addresses)
  const { port } = target
  const asked =
    endpoint.kind === 'http'
      ? httpConnect(socket, authorityOf(host, port), endpoint.authorization)
      : socksConnect(socket, endpoint, { host, port }, patience.leftMs)
  await patience.wait(asked, () => late('did not open a tunnel in time', true))
  return socket
}

async function reachAgent(
  endpoint: Exclude<Endpoint, DirectEndpoint>,
  options: TunnelOptions,
  opened: Opened,
  patience: Patience,
): Promise<Socket> {
  const { host, port } = endpoint
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS }
  const socket = opened.add(connect({ host, port, noDelay: true, ...keepAlive }))
  try {
    await patience.wait(arrival(socket, 'connect'), () => late('was not connected to in time'))
  } catch (error) {
    if (error instanceof DispatchFailure) throw error
    const reason = reasonOf(error)
    throw new AgentFailure(reason, `the agent ${SAID[reason]}`, { cause: error })
  }
  if (endpoint.kind !== 'http' || !endpoint.secure) return socket
  const { agentContext } = options
  const secured = opened.add(
    connectTls({
      socket,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      secureContext: agentContext ?? usualContext(),
    }),
  )
  try {
    await patience.wait(arrival(secured, 'secureConnect'), () =>
      late('did not agree on TLS in time'),
    )
  } catch (error) {
    if (error instanceof DispatchFailure) throw error
    throw new AgentFailure('tls', 'TLS with the agent failed', { cause: error })
  }
  return secured
}

async function withTargetTls(
  tunnel: Socket,
  tls: TargetTls,
  opened: Opened,
  patience: Patience,
): Promise<Socket> {
  const { servername, alpn, context } = tls
  const secured = opened.add(
    connectTls({
      socket: tunnel,
      host: servername,
      ...(isIP(servername) === 0 ? { servername } : {}),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
      secureContext: context ?? usualContext(),
    }),
  )
  const late = (): Error => new TimeoutFailure('tls', 'the target did not agree on TLS in time')
  try {
    await patience.wait(arrival(secured, 'secureConnect'), late)
  } catch (error) {
    if (error instanceof DispatchFailure) throw error
    throw new TargetFailure('tls', `TLS with the target failed${codeOf(error)}`, error)
  }
  return secured
}

let usual: SecureContext | null = null

/** Trusts Node's authorities. Made once: to make one for each connection takes a third of a millisecond. */
function usualContext(): SecureContext {
  return (usual ??= createSecureContext())
}

/** Resolves once a socket emits `event`; rejects if it fails or closes before. */
async function arrival(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      socket.off(event, arrived).off('error', failed).off('close', closed)
      done()
    }
    const arrived = (): void => settle(resolve)
    const failed = (error: Error): void => settle(() => reject(error))
    const closed = (): void => failed(new Error(`the socket closed before it emitted ${event}`))
    socket.on(event, arrived).on('error', failed).on('close', closed)
    if (socket.destroyed) closed()
  })
}

/** Agents without IPv6 are common, those without IPv4 are not. */
export function toldAddress(addresses: readonly string[]): string {
  return addresses.find((address) => isIPv4(address)) ?? addresses[0]
}

/** As in a URL: IPv6 in brackets. */
export function authorityOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const SAID = {
  refused: 'refused the connection',
  unreachable: 'could not be reached',
  closed: 'closed the connection',
} as const

/** What the system's error says of a connection that did not come to be. */
function reasonOf(error: unknown): keyof typeof SAID {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ECONNREFUSED') return 'refused'
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'closed' : 'unreachable'
}

/** Such as ` (CERT_HAS_EXPIRED)`: OpenSSL's own words name hosts and files. */
function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code === '' ? '' : ` (${code})`
}

function late(what: string, doubtful = false): AgentFailure {
  return new AgentFailure('timeout', `the agent ${what}`, { doubtful })
}
