import { randomUUID } from 'node:crypto'
import type { AmqpEndEvent, AmqpReadyEvent } from '@ostler/api'
import type { AMQPChannel, AMQPMessage } from '@cloudamqp/amqp-client'
import type { Patience } from '../agents/patience.ts'
import type { EventStream } from '../stream/sse.ts'
import type { BrokerClient } from './client.ts'
import { BrokerFailure, errorEvent } from './failure.ts'
import { messageEvent } from './message.ts'
import type { AskedConsume } from './request.ts'
import type { AckBody, AckAnswer } from './schema.ts'

/** Where more than this waits for the reader, nothing is read of the broker. One message may be over it. */
const MOST_PENDING_BYTES = 1024 * 1024
const FEW_PENDING_BYTES = MOST_PENDING_BYTES / 2

/** Why a stream ended: by a failure, by the gateway, or by its reader, who then is told nothing more. */
export type Ending = BrokerFailure | 'shutdown' | 'gone'

/** A queue's messages on their way to one reader. */
export class QueueStream {
  readonly id: string = `st_${randomUUID().replaceAll('-', '')}`
  readonly keyId: string
  readonly #client: BrokerClient
  readonly #events: EventStream
  readonly #asked: AskedConsume
  readonly #maxMessageBytes: number
  /** Deliveries that the broker waits for a word about: at most as many as are prefetched. */
  readonly #open = new Map<string, AMQPMessage>()
  /** What came before the stream was ready: at most as many as are prefetched. */
  #early: (() => void)[] | null = []
  #channel: AMQPChannel | null = null
  #isPaused = false
  /** Messages that were too large, which nobody acknowledges in a stream that does so by itself. */
  #kept = 0
  #sent = 0
  #ending: Ending | null = null
  #end: (ending: Ending) => void = () => {}
  readonly #ended: Promise<Ending>

