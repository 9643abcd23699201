import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { consume, type Streams } from '../amqp/consume.ts'
import type { BrokerParts } from '../amqp/connect.ts'
import { mayBeThere, publish } from '../amqp/publish.ts'
import { askedConsume, askedPublish, type AskedPublish } from '../amqp/request.ts'
import { AckAnswer, AckBody, ConsumeBody, PublishAnswer, PublishBody } from '../amqp/schema.ts'
import { throwIfDenied } from '../http/admission.ts'
import { ApiError } from '../http/api-error.ts'
import type { KeptAnswer } from '../http/idempotency.ts'
import { answerOnce } from '../http/once.ts'
import { onceHeaders, wishHeaders } from '../http/wishes.ts'
import type { Caller, House, Routes } from '../house.ts'
import type { ApiKey } from '../keys/key.ts'
import { errorAnswers } from './error-answers.ts'

const access = { scope: 'amqp' } as const

/** `POST /amqp/consume`, `/amqp/publish` and `/amqp/streams/{id}/ack`: a broker's queues, through the right agent. */
export function amqpRoutes(app: Routes, house: House): void {
  const { scheduler, guard, options, maxResponseBytes, nowMs } = house
  const parts: BrokerParts = {
    scheduler,
    guard,
    resolveAt: options.resolveAt,
    maxMessageBytes: maxResponseBytes,
    ...(options.targetContext !== null && { trust: options.targetContext }),
    nowMs,
  }
  const streams: Streams = new Map()
  consumeRoute(app, house, parts, streams)
  ackRoute(app, streams)
  app.post(
    '/amqp/publish',
    {
      config: { access },
      schema: {
        summary: 'Publish a message, and wait for what becomes of it',
        body: PublishBody,
        headers: Type.Object({ ...wishHeaders, ...onceHeaders }),
        response: { 200: PublishAnswer, ...errorAnswers },
      },
    },
    async (request, reply) => {
      const asked = askedPublish(request.body, request.headers)
      const { body, ...rest } = asked
      const named = {
        route: 'POST /amqp/publish',
        input: () => JSON.stringify([rest, Buffer.from(body).toString('base64')]),
        timeoutMs: asked.timeoutMs,
        isRepeatable: false,
        mayBeDone: mayBeThere,
      }
      return answerOnce(house, request, reply, named, async (caller) =>
        published(house, parts, request, caller, asked),
      )
    },
  )
}

function consumeRoute(app: Routes, house: House, parts: BrokerParts, streams: Streams): void {
  app.post(
    '/amqp/consume',
    {
      config: { access },
      schema: {
        summary:
          'Stream the messages of a queue, as server-sent events: ready, message, error, end',
        body: ConsumeBody,
        headers: Type.Object(wishHeaders),
        response: {
          200: {
            description: 'ready, message, error and end events; comments while there is nothing',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
          ...errorAnswers,
        },
      },
    },
    async (request, reply) => {
      throwIfDenied(request)
      const asked = askedConsume(request.body, request.headers)
      try {
        await consume({ house, parts, streams, request, reply, asked })
      } catch (error) {
        const { id: keyId } = request.apiKey as ApiKey
        house.tally.addError({ keyId, protocol: 'amqp', target: asked.url }, error)
        throw error
      }
      return reply
    },
  )
}

function ackRoute(app: Routes, streams: Streams): void {
  app.post(
    '/amqp/streams/:id/ack',
    {
      config: { access },
      schema: {
        summary: 'Say what became of deliveries of a stream that is acknowledged by hand',
        params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
        body: AckBody,
        response: { 200: AckAnswer, ...errorAnswers },
      },
    },
    async (request) => {
      throwIfDenied(request)
      const { id } = request.params
      const stream = streams.get(id)
      // Of streams of other keys nothing is said, not even that they are there.
      if (stream === undefined || stream.keyId !== (request.apiKey as ApiKey).id) {
        throw new ApiError('NOT_FOUND', 'no stream of this id is open at this gateway')
      }
      if (stream.acknowledges === 'auto') {
        throw new ApiError('CONFLICT', 'the stream acknowledges by itself: ask for ack: manual')
      }
      const { deliveries, action = 'ack' } = request.body
      return stream.settle(deliveries, action)
    },
  )
}

async function published(
  house: House,
  parts: BrokerParts,
  request: FastifyRequest,
  caller: Caller,
  asked: AskedPublish,
): Promise<KeptAnswer> {
  const { id: requestId } = request
  const { id: keyId } = request.apiKey as ApiKey
  const startMs = house.nowMs()
  try {
    const {
      outcome,
      reply: why,
      reached,
    } = await house.workshop.work(caller, (signal) => publish(parts, asked, signal))
    const { agent, distanceKm, lease } = reached.picked
    house.tally.add({ keyId, protocol: 'amqp', target: lease.domain, outcome, result: 'ok' })
    const answer: PublishAnswer = {
      outcome,
      ...(why !== undefined && { reply: why }),
      meta: {
        agent: { id: agent.id, country: agent.country ?? null },
        attempts: reached.attempts,
        distanceKm,
        timingMs: house.nowMs() - startMs,
        requestId,
      },
    }
    return { status: 200, body: JSON.stringify(answer) }
  } catch (error) {
    house.tally.addError({ keyId, protocol: 'amqp', target: asked.url }, error)
    throw error
  }
}
