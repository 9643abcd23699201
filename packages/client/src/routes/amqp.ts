import {
  HEADERS,
  type AmqpEndEvent,
  type AmqpErrorEvent,
  type AmqpMessageEvent,
  type AmqpReadyEvent,
} from '@ostler/api'
import { eventsOf } from '../call/events.ts'
import { APIPromise } from '../call/promise.ts'
import type { Ask, Transport } from '../call/transport.ts'
import { AMQPError } from '../errors/amqp-error.ts'
import { APIConnectionError } from '../errors/connection-error.ts'
import { OstlerError } from '../errors/ostler-error.ts'
import { divided, type CallOptions, type OnceOptions } from '../options.ts'
import { newIdempotencyKey } from '../runtime.ts'
import {
  PUBLISH_ANSWER,
  SETTLE_ANSWER,
  type ConsumeBody,
  type PublishAnswer,
  type PublishBody,
  type SettleAnswer,
  type SettleBody,
  type Shape,
} from '../wire.ts'

/** What must be there in the events of a queue's stream. */
const EVENTS: Readonly<Record<string, Shape>> = {
  ready: { stream: 'string', queue: 'string' },
  message: {
    delivery: 'string',
    exchange: 'string',
    routingKey: 'string',
    redelivered: 'boolean',
    properties: {},
    body: 'string',
    encoding: 'string',
  },
  error: { code: 'string', message: 'string', severity: 'string', final: 'boolean' },
  end: { reason: 'string' },
}

/** Which queue is read, and how. */
export interface ConsumeOptions extends ConsumeBody, CallOptions {
  /** Told what does not end the stream, such as a message that is too large for it. Default: the logger. */
  readonly onWarning?: ((warning: AmqpErrorEvent) => void) | undefined
}

/** What is published, and where. */
export interface PublishOptions extends PublishBody, OnceOptions {}

/** What becomes of a delivery: done; dropped or dead-lettered; back into the queue. */
export type Settlement = NonNullable<SettleBody['action']>

/** A message of a queue. */
export interface QueueMessage extends AmqpMessageEvent {
  /** Says what became of it, where the stream is acknowledged by hand (`ack: 'manual'`). */
  settle(as: Settlement): APIPromise<SettleAnswer>
}

/** `client.amqp`: a broker's queues, through the right agent. */
export class AMQP {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** The messages of a queue, as they come. Nothing is asked for before the first is. */
  consume(options: ConsumeOptions): QueueStream {
    return new QueueStream(this.#transport, options)
  }

  /** Publishes a message, and waits for what becomes of it. */
  publish(options: PublishOptions): APIPromise<PublishAnswer> {
    const { call, rest } = divided(options)
    const { idempotencyKey = newIdempotencyKey(), ...body } = rest
    const isRepeatable = idempotencyKey !== null
    const ask: Ask = { method: 'POST', path: 'amqp/publish', body, idempotencyKey, isRepeatable }
    return new APIPromise<PublishAnswer>(this.#transport.ask(ask, call), PUBLISH_ANSWER)
  }
}

/**
 * The messages of a queue, to be gone through once: `for await (const message of stream)`. Who leaves the loop ends the stream; what
 * was not settled by then goes back into the queue. It ends by itself where the gateway shuts down.
 */
export class QueueStream implements AsyncIterable<QueueMessage> {
  /** What the gateway said first: the stream's id, the agent, the queue's name. Null until the first message was asked for. */
  ready: AmqpReadyEvent | null = null
  readonly #transport: Transport
  readonly #options: ConsumeOptions
  #isTaken = false

  constructor(transport: Transport, options: ConsumeOptions) {
    this.#transport = transport
    this.#options = options
  }

  /** Says what became of deliveries, up to 1,000 at once. Nothing is sent twice: an answer that is lost is not asked for again. */
  settle(
    deliveries: readonly string[],
    action: Settlement = 'ack',
    call: CallOptions = {},
  ): APIPromise<SettleAnswer> {
    if (this.ready === null) throw new OstlerError('INVALID_REQUEST', 'the stream is not open yet')
    const body: SettleBody = { deliveries, action }
    const path = `amqp/streams/${encodeURIComponent(this.ready.stream)}/ack`
    const ask: Ask = { method: 'POST', path, body, isRepeatable: false }
    return new APIPromise<SettleAnswer>(this.#transport.ask(ask, call), SETTLE_ANSWER)
  }

  /**
   * @throws AMQPError for what ended the stream, APIConnectionError where it breaks off; OstlerError where it does not begin, as
   * with every call
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<QueueMessage, void> {
    if (this.#isTaken) {
      throw new OstlerError('INVALID_REQUEST', 'a stream is gone through once: consume again')
    }
    this.#isTaken = true
    const { call, rest } = divided(this.#options)
    const { onWarning = this.#warn, ...body } = rest
    const ask: Ask = {
      method: 'POST',
      path: 'amqp/consume',
      body,
      accept: 'text/event-stream',
      // What goes to nobody was lost with the connection, not by another one.
      isRepeatable: true,
    }
    const response = await this.#transport.open(ask, call)
    for await (const event of eventsOf(response, EVENTS, this.#transport.settings, call.signal)) {
      switch (event.event) {
        case 'ready':
          this.ready = event.data as AmqpReadyEvent
          break
        case 'message': {
          const message = event.data as AmqpMessageEvent
          yield { ...message, settle: (as) => this.settle([message.delivery], as) }
          break
        }
        case 'error': {
          const error = event.data as AmqpErrorEvent
          if (error.final) throw new AMQPError(error, response.headers.get(HEADERS.requestId))
          onWarning(error)
          break
        }
        case 'end':
          if ((event.data as AmqpEndEvent).reason === 'shutdown') return
          break
        default:
          // A later version may say more.
          break
      }
    }
    throw new APIConnectionError('the stream broke off before its end')
  }

  readonly #warn = ({ code, message }: AmqpErrorEvent): void =>
    this.#transport.settings.logger.warn?.(`amqp: ${code}: ${message}`)
}
