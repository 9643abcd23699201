import { EventEmitter } from 'node:events'
import { HEADERS, type ErrorEnvelope } from '@ostler/api'
import { OstlerError } from '@ostler/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Caller, House } from '../house.ts'
import type { ApiKey } from '../keys/key.ts'
import { throwIfDenied } from './admission.ts'
import { apiErrorOf, envelopeOf, sendEnvelope } from './error-handler.ts'
import { idempotencyKeyOf, type KeptAnswer, type Operation } from './idempotency.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

/** An operation that a caller may name, so that it is done once however often he asks for it. */
export interface Named {
  /** Such as `POST /amqp/publish`. */
  readonly route: string
  /** All that makes two requests the same, as text: asked for only where the operation has a name. */
  readonly input: () => string
  readonly timeoutMs: number
  /** Whether nothing is lost where it is done again: then a store with no room for another record keeps nobody from it. */
  readonly isRepeatable: boolean
  /** Whether something may have been done though there was an error: then the error is kept, and a repeat is told the same. */
  readonly mayBeDone: (error: unknown) => boolean
}

/** Whoever hangs up amid an operation that has a name asks for it again, and is then given what it came to. */
const NEVER_HANGS_UP: Caller = { raw: new EventEmitter().setMaxListeners(0) }

/**
 * Answers a request, or its repeat with what the first was answered. An operation that certainly was not done may be asked for again.
 * `run` is told who waits for it.
 */
export async function answerOnce(
  house: Pick<House, 'operations' | 'admission'>,
  request: FastifyRequest,
  reply: FastifyReply,
  named: Named,
  run: (caller: Caller) => Promise<KeptAnswer>,
): Promise<FastifyReply> {
  const idempotencyKey = idempotencyKeyOf(request.headers)
  if (idempotencyKey === null) return sendAnswer(reply, await run(reply))
  const { id: keyId } = request.apiKey as ApiKey
  const { route, timeoutMs } = named
  const input = named.input()
  const begun = await house.operations
    .begin({ idempotencyKey, keyId, route, input, timeoutMs })
    .catch((error: unknown) => {
      if (named.isRepeatable && isFull(error)) return null
      throw error
    })
  if (begun === null) {
    throwIfDenied(request)
    return sendAnswer(reply, await run(reply))
  }
  if (begun.kind === 'replayed') {
    await house.admission.uncount(request, reply)
    reply.header(HEADERS.idempotentReplayed, 'true')
    const { status, body } = begun.answer
    if (status < 400) return sendAnswer(reply, begun.answer)
    return sendEnvelope(reply, request, JSON.parse(body) as ErrorEnvelope)
  }
  const { operation } = begun
  let answer: KeptAnswer
  try {
    throwIfDenied(request)
    answer = await run(NEVER_HANGS_UP)
  } catch (error) {
    await settle(request, operation, named.mayBeDone(error) ? errorAnswer(error, request.id) : null)
    throw error
  }
  await settle(request, operation, answer)
  return sendAnswer(reply, answer)
}

function isFull(error: unknown): boolean {
  return error instanceof OstlerError && error.code === 'STORE_FULL'
}

/** What came of it is told also where it cannot be kept: a store that fails now frees the key in the end. */
async function settle(
  request: FastifyRequest,
  operation: Operation,
  answer: KeptAnswer | null,
): Promise<void> {
  try {
    if (answer === null) await operation.free()
    else await operation.keep(answer)
  } catch (error) {
    request.log.warn({ err: error }, 'an operation was not settled')
  }
}

function errorAnswer(error: unknown, requestId: string): KeptAnswer {
  const told = apiErrorOf(error)
  return { status: told.status, body: JSON.stringify(envelopeOf(told, requestId)) }
}

/** Sends what was made for a caller, as it was made. */
export function sendAnswer(reply: FastifyReply, { status, body }: KeptAnswer): FastifyReply {
  return reply.code(status).type(JSON_TYPE).send(body)
}
