import { EventEmitter } from 'node:events'
import { HEADERS } from '@ostler/api'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { fetchAnswer, isBlocked } from '../fetch/answer.ts'
import { askedOf, type AskedFetch } from '../fetch/request.ts'
import { fetchTarget, type Fetched } from '../fetch/run.ts'
import { FetchAnswer, FetchBody, FetchQuery } from '../fetch/schema.ts'
import { throwIfDenied } from '../http/admission.ts'
import { ApiError } from '../http/api-error.ts'
import { idempotencyKeyOf, type Operation } from '../http/idempotency.ts'
import type { ApiKey } from '../keys/key.ts'
import type { House, Routes } from '../house.ts'
import { errorAnswers } from './error-answers.ts'

const TargetHeaders = Type.Object({
  'x-target-url': Type.Optional(Type.String({ description: 'The target' })),
  'x-geo': Type.Optional(
    Type.String({
      description: 'Where from: DE, DE,AT, US-CA, 48.21,16.37, EU; ;strict ;radius=500 -GB',
    }),
  ),
  'x-session': Type.Optional(
    Type.String({ description: 'Requests of one session keep their agent' }),
  ),
})

/** `POST /fetch` and `GET /fetch`: a target, through the right agent. */
export function fetchRoutes(app: Routes, house: House): void {
  const access = { scope: 'fetch' } as const
  const response = { 200: FetchAnswer, ...errorAnswers }
  app.get(
    '/fetch',
    {
      config: { access },
      schema: {
        summary: 'Fetch a target',
        querystring: FetchQuery,
        headers: TargetHeaders,
        response,
      },
    },
    async (request, reply) => {
      const { url, ...query } = request.query
      const asked = askedOf(query, request.headers, url === undefined ? {} : { url })
      return answer(house, request, reply, asked)
    },
  )
  app.post(
    '/fetch',
    {
      config: { access },
      // A target may be named by a header alone.
      preValidation: async (request) => {
        request.body ??= {}
      },
      schema: {
        summary: 'Fetch a target, by any method',
        body: FetchBody,
        querystring: Type.Object({ url: Type.Optional(Type.String({ maxLength: 8192 })) }),
        headers: Type.Intersect([
          TargetHeaders,
          Type.Object({ 'idempotency-key': Type.Optional(Type.String({ maxLength: 255 })) }),
        ]),
        response,
      },
    },
    async (request, reply) => {
      const asked = askedOf(request.body, request.headers, request.query)
      return answerOnce(house, request, reply, asked)
    },
  )
}

/** The same, once for each idempotency key. */
async function answerOnce(
  house: House,
  request: FastifyRequest,
  reply: FastifyReply,
  asked: AskedFetch,
): Promise<FastifyReply> {
  const idempotencyKey = idempotencyKeyOf(request.headers)
  if (idempotencyKey === null) return answer(house, request, reply, asked)
  const key = request.apiKey as ApiKey
  const { body, ...rest } = asked
  const begun = await house.operations.begin({
    idempotencyKey,
    keyId: key.id,
    route: 'POST /fetch',
    input: JSON.stringify([rest, body === null ? null : Buffer.from(body).toString('base64')]),
    timeoutMs: asked.timeoutMs,
  })
  if (begun.kind === 'replayed') {
    await house.admission.uncount(request, reply)
    reply.code(begun.answer.status).header(HEADERS.idempotentReplayed, 'true')
    return reply.type('application/json; charset=utf-8').send(begun.answer.body)
  }
  return settled(begun.operation, async () => {
    throwIfDenied(request)
    return answer(house, request, reply, asked, begun.operation)
  })
}

/** An operation that comes to no answer is free to be asked for again. */
async function settled<T>(operation: Operation, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    // A store that fails now frees it later: its caller is told what went wrong first.
    await operation.free().catch(() => undefined)
    throw error
  }
}

/** Whoever hangs up amid an operation asks for it again, and is then given what it came to. */
const NEVER_HANGS_UP = { raw: new EventEmitter().setMaxListeners(0) }

async function answer(
  house: House,
  request: FastifyRequest,
  reply: FastifyReply,
  asked: AskedFetch,
  operation?: Operation,
): Promise<FastifyReply> {
  const startMs = house.nowMs()
  const caller = operation === undefined ? reply : NEVER_HANGS_UP
  const fetched = await house.workshop.work(caller, (signal) =>
    counted(house, request, asked, signal),
  )
  const { id: requestId } = request
  const timingMs = house.nowMs() - startMs
  const body = JSON.stringify(fetchAnswer(fetched, { url: asked.url, requestId, timingMs }))
  if (operation !== undefined) await kept(request, operation, body)
  return reply.type('application/json; charset=utf-8').send(body)
}

/** What was done is answered also where it cannot be kept. */
async function kept(request: FastifyRequest, operation: Operation, body: string): Promise<void> {
  try {
    await operation.keep({ status: 200, body })
  } catch (error) {
    request.log.warn({ err: error }, 'an answer was not kept')
  }
}

async function counted(
  house: House,
  request: FastifyRequest,
  asked: AskedFetch,
  signal: AbortSignal,
): Promise<Fetched> {
  const { id } = request.apiKey as ApiKey
  try {
    const fetched = await fetchTarget(house, asked, signal)
    const { outcome } = fetched.classification
    house.metrics.outcomes.inc({ protocol: 'http', outcome: outcome.kind })
    const result = isBlocked(fetched) ? 'blocked' : 'ok'
    house.counters.add(id, 'http', result, fetched.picked.lease.domain, house.nowMs())
    return fetched
  } catch (error) {
    // Whoever left, or was sent away at the end, has not seen a failure of ours.
    if (signal.aborted) house.metrics.outcomes.inc({ protocol: 'http', outcome: 'neutral' })
    else if (error instanceof ApiError && error.status >= 500) {
      house.metrics.outcomes.inc({ protocol: 'http', outcome: error.code.toLowerCase() })
      house.counters.add(id, 'http', 'failed', hostOf(asked.url), house.nowMs())
    }
    throw error
  }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : 'unknown'
}
