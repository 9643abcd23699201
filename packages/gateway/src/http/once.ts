import { HEADERS } from '@ostler/api'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { House } from '../house.ts'
import type { ApiKey } from '../keys/key.ts'
import { throwIfDenied } from './admission.ts'
import { apiErrorOf, envelopeOf } from './error-handler.ts'
import { idempotencyKeyOf, type KeptAnswer, type Operation } from './idempotency.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

/** An operation that a caller may name, so that it is done once however often he asks for it. */
export interface Named {
  /** Such as `POST /amqp/publish`. */
  readonly route: string
  /** All that makes two requests the same. */
  readonly input: string
  readonly timeoutMs: number
  /** Whether something may have been done though there was an error: then the error is kept, and a repeat is told the same. */
  readonly mayBeDone: (error: unknown) => boolean
}

/** Answers a request, or its repeat with what the first was answered. An operation that certainly was not done may be asked for again. */
export async function answerOnce(
  house: Pick<House, 'operations' | 'admission'>,
  request: FastifyRequest,
  reply: FastifyReply,
  named: Named,
  run: () => Promise<KeptAnswer>,
): Promise<FastifyReply> {
  const idempotencyKey = idempotencyKeyOf(request.headers)
  if (idempotencyKey === null) return sendKept(reply, await run())
  const { id: keyId } = request.apiKey as ApiKey
  const { route, input, timeoutMs } = named
  const begun = await house.operations.begin({ idempotencyKey, keyId, route, input, timeoutMs })
  if (begun.kind === 'replayed') {
    await house.admission.uncount(request, reply)
    reply.header(HEADERS.idempotentReplayed, 'true')
    return sendKept(reply, begun.answer)
  }
  const { operation } = begun
  let answer: KeptAnswer
  try {
    throwIfDenied(request)
    answer = await run()
  } catch (error) {
    await settle(operation, named.mayBeDone(error) ? errorAnswer(error, request.id) : null)
    throw error
  }
  await settle(operation, answer)
  return sendKept(reply, answer)
}

async function settle(operation: Operation, answer: KeptAnswer | null): Promise<void> {
  if (answer === null) await operation.free()
  else await operation.keep(answer)
}

function errorAnswer(error: unknown, requestId: string): KeptAnswer {
  const told = apiErrorOf(error)
  return { status: told.status, body: JSON.stringify(envelopeOf(told, requestId)) }
}

/** Sends an answer that may be kept, which is JSON. */
function sendKept(reply: FastifyReply, { status, body }: KeptAnswer): FastifyReply {
  return reply.code(status).type(JSON_TYPE).send(body)
}
