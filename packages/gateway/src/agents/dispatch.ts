import { isIPv6, type Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Agent } from '@ostler/core'
import type { CheckedTarget } from '../target/guard.ts'
import { Connection, Lines, type Line } from './connections.ts'
import { ACCEPT_ENCODING, decode } from './decode.ts'
import type { Endpoint } from './endpoint.ts'
import { exchange, wasStale, type WireRequest, type WireResponse } from './exchange.ts'
import { AbortFailure, AgentFailure, RequestFailure, TimeoutFailure } from './failure.ts'
import {
  headersForTarget,
  isForConnection,
  type HeaderFields,
  type ResponseHeaders,
} from './headers.ts'
import { Patience } from './patience.ts'
import {
  authorityOf,
  connectToAgent,
  openTunnel,
  toldAddress,
  type TunnelOptions,
} from './tunnel.ts'

export interface DispatcherOptions {
  /** Agents whose connections are kept. Default 512. */
  readonly maxAgents?: number
  /** Idle connections of one agent. Default 32. */
  readonly maxIdlePerAgent?: number
  /** How long a connection is kept idle, in ms. Default 4,000. */
  readonly keepAliveMs?: number
  /** For the tunnel, TLS with the target included, in ms. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** The longest headers of an answer, in bytes. Default 64 KiB. */
  readonly maxHeaderBytes?: number
  /**
   * `gateway` (default): every target is reached by a tunnel to a checked address. `agent`: agents
   * are told the name and trusted to guard themselves; http targets are then asked for in absolute
   * form of proxies that speak HTTP, and what such a proxy says itself looks like the target's word.
   */
  readonly resolveAt?: 'gateway' | 'agent'
  /** Whom to trust as a target. Default: Node's authorities. */
  readonly targetContext?: SecureContext
  /** Whom to trust as an agent behind https. Default: Node's authorities. */
  readonly agentContext?: SecureContext
}

/** One request to a target. */
export interface DispatchRequest {
  /** Of http or https. */
  readonly target: CheckedTarget
  /** In upper case. Not CONNECT, TRACE or TRACK. */
  readonly method: string
  /** Those that are not for targets are left out: see {@link headersForTarget}. */
  readonly headers?: HeaderFields
  readonly body?: Uint8Array
  /** For all of it, in ms. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** What is kept of the body, as sent and as decoded, in bytes. Default 10 MiB. */
  readonly maxBodyBytes?: number
  /** Whether gzip, deflate, br (and zstd where Node has it) are undone. Default true. */
  readonly decompress?: boolean
}

/** What a target answered. Redirects are answers. */
export interface DispatchAnswer {
  readonly status: number
  /** Of what `body` is: without `content-encoding` and `content-length` where it was decoded. */
  readonly headers: ResponseHeaders
  readonly body: Uint8Array
  /** Whether there was more of the body than `maxBodyBytes`. */
  readonly truncated: boolean
  readonly timingMs: {
    /** 0 where a connection was there. */
    readonly connect: number
    /** From the start to the headers. */
    readonly firstByte: number
    readonly total: number
  }
}

/** Sends requests to targets through agents. */
export interface Dispatcher {
  /**
   * One bounded attempt. Only what was sent over a connection that had been idle, and found it
   * closed, is sent once more over a new one: where the method is idempotent, or nothing was sent.
   * @throws AgentFailure, TargetFailure, TimeoutFailure, AbortFailure, RequestFailure
   */
  send(agent: Pick<Agent, 'id' | 'url'>, request: DispatchRequest): Promise<DispatchAnswer>
  /** Closes what is idle, and makes what is in use close when it is done. */
  close(): void
}

const DEFAULT_MAX_BODY_BYTES = 10 * 1024 * 1024
const METHOD = /^[A-Z][A-Z0-9!#$%&'*+.^_`|~-]{0,31}$/
/** Those of the Fetch standard. */
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'TRACK'])

/**
 * A dispatcher. Its connections are those of requests under way, whose number is the caller's to
 * bound, and at most `maxAgents * maxIdlePerAgent` idle ones.
 */
export function createDispatcher(options: DispatcherOptions = {}): Dispatcher {
  return new AgentDispatcher(options)
}

