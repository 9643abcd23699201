import type { Socket } from 'node:net'
import type { ConnectedMessage } from '@ostler/api'
import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { ApiError } from '../http/api-error.ts'
import { checkedKey, checkScope } from '../http/auth.ts'
import { takePlace } from '../http/permit.ts'
import type { House } from '../house.ts'
import type { ApiKey } from '../keys/key.ts'
import { socketFailureOf } from './failure.ts'
import { refuse } from './refuse.ts'
import { openTarget, type OpenTarget } from './open.ts'
import { CallerGone, Reception } from './reception.ts'
import { relay } from './relay.ts'
import { askedOf, readMessage, type AskedSocket } from './request.ts'
import type { Seat } from './sockets.ts'

/** Who has opened a WebSocket. */
export interface Caller {
  readonly client: WebSocket
  readonly connection: Socket
  readonly request: FastifyRequest
  readonly seat: Seat
}

/**
 * Serves one WebSocket from its opening to its end: the first message, the key, a permit, the target, and then the relay. What is
 * wrong before the relay is told as a message, and closes; this never throws.
 */
export async function attend(house: House, caller: Caller): Promise<void> {
  const { client, request } = caller
  // Its end is told by `close`; an error must find a listener all the same.
  client.on('error', () => {})
  try {
    await serve(house, caller)
  } catch (error) {
    if (error instanceof CallerGone || client.readyState !== client.OPEN) return
    const failure = socketFailureOf(error)
    if (failure.isOurs) {
      request.log.warn({ err: failure.cause ?? failure, code: failure.code }, 'failed')
    }
    refuse(client, failure)
    client.resume()
  }
}

async function serve(house: House, caller: Caller): Promise<void> {
  const { client, connection, seat } = caller
  const { sockets } = house.options
  const reception = new Reception(client, sockets.maxQueuedBytes)
  try {
    const text = await reception.first(connection, sockets.connectWithinMs, seat.signal)
    seat.arrived()
    await serveKey(house, caller, reception, readMessage(text))
  } finally {
    reception.end()
  }
}

async function serveKey(
  house: House,
  caller: Caller,
  reception: Reception,
  message: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { client, seat } = caller
  const { sockets } = house.options
  const { apiKey } = message
  const key = await knownKey(house, caller, apiKey)
  const permit = await takePlace(house, {
    key,
    ttlMs: sockets.permitMs,
    findKey: () => presentedKey(house, apiKey),
    onLost: (error) => seat.end(socketFailureOf(error)),
  })
  try {
    checkScope(key, 'ws')
    const asked = askedOf(message, client.protocol, house.guard)
    const target = await opened(house, caller, key, asked)
    seat.holds(() => target.socket.terminate())
    reception.end()
    client.send(JSON.stringify(connectedMessage(target)))
    const { maxQueuedBytes, pingEveryMs } = sockets
    await relay(client, target.socket, reception.early, {
      maxQueuedBytes,
      pingEveryMs,
      idleMs: asked.idleMs,
      signal: seat.signal,
    })
  } finally {
    await permit.release()
  }
}

/** The key of a message; who presents none, or one that is refused, is counted by his address. @throws ApiError */
async function knownKey(house: House, { request }: Caller, presented: unknown): Promise<ApiKey> {
  try {
    return presentedKey(house, presented)
  } catch (error) {
    await house.admission.countRefused(request.ip)
    throw error
  }
}

/** @throws ApiError UNAUTHORIZED, FORBIDDEN */
function presentedKey({ options }: House, presented: unknown): ApiKey {
  if (typeof presented !== 'string') {
    throw new ApiError('UNAUTHORIZED', 'an API key is needed: "apiKey" in the first message')
  }
  return checkedKey(presented, options.keys)
}

async function opened(
  house: House,
  { client, seat }: Caller,
  key: ApiKey,
  asked: AskedSocket,
): Promise<OpenTarget> {
  const { tally, options, nowMs } = house
  const { openWithinMs, maxMessageBytes } = options.sockets
  const { resolveAt, targetContext } = options
  const parts = { ...house, nowMs, resolveAt, targetContext, openWithinMs, maxMessageBytes }
  const by = { keyId: key.id, protocol: 'ws' } as const
  if (client.readyState !== client.OPEN) throw new CallerGone()
  try {
    const target = await house.workshop.work({ raw: client }, (gone) =>
      openTarget(parts, asked, AbortSignal.any([gone, seat.signal])),
    )
    tally.add({ ...by, target: target.picked.lease.domain, outcome: 'ok', result: 'ok' })
    return target
  } catch (error) {
    if (client.readyState !== client.OPEN) throw new CallerGone()
    if (seat.signal.aborted) throw seat.signal.reason
    const failure = socketFailureOf(error)
    if (failure.isOurs) {
      const { outcome = failure.code.toLowerCase(), blocked } = failure.details
      const result = blocked === true ? 'blocked' : 'failed'
      tally.add({ ...by, target: asked.target.host, outcome: String(outcome), result })
    }
    throw failure
  }
}

function connectedMessage({ socket, picked }: OpenTarget): ConnectedMessage {
  const { protocol } = socket
  return {
    type: 'connected',
    status: 101,
    node_id: picked.agent.id,
    ...(protocol !== '' && { protocol }),
  }
}