  constructor(options: {
    readonly keyId: string
    readonly client: BrokerClient
    readonly events: EventStream
    readonly asked: AskedConsume
    readonly maxMessageBytes: number
  }) {
    this.keyId = options.keyId
    this.#client = options.client
    this.#events = options.events
    this.#asked = options.asked
    this.#maxMessageBytes = options.maxMessageBytes
    this.#ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  /** Streams until there is a reason to end, and resolves with it; the last event is then the caller's to send. Never rejects. */
  async run(
    ready: Pick<AmqpReadyEvent, 'agent' | 'requestId'>,
    patience: Patience,
  ): Promise<Ending> {
    try {
      const late = (): Error =>
        new BrokerFailure('CONNECT_TIMEOUT', 'the broker did not open the queue in time')
      const queue = await patience.wait(this.#begin(), late)
      const { ack, prefetch } = this.#asked
      const event: AmqpReadyEvent = { stream: this.id, ...ready, queue, ack, prefetch }
      this.#events.send('ready', event)
      for (const early of this.#early ?? []) early()
      this.#early = null
    } catch (error) {
      this.finish(this.#client.failureOf(error))
    }
    return this.#ended
  }

  /** Ends the stream; the first reason counts. */
  finish(ending: Ending): void {
    this.#ending ??= ending
    this.#end(this.#ending)
  }

  /** Sends the last events, and ends the answer. */
  close(ending: Ending): void {
    if (ending === 'gone') return this.#events.end()
    const reason = ending === 'shutdown' ? 'shutdown' : 'error'
    if (ending instanceof BrokerFailure) {
      this.#events.send('error', { ...errorEvent(ending), final: true })
    }
    const event: AmqpEndEvent = { reason, messages: this.#sent }
    this.#events.send('end', event)
    this.#events.end()
  }

  /** Tells the broker what became of deliveries. */
  settle(deliveries: readonly string[], action: NonNullable<AckBody['action']>): AckAnswer {
    const settled: string[] = []
    const unknown: string[] = []
    for (const delivery of deliveries) {
      const message = this.#open.get(delivery)
      if (message === undefined) unknown.push(delivery)
      else {
        settled.push(delivery)
        this.#settle(delivery, message, action)
      }
    }
    return { settled, unknown }
  }

  get acknowledges(): AskedConsume['ack'] {
    return this.#asked.ack
  }

  /** Declares and binds the queue, and begins to consume from it. Answers its name. */
  async #begin(): Promise<string> {
    const { queue, bindings, prefetch, exclusive } = this.#asked
    const channel = await this.#client.channel()
    this.#channel = channel
    this.#client.listen(channel, (message, bodyBytes) => this.#deliver(message, bodyBytes))
    await channel.basicQos(prefetch)
    const name = bindings === null ? queue : await declare(channel, queue, bindings)
    const consumer = await channel.basicConsume(name, { noAck: false, exclusive }, () => {})
    consumer.wait().then(
      () => this.finish(this.#client.failureOf(null)),
      (error: unknown) => this.finish(this.#client.failureOf(error)),
    )
    return name
  }

  #deliver(message: AMQPMessage, bodyBytes: number): void {
    const tell = (): void => this.#tell(message, bodyBytes)
    if (this.#early === null) tell()
    else this.#early.push(tell)
  }

  #tell(message: AMQPMessage, bodyBytes: number): void {
    if (this.#ending !== null) return
    const delivery = String(message.deliveryTag)
    this.#open.set(delivery, message)
    if (this.#open.size > this.#asked.prefetch) {
      const text = 'the broker sent more than it was asked for'
      return this.finish(new BrokerFailure('PROTOCOL_ERROR', text))
    }
    if (bodyBytes > this.#maxMessageBytes) return this.#passOver(delivery, bodyBytes)
    this.#sent++
    const isAuto = this.#asked.ack === 'auto'
    this.#events.send('message', messageEvent(message, delivery), () => {
      if (isAuto) this.#settle(delivery, message, 'ack')
      this.#flow()
    })
    this.#flow()
  }

  /** A message that is too large stays with the broker: it comes back to the queue when the stream ends, unless it is settled. */
  #passOver(delivery: string, bodyBytes: number): void {
    const text = `a message has ${bodyBytes} bytes, of which at most ${this.#maxMessageBytes} are streamed`
    this.#events.send('error', errorEvent(new BrokerFailure('MESSAGE_TOO_LARGE', text), delivery))
    if (this.#asked.ack === 'manual') return
    this.#kept++
    if (this.#kept < this.#asked.prefetch) return
    const all = `${text}: all ${this.#kept} that are prefetched are such; settle them with ack: manual`
    this.finish(new BrokerFailure('MESSAGE_TOO_LARGE', all, { severity: 'error' }))
  }

  #settle(delivery: string, message: AMQPMessage, action: NonNullable<AckBody['action']>): void {
    this.#open.delete(delivery)
    const channel = this.#channel
    if (channel === null || channel.closed) return
    const { deliveryTag } = message
    // A channel that closes meanwhile gives everything back to the queue.
    const told =
      action === 'ack'
        ? channel.basicAck(deliveryTag)
        : channel.basicNack(deliveryTag, action === 'requeue')
    told.catch(() => {})
  }

  /** Reads of the broker what the reader takes, and no more. */
  #flow(): void {
    const { pendingBytes } = this.#events
    if (!this.#isPaused && pendingBytes > MOST_PENDING_BYTES) {
      this.#isPaused = true
      this.#client.pause()
    } else if (this.#isPaused && pendingBytes < FEW_PENDING_BYTES) {
      this.#isPaused = false
      this.#client.resume()
    }
  }
}

async function declare(
  channel: AMQPChannel,
  queue: string,
  bindings: readonly { readonly exchange: string; readonly routingKey: string }[],
): Promise<string> {
  const own = { exclusive: true, autoDelete: true, durable: false }
  const { name } = await channel.queueDeclare(queue, own)
  for (const { exchange, routingKey } of bindings) {
    await channel.queueBind(name, exchange, routingKey)
  }
  return name
}