class AgentDispatcher implements Dispatcher {
  readonly #lines: Lines
  readonly #options: DispatcherOptions

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#lines = new Lines(options.maxAgents ?? 512, options.maxIdlePerAgent ?? 32)
  }

  async send(agent: Pick<Agent, 'id' | 'url'>, request: DispatchRequest): Promise<DispatchAnswer> {
    const startMs = performance.now()
    if (request.signal?.aborted === true) throw new AbortFailure(request.signal.reason)
    const patience = new Patience(request.timeoutMs, request.signal)
    const line = this.#lines.to(agent)
    const wire = this.#wireOf(request, line.endpoint)
    const lane = wire.isAbsolute ? 'any' : laneOf(request.target)
    let connection = line.take(lane, request.target.addresses)
    let response: WireResponse | null = null
    if (connection !== null) response = await exchangeUnlessStale(connection, wire, patience)
    let connectMs = 0
    if (connection === null || response === null) {
      connection = await this.#connect(line, request, wire.isAbsolute, patience)
      connectMs = performance.now() - startMs
      response = await exchange(connection, wire, patience)
    }
    if (isForConnection(wire.headers)) connection.destroy()
    else line.keep(lane, connection)
    const { status, headersAtMs } = response
    const { headers, bytes, truncated } = await this.#decoded(response, request, patience)
    const total = performance.now() - startMs
    const timingMs = { connect: connectMs, firstByte: headersAtMs - startMs, total }
    return { status, headers, body: bytes, truncated, timingMs }
  }

  close(): void {
    this.#lines.end()
  }

  #wireOf(request: DispatchRequest, endpoint: Endpoint): WireRequest {
    const { target, method, body = null, maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = request
    if (!METHOD.test(method) || FORBIDDEN_METHODS.has(method)) {
      throw new RequestFailure('method', 'the method must be one that fetches, in upper case')
    }
    const { scheme, path, url } = target
    const isAbsolute =
      endpoint.kind === 'http' && this.#options.resolveAt === 'agent' && scheme === 'http'
    const headers = ['host', hostOf(target), ...headersForTarget(request.headers ?? {})]
    const isAsked = headers.some((name, i) => i % 2 === 0 && /^accept-encoding$/i.test(name))
    if (request.decompress !== false && !isAsked) headers.push('accept-encoding', ACCEPT_ENCODING)
    if (isAbsolute && endpoint.authorization !== undefined) {
      headers.push('proxy-authorization', endpoint.authorization)
    }
    return { method, path: isAbsolute ? url : path, headers, body, maxBodyBytes, isAbsolute }
  }

  async #connect(
    line: Line,
    request: DispatchRequest,
    isAbsolute: boolean,
    patience: Patience,
  ): Promise<Connection> {
    const { connectTimeoutMs = 10_000, resolveAt = 'gateway', ...options } = this.#options
    const { maxHeaderBytes = 65_536, keepAliveMs = 4_000, targetContext, agentContext } = options
    const { target, signal } = request
    const { leftMs } = patience
    const tunnelOptions: TunnelOptions = {
      timeoutMs: Math.min(connectTimeoutMs, leftMs),
      resolveAt,
      ...(signal === undefined ? {} : { signal }),
      ...(agentContext === undefined ? {} : { agentContext }),
      ...(target.scheme === 'https' ? { tls: tlsOf(target, targetContext) } : {}),
    }
    const { endpoint } = line
    try {
      const socket =
        isAbsolute && endpoint.kind !== 'direct'
          ? await connectToAgent(endpoint, tunnelOptions)
          : await openTunnel(endpoint, target, tunnelOptions)
      const address = isAbsolute ? null : addressOf(socket, endpoint, target, resolveAt)
      return new Connection(socket, address, maxHeaderBytes, keepAliveMs)
    } catch (error) {
      // Who has little time must not make agents look slow.
      const hadLittle = leftMs < connectTimeoutMs || signal?.aborted === true
      const isLate = error instanceof AgentFailure && error.reason === 'timeout'
      if (isLate && hadLittle) throw new TimeoutFailure('tunnel', error.message)
      throw error
    }
  }

  async #decoded(
    response: WireResponse,
    { decompress = true, maxBodyBytes = DEFAULT_MAX_BODY_BYTES }: DispatchRequest,
    patience: Patience,
  ): Promise<Pick<WireResponse, 'headers' | 'bytes' | 'truncated'>> {
    const encoding = response.headers['content-encoding']
    if (!decompress || encoding === undefined || response.bytes.length === 0) return response
    const late = (): Error => new TimeoutFailure('body', 'the body was not decoded in time')
    const decoded = await patience.wait(decode(response, String(encoding), maxBodyBytes), late)
    if (decoded === null) return response
    const { 'content-encoding': _, 'content-length': __, ...headers } = response.headers
    return { headers, bytes: decoded.bytes, truncated: decoded.truncated }
  }
}

/** Null where the connection turns out to be closed, and the request may be sent again. */
async function exchangeUnlessStale(
  connection: Connection,
  wire: WireRequest,
  patience: Patience,
): Promise<WireResponse | null> {
  try {
    return await exchange(connection, wire, patience)
  } catch (error) {
    if (wasStale(error, wire.method)) return null
    throw error
  }
}

/** Which of the checked addresses a socket leads to; null where the agent was told the name. */
function addressOf(
  socket: Socket,
  { kind }: Endpoint,
  { addresses }: CheckedTarget,
  resolveAt: 'gateway' | 'agent',
): string | null {
  if (kind === 'direct') return socket.remoteAddress ?? ''
  return resolveAt === 'agent' ? null : toldAddress(addresses)
}

/** What a connection may be used again for. */
function laneOf({ scheme, host, port }: CheckedTarget): string {
  return `${scheme} ${host} ${port}`
}

/** As in a `host` header: without the port where it is the scheme's own. */
function hostOf({ scheme, host, port }: CheckedTarget): string {
  if (port !== (scheme === 'https' ? 443 : 80)) return authorityOf(host, port)
  return isIPv6(host) ? `[${host}]` : host
}

function tlsOf(
  { host }: CheckedTarget,
  context: SecureContext | undefined,
): NonNullable<TunnelOptions['tls']> {
  const tls = { servername: host, alpn: ['http/1.1'] }
  return context === undefined ? tls : { ...tls, context }
}
