import type { SecureContext } from 'node:tls'
import type { Mode, Outcome, Picked, Scheduler, Settlement } from '@ostler/core'
import { readEndpoint, type Endpoint } from '../agents/endpoint.ts'
import { AgentFailure } from '../agents/failure.ts'
import type { Patience } from '../agents/patience.ts'
import { connectToAgent, openTunnel } from '../agents/tunnel.ts'
import { exhausted, failed, outcomeOfFailure } from '../fetch/run.ts'
import { ApiError } from '../http/api-error.ts'
import type { CheckedTarget, Guard } from '../target/guard.ts'
import { BrokerClient } from './client.ts'
import { BrokerFailure } from './failure.ts'
import type { AskedBroker } from './request.ts'

/** A lease outlives the connecting that it is for: it is given back by its report, this is for gateways that crash. */
const LEASE_GRACE_MS = 5_000
const LOOK_WITHIN_MS = 2_000
/** Who gives no credentials means these: RabbitMQ's own first user. */
const GUEST = { username: 'guest', password: 'guest' } as const

/** What a way to a broker takes. */
export interface BrokerParts {
  readonly scheduler: Scheduler<Mode>
  readonly guard: Guard
  readonly resolveAt: 'gateway' | 'agent'
  /** Longer bodies of messages are not read. */
  readonly maxMessageBytes: number
  /** Whom to trust as a broker behind amqps. Default: Node's authorities. */
  readonly trust?: SecureContext
  nowMs(): number
}

/** The way to a broker, and whether it let us in. */
export interface Reached {
  readonly picked: Picked
  readonly endpoint: Endpoint
  /** Agents that were asked. */
  readonly attempts: number
  readonly result:
    | { readonly kind: 'open'; readonly client: BrokerClient }
    | { readonly kind: 'refused'; readonly failure: BrokerFailure }
}

type Tried = Omit<Reached, 'attempts'>

/**
 * Connects to a broker: checks it, has an agent picked, opens a tunnel and agrees on a connection; by another agent while that may
 * help and is allowed. What the broker answers, or fails to, is a value. The lease is reported and over when this resolves: a
 * connection may last for days, and holds none of the agent's slots.
 * @throws ApiError where no agent gave a way to the broker
 */
export async function reachBroker(
  parts: BrokerParts,
  asked: AskedBroker,
  patience: Patience,
  signal: AbortSignal,
): Promise<Reached> {
  const { scheduler, guard } = parts
  try {
    const target = await guard.check(brokerTarget(guard, asked.url), signal)
    const vhost = vhostOf(target.path)
    const request = {
      url: target.url,
      ...(asked.geo !== null && { geo: asked.geo }),
      ...(asked.session !== null && { session: asked.session }),
      deadlineMs: Math.ceil(parts.nowMs() + patience.leftMs + LEASE_GRACE_MS),
    }
    const result = await scheduler.withAgent(
      request,
      async (_agent, _lease, picked) => connect(parts, target, vhost, picked, patience, signal),
      { attempts: asked.attempts, outcomeOf },
    )
    if (result.kind === 'exhausted') {
      throw exhausted(result.exhausted, target.host, parts.nowMs())
    }
    return { ...result.value, attempts: result.tried.length }
  } catch (error) {
    throw failed(error)
  }
}

async function connect(
  parts: BrokerParts,
  target: CheckedTarget,
  vhost: string,
  picked: Picked,
  patience: Patience,
  signal: AbortSignal,
): Promise<Tried> {
  const endpoint = readEndpoint(picked.agent.url)
  const { trust, resolveAt, maxMessageBytes } = parts
  const tls = { servername: target.host, ...(trust !== undefined && { context: trust }) }
  const socket = await openTunnel(endpoint, target, {
    timeoutMs: Math.max(1, patience.leftMs),
    signal,
    resolveAt,
    ...(target.scheme === 'amqps' && { tls }),
  })
  const { username, password } = target.credentials ?? GUEST
  const client = new BrokerClient(socket, {
    username,
    password,
    vhost,
    maxBodyBytes: maxMessageBytes,
  })
  const late = (): Error =>
    new BrokerFailure('CONNECT_TIMEOUT', 'the broker did not answer in time')
  try {
    await patience.wait(client.connect(), late)
    return { picked, endpoint, result: { kind: 'open', client } }
  } catch (error) {
    void client.leave()
    if (!(error instanceof BrokerFailure)) throw error
    const failure = client.isCut ? await whoWasLost(endpoint, error) : error
    if (failure.code === 'AGENT_LOST') throw new AgentFailure('closed', failure.message)
    return { picked, endpoint, result: { kind: 'refused', failure } }
  }
}

/** A connection that was cut does not say by whom: an agent that can't be reached any more is taken for the one. */
export async function whoWasLost(
  endpoint: Endpoint,
  failure: BrokerFailure,
): Promise<BrokerFailure> {
  if (endpoint.kind === 'direct' || failure.code !== 'CONNECTION_CLOSED') return failure
  try {
    const socket = await connectToAgent(endpoint, { timeoutMs: LOOK_WITHIN_MS })
    socket.destroy()
    return failure
  } catch {
    return new BrokerFailure('AGENT_LOST', 'the agent went away, and the connection with it')
  }
}

/** A broker that refuses has answered: the agent did its part, and so did the way. */
function outcomeOf(settled: Settlement<Tried>): Outcome {
  if (settled.kind === 'thrown') return outcomeOfFailure(settled.error)
  const { result } = settled.value
  if (result.kind === 'open') return { kind: 'ok' }
  const { code } = result.failure
  const hasAnswered = result.failure.replyCode !== null
  return hasAnswered ? { kind: 'ok' } : { kind: 'target_error', evidence: code.toLowerCase() }
}

function brokerTarget(guard: Guard, url: string): ReturnType<Guard['parse']> {
  const target = guard.parse(url)
  if (target.scheme === 'amqp' || target.scheme === 'amqps') return target
  throw new ApiError('INVALID_TARGET_URL', 'the broker must be an amqp or amqps URL')
}

/** The path without its slash is the virtual host, percent-encoded; without one it is `/`. */
function vhostOf(path: string): string {
  const [name] = path.slice(1).split('?', 1)
  try {
    return decodeURIComponent(name) || '/'
  } catch {
    throw new ApiError('INVALID_TARGET_URL', 'the virtual host has a % that encodes nothing')
  }
}
