import type { SecureContext } from 'node:tls'
import {
  classify,
  type Classification,
  type Mode,
  type Outcome,
  type Picked,
  type Scheduler,
  type Settlement,
  type VendorRule,
} from '@ostler/core'
import type { WebSocket } from 'ws'
import { readEndpoint } from '../agents/endpoint.ts'
import { openTunnel } from '../agents/tunnel.ts'
import { isBlocked } from '../fetch/answer.ts'
import { exhausted, outcomeOfFailure } from '../fetch/run.ts'
import type { CheckedTarget, Guard } from '../target/guard.ts'
import { SocketFailure } from './failure.ts'
import { openSocket, type HandshakeAnswer } from './handshake.ts'
import type { AskedSocket } from './request.ts'

/** A lease outlives its handshake a little: it is given back by its report, this is for gateways that crash. */
const LEASE_GRACE_MS = 10_000

/** Whom opening a WebSocket asks, in this order. */
export interface OpenParts {
  readonly guard: Guard
  readonly scheduler: Scheduler<Mode>
  readonly rules: readonly VendorRule[] | null
  readonly resolveAt: 'gateway' | 'agent'
  readonly targetContext: SecureContext | null
  readonly openWithinMs: number
  readonly maxMessageBytes: number
  nowMs(): number
}

/** A target that is there, paused. */
export interface OpenTarget {
  readonly socket: WebSocket
  readonly picked: Picked
}

type Answered = HandshakeAnswer & {
  readonly picked: Picked
  readonly classification: Classification | null
}

/**
 * Opens a WebSocket to a target: checks it, has an agent picked, opens a tunnel and asks. What came of it is reported once the
 * handshake is answered, and not when the WebSocket ends: that may be later than any lease, which lasts an hour at most. So a slot
 * of an agent is held while a WebSocket is opened, and the open ones are bounded by their keys' permits alone. An agent or a target
 * that is lost later is not reported at all: the lease is settled, from here one cannot tell which of both it was, and whoever is
 * next to be sent through that agent finds out.
 * @throws SocketFailure BAD_GATEWAY where the target refuses; ApiError NO_AGENT_AVAILABLE; TargetError, DispatchFailure, OstlerError
 */
export async function openTarget(
  parts: OpenParts,
  asked: AskedSocket,
  signal: AbortSignal,
): Promise<OpenTarget> {
  const { guard, scheduler, openWithinMs } = parts
  const found = AbortSignal.any([signal, AbortSignal.timeout(openWithinMs)])
  const target = await guard.check(asked.target, found)
  const wish = {
    url: asked.target.url,
    ...(asked.geo !== null && { geo: asked.geo }),
    ...(asked.agent !== null && { pin: [asked.agent] }),
    deadlineMs: parts.nowMs() + 2 * openWithinMs + LEASE_GRACE_MS,
  }
  let kept: WebSocket | null = null
  const dispatch = async (_agent: unknown, _lease: unknown, picked: Picked): Promise<Answered> => {
    const answer = await dispatchTo(parts, picked, { ...asked, target }, signal)
    if (answer.kind === 'open') kept = answer.socket
    return { ...answer, picked, classification: judged(parts, answer) }
  }
  try {
    const result = await scheduler.withAgent(wish, dispatch, { outcomeOf })
    if (result.kind === 'exhausted') {
      throw exhausted(result.exhausted, asked.target.host, parts.nowMs())
    }
    const { value } = result
    if (value.kind === 'refused') throw refusal(value)
    signal.throwIfAborted()
    return { socket: value.socket, picked: value.picked }
  } catch (error) {
    // The store may fail to take the report, or the caller be gone meanwhile.
    ;(kept as WebSocket | null)?.terminate()
    throw error
  }
}

async function dispatchTo(
  parts: OpenParts,
  { agent }: Picked,
  asked: AskedSocket & { readonly target: CheckedTarget },
  signal: AbortSignal,
): Promise<HandshakeAnswer> {
  const { resolveAt, targetContext, openWithinMs: timeoutMs, maxMessageBytes } = parts
  const { target } = asked
  const context = targetContext === null ? {} : { context: targetContext }
  const connection = await openTunnel(readEndpoint(agent.url), target, {
    timeoutMs,
    signal,
    resolveAt,
    ...(target.scheme === 'wss' && {
      tls: { servername: target.host, alpn: ['http/1.1'], ...context },
    }),
  })
  return openSocket(connection, asked, { maxMessageBytes, timeoutMs }, signal)
}

/** Not by its URL, which the caller chose. */
function judged({ rules, nowMs }: OpenParts, answer: HandshakeAnswer): Classification | null {
  if (answer.kind === 'open') return null
  const { status, headers, body } = answer
  const options = { nowMs: nowMs(), ...(rules !== null && { rules }) }
  return classify({ status, headers, body }, options)
}

function outcomeOf(settled: Settlement<Answered>): Outcome {
  if (settled.kind === 'thrown') return outcomeOfFailure(settled.error)
  const { classification } = settled.value
  return classification === null ? { kind: 'ok' } : classification.outcome
}

function refusal({
  status,
  classification,
}: Answered & { readonly kind: 'refused' }): SocketFailure {
  const { outcome, vendor, evidence } = classification as Classification
  const blocked = isBlocked(outcome)
  const details = {
    by: 'target',
    reason: 'refused',
    status,
    blocked,
    outcome: outcome.kind,
    ...(vendor !== undefined && { vendor }),
    ...(blocked && { evidence }),
  }
  const message = `the target answered the WebSocket's handshake with ${status}`
  return new SocketFailure('BAD_GATEWAY', message, { details })
}
