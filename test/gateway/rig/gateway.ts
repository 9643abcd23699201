import { once } from 'node:events'
import { request as sendRequest, type IncomingMessage } from 'node:http'
import type { Agent } from '@ostler/core'
import { SCOPES, type ErrorEnvelope, type Scope } from '@ostler/api'
import {
  createGateway,
  hashKey,
  keyRing,
  newKey,
  type Gateway,
  type GatewayOptions,
  type StoredKey,
} from '@ostler/gateway'
import { startAgents, type RunningAgent } from './agents.ts'
import { closing } from './closing.ts'
import { startTarget, type Behaviour, type Target } from './targets.ts'

const SECRET = 'a secret for tests alone'

export interface RigOptions extends Partial<Omit<GatewayOptions, 'agents' | 'clock'>> {
  /** How many proxies run, or the agents as they stand. Default 3. */
  readonly agents?: number | readonly Agent[]
  /** What the target does beyond the usual, by path. */
  readonly paths?: Readonly<Record<string, Behaviour>>
  /** Of the key that requests bring. Default: roomy, which no test fills. */
  readonly tier?: string
  readonly scopes?: readonly Scope[]
}

/** An answer of the gateway, its body read and parsed. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape
  readonly json: any
}

export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON, unless it is text or bytes. */
  readonly body?: unknown
  /** Default: the rig's own; null for none. */
  readonly key?: string | null
  readonly signal?: AbortSignal
}

export interface Rig {
  readonly gateway: Gateway
  readonly url: string
  readonly key: string
  readonly target: Target
  readonly agents: readonly Agent[]
  ask(path: string, ask?: Ask): Promise<Answer>
  /** `POST /fetch` of a path of the target. */
  fetch(path: string, body?: Readonly<Record<string, unknown>>, ask?: Ask): Promise<Answer>
  /** Moves the gateway's clock. */
  later(ms: number): void
}

/** The tier of keys whose limit is not what is tested. */
export const ROOMY = {
  policies: [{ name: 'roomy', limit: 100_000, windowMs: 60_000 }],
  permits: 50,
}

/** A gateway that listens, over real proxies and a real target. All is closed after the test. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { agents: wanted = 3, paths, tier = 'roomy', scopes = SCOPES, ...rest } = options
  const target = await startTarget(paths)
  const agents = typeof wanted === 'number' ? await startAgents(wanted) : wanted
  const { key, stored } = makeKey({ tier, scopes })
  let shiftMs = 0
  const gateway = await createGateway({
    keys: keyRing([stored], SECRET),
    allowTargets: ['127.0.0.0/8'],
    log: false,
    drainMs: 100,
    ...rest,
    tiers: { roomy: ROOMY, ...rest.tiers },
    agents: agents.map(asAgent),
    clock: { nowMs: () => Date.now() + shiftMs },
  })
  closing(() => gateway.close())
  const url = await gateway.listen({ port: 0 })
  const ask = (path: string, { key: presented = key, ...more }: Ask = {}): Promise<Answer> =>
    askAt(`${url}${path}`, { key: presented, ...more })
  return {
    gateway,
    url,
    key,
    target,
    agents,
    ask,
    fetch: (path, body = {}, more = {}) =>
      ask('/fetch', { method: 'POST', body: { url: `${target.url}${path}`, ...body }, ...more }),
    later(ms) {
      shiftMs += ms
    },
  }
}

/** A key, and how a ring holds it. */
export function makeKey(
  options: {
    readonly id?: string
    readonly tier?: string
    readonly scopes?: readonly Scope[]
  } = {},
): { readonly key: string; readonly stored: StoredKey } {
  const { id = 'key_rig', tier = 'roomy', scopes = SCOPES } = options
  const key = newKey('test')
  return { key, stored: { id, tier, scopes, createdAtMs: 1, hash: hashKey(key, SECRET) } }
}

/** A ring of such keys. */
export function ringOf(...keys: readonly { readonly stored: StoredKey }[]): GatewayOptions['keys'] {
  return keyRing(
    keys.map(({ stored }) => stored),
    SECRET,
  )
}

/** A key, and a ring that holds it until it is revoked. */
export function revocable(options: { readonly tier?: string } = {}): {
  readonly key: string
  readonly keys: GatewayOptions['keys']
  revoke(): void
} {
  const made = makeKey(options)
  const ring = ringOf(made)
  let isRevoked = false
  return {
    key: made.key,
    keys: { find: (presented) => (isRevoked ? null : ring.find(presented)) },
    revoke() {
      isRevoked = true
    },
  }
}

/** Asks any gateway, with the key that is given. */
export async function askAt(
  url: string,
  { method, headers, body, key, signal }: Ask,
): Promise<Answer> {
  const isPlain = typeof body === 'string' || body instanceof Uint8Array
  const sent = new Headers(headers)
  if (key !== null && key !== undefined) sent.set('authorization', `Bearer ${key}`)
  if (body !== undefined && !isPlain) sent.set('content-type', 'application/json')
  const response = await fetch(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: sent,
    ...(body !== undefined && { body: isPlain ? (body as string) : JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parsed(text) }
}

/** Asks with headers that `fetch` does not send, such as Expect; without a body, though one may have been promised. */
export async function askPlainly(url: string, { method, headers, key }: Ask): Promise<Answer> {
  const authorization = typeof key === 'string' ? { authorization: `Bearer ${key}` } : {}
  const request = sendRequest(url, { method, headers: { ...headers, ...authorization } })
  if (headers?.['content-length'] === undefined) request.end()
  else request.flushHeaders()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let text = ''
  for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) text += part
  const { statusCode: status = 0 } = response
  const told = new Headers(
    Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
  )
  return { status, headers: told, text, json: parsed(text) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** An error as the envelope tells it. */
export function errorOf({ json }: Answer): ErrorEnvelope['error'] {
  return (json as ErrorEnvelope).error
}

function asAgent(agent: Agent | RunningAgent): Agent {
  if (!('asked' in agent)) return agent
  const { asked: _asked, ...plain } = agent
  return plain
}
