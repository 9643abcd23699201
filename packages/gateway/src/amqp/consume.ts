import type { FastifyReply, FastifyRequest } from 'fastify'
import { Patience } from '../agents/patience.ts'
import type { ApiError } from '../http/api-error.ts'
import { keyOf } from '../http/auth.ts'
import { takePlace } from '../http/permit.ts'
import type { House } from '../house.ts'
import type { ApiKey } from '../keys/key.ts'
import { takeForEvents, type EventStream } from '../stream/sse.ts'
import { reachBroker, whoWasLost, type BrokerParts, type Reached } from './connect.ts'
import { QueueStream, type Ending } from './consumer.ts'
import { BrokerFailure, errorEvent } from './failure.ts'
import type { AskedConsume } from './request.ts'

/** The streams that this gateway serves, by their ids. */
export type Streams = Map<string, QueueStream>

/** A gateway that crashed holds its permits for so long. */
const PERMIT_MS = 60_000

/** What else may end a stream, once there is one. */
interface Watch {
  onSlow: () => void
  onLost: (failure: BrokerFailure) => void
}

interface Serving {
  readonly house: House
  readonly parts: BrokerParts
  readonly streams: Streams
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly asked: AskedConsume
}

/**
 * Serves a stream, from the first look at the broker to its last event. What goes wrong before there is a way to the broker is
 * thrown, and answered as everywhere; from then on the answer is a stream, and failures are its events.
 * @throws ApiError
 */
export async function consume(serving: Serving): Promise<void> {
  const { house, request, reply } = serving
  const { scheduler } = house
  const key = request.apiKey as ApiKey
  const watch: Watch = { onSlow: () => {}, onLost: () => {} }
  // A permit is only given together with a request, and this one has been counted.
  if (request.decision !== null) await scheduler.refund(request.decision)
  const permit = await takePlace(house, {
    key,
    ttlMs: PERMIT_MS,
    findKey: () => keyOf(request, house.options.keys),
    onLost: (error) => watch.onLost(lost(error)),
  })
  try {
    await house.workshop.work(reply, (signal) => serve(serving, key, watch, signal))
  } finally {
    await permit.release()
  }
}

async function serve(
  serving: Serving,
  key: ApiKey,
  watch: Watch,
  signal: AbortSignal,
): Promise<void> {
  const { house, parts, asked, reply, request } = serving
  const patience = new Patience(asked.timeoutMs, signal)
  const reached = await reachBroker(parts, asked, patience, signal)
  house.turns.stays(reply.raw)
  const { slowReaderMs } = house.options
  const events = takeForEvents(reply, {
    stallMs: slowReaderMs,
    onStall: () => watch.onSlow(),
  })
  house.metrics.streams.inc()
  try {
    const { result } = reached
    if (result.kind === 'refused') {
      count(serving, reached, result.failure)
      return refuse(events, result.failure)
    }
    const { client } = result
    const options = { keyId: key.id, client, events, asked }
    const stream = new QueueStream({ ...options, maxMessageBytes: parts.maxMessageBytes })
    watch.onSlow = () => stream.finish(slowReader(slowReaderMs))
    watch.onLost = (failure) => stream.finish(failure)
    try {
      await follow(serving, stream, reached, patience, signal)
    } finally {
      await client.leave()
    }
  } catch (error) {
    // There is no status left to say it with: the reader sees a stream that breaks off.
    request.log.error({ err: error }, 'a stream failed')
    reply.raw.destroy()
  } finally {
    house.metrics.streams.dec()
  }
}

async function follow(
  serving: Serving,
  stream: QueueStream,
  reached: Reached,
  patience: Patience,
  signal: AbortSignal,
): Promise<void> {
  const { house, streams, request } = serving
  const { picked, endpoint, result } = reached
  const { closing } = house.workshop
  const shutDown = (): void => stream.finish('shutdown')
  const hangUp = (): void => stream.finish(closing.aborted ? 'shutdown' : 'gone')
  signal.addEventListener('abort', hangUp, { once: true })
  closing.addEventListener('abort', shutDown, { once: true })
  if (signal.aborted) hangUp()
  if (closing.aborted) shutDown()
  streams.set(stream.id, stream)
  try {
    const { id, country = null } = picked.agent
    let ending: Ending = await stream.run(
      { agent: { id, country }, requestId: request.id },
      patience,
    )
    const isCut = result.kind === 'open' && result.client.isCut
    if (isCut && ending instanceof BrokerFailure) ending = await whoWasLost(endpoint, ending)
    count(serving, reached, ending)
    stream.close(ending)
  } finally {
    streams.delete(stream.id)
    signal.removeEventListener('abort', hangUp)
    closing.removeEventListener('abort', shutDown)
  }
}

/** A stream counts once, when it ends: as failed only where a failure ended it. */
function count({ house, request }: Serving, { picked }: Reached, ending: Ending): void {
  const isFailure = ending instanceof BrokerFailure
  house.tally.add({
    keyId: (request.apiKey as ApiKey).id,
    protocol: 'amqp',
    target: picked.lease.domain,
    outcome: isFailure ? ending.code.toLowerCase() : 'ok',
    result: isFailure ? 'failed' : 'ok',
  })
}

function refuse(events: EventStream, failure: BrokerFailure): void {
  events.send('error', { ...errorEvent(failure), final: true })
  events.send('end', { reason: 'error', messages: 0 })
  events.end()
}

function slowReader(ms: number): BrokerFailure {
  const message = `the reader did not take in ${ms} ms what waits for him`
  return new BrokerFailure('SLOW_READER', message)
}

function lost(error: ApiError): BrokerFailure {
  if (error.code !== 'RATE_LIMITED') return new BrokerFailure('KEY_REVOKED', error.message)
  const message = 'as many streams and WebSockets are open as may be, and this one lost its place'
  return new BrokerFailure('PERMIT_LOST', message)
}
