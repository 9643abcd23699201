import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { fetchAnswer, isBlocked } from '../fetch/answer.ts'
import { askedOf, isIdempotent, type AskedFetch } from '../fetch/request.ts'
import { fetchTarget, mayBeDone, type Fetched } from '../fetch/run.ts'
import { FetchAnswer, FetchBody, FetchQuery } from '../fetch/schema.ts'
import type { KeptAnswer } from '../http/idempotency.ts'
import { answerOnce, sendAnswer } from '../http/once.ts'
import { onceHeaders, wishHeaders } from '../http/wishes.ts'
import type { ApiKey } from '../keys/key.ts'
import type { Caller, House, Routes } from '../house.ts'
import { errorAnswers } from './error-answers.ts'

const targetHeaders = {
  'x-target-url': Type.Optional(Type.String({ description: 'The target' })),
  ...wishHeaders,
}

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
        headers: Type.Object(targetHeaders),
        response,
      },
    },
    async (request, reply) => {
      const { url, ...query } = request.query
      const asked = askedOf(query, request.headers, url === undefined ? {} : { url })
      return sendAnswer(reply, await answer(house, request, reply, asked))
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
        headers: Type.Object({ ...targetHeaders, ...onceHeaders }),
        response,
      },
    },
    async (request, reply) => {
      const asked = askedOf(request.body, request.headers, request.query)
      const isRepeatable = isIdempotent(asked.method)
      const named = {
        route: 'POST /fetch',
        input: () => inputOf(asked),
        timeoutMs: asked.timeoutMs,
        isRepeatable,
        mayBeDone: (error: unknown) => !isRepeatable && mayBeDone(error),
      }
      return answerOnce(house, request, reply, named, async (caller) =>
        answer(house, request, caller, asked),
      )
    },
  )
}

/** All that makes two requests the same. */
function inputOf({ body, ...rest }: AskedFetch): string {
  return JSON.stringify([rest, body === null ? null : Buffer.from(body).toString('base64')])
}

async function answer(
  house: House,
  request: FastifyRequest,
  caller: Caller,
  asked: AskedFetch,
): Promise<KeptAnswer> {
  const startMs = house.nowMs()
  const fetched = await house.workshop.work(caller, (signal) =>
    counted(house, request, asked, signal),
  )
  const { id: requestId } = request
  const timingMs = house.nowMs() - startMs
  const body = JSON.stringify(fetchAnswer(fetched, { requestId, timingMs }))
  return { status: 200, body }
}

async function counted(
  house: House,
  request: FastifyRequest,
  asked: AskedFetch,
  signal: AbortSignal,
): Promise<Fetched> {
  const { id: keyId } = request.apiKey as ApiKey
  try {
    const fetched = await fetchTarget(house, asked, signal)
    const { outcome } = fetched.classification
    house.tally.add({
      keyId,
      protocol: 'http',
      target: fetched.picked.lease.domain,
      outcome: outcome.kind,
      result: isBlocked(outcome) ? 'blocked' : 'ok',
    })
    return fetched
  } catch (error) {
    // Whoever left, or was sent away at the end, has not seen a failure of ours.
    if (signal.aborted) house.metrics.outcomes.inc({ protocol: 'http', outcome: 'neutral' })
    else house.tally.addError({ keyId, protocol: 'http', target: asked.url }, error)
    throw error
  }
}
