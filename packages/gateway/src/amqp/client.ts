import type { Socket } from 'node:net'
import { AMQPBaseClient, type AMQPChannel, type AMQPMessage } from '@cloudamqp/amqp-client'
import { AMQPView } from '@cloudamqp/amqp-client/amqp-view'
import { BrokerFailure, brokerFailure } from './failure.ts'
import { Frames } from './frames.ts'
import { ExactView } from './view.ts'

/** RabbitMQ's own default. */
const MAX_FRAME_BYTES = 131_072
/** Asked of the broker, which may want fewer; 0, where it wants none, leaves it to TCP. */
const HEARTBEAT_S = 30
const HEARTBEAT = Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0xce)
const PROTOCOL = Uint8Array.from([...Buffer.from('AMQP'), 0, 0, 9, 1])
const MOST_CHANNELS = 1
const CLOSE_WITHIN_MS = 1_000

export interface BrokerClientOptions {
  readonly username: string
  readonly password: string
  readonly vhost: string
  /** Longer bodies are not read: their messages come with an empty one. */
  readonly maxBodyBytes: number
}

/** A message as it arrived. `bodyBytes` is what the broker said of its body, which is empty if that is more than is read. */
export type OnDelivery = (message: AMQPMessage, bodyBytes: number) => void

/**
 * AMQP 0-9-1 over a socket that is there already, with one channel. The library speaks the protocol and leaves the transport to
 * whom it is extended by. Nothing connects again by itself: what comes after a failure is the caller's to decide.
 */
export class BrokerClient extends AMQPBaseClient {
  /** Calls are told of their failures themselves. */
  override readonly onerror = (): void => {}
  readonly #socket: Socket
  readonly #frames: Frames
  #timer: NodeJS.Timeout | null = null
  #bodyBytes = 0
  #readAtMs = 0
  #failure: BrokerFailure | null = null
  #isCut = false

  constructor(socket: Socket, { username, password, vhost, maxBodyBytes }: BrokerClientOptions) {
    super(vhost, username, password, 'ostler', '', MAX_FRAME_BYTES, HEARTBEAT_S, MOST_CHANNELS)
    this.#socket = socket
    this.#frames = new Frames(MAX_FRAME_BYTES, maxBodyBytes)
  }

  /** Whether the connection ended without a word of the broker's. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** Agrees with the broker on a connection; its time is the caller's to watch. @throws BrokerFailure */
  override async connect(): Promise<this> {
    const socket = this.#socket
    const agreed = new Promise<unknown>((resolve, reject) => {
      this.connectPromise = [resolve, reject]
    })
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.once('close', () => this.#cut('the connection to the broker ended without a word of it'))
    if (socket.destroyed) this.#cut('the connection to the broker ended at once')
    else socket.write(PROTOCOL)
    try {
      await agreed
    } catch (error) {
      throw this.failureOf(error)
    }
    if (this.heartbeat > 0) this.#beat(this.heartbeat * 1000)
    return this
  }

  /** What an error of a call on this connection is. */
  failureOf(error: unknown): BrokerFailure {
    const failure = brokerFailure(error, this.username) ?? this.#failure
    if (failure !== null) return failure
    return new BrokerFailure('CHANNEL_CLOSED', 'the channel to the broker is closed')
  }

  /** Has numbers in headers written so that they are read as what they were, by the view that the next message is written to. */
  keepNumbers(): void {
    const { bufferPool } = this as unknown as { readonly bufferPool: AMQPView[] }
    bufferPool.push(new ExactView(new ArrayBuffer(MAX_FRAME_BYTES)))
  }

  /** Has deliveries told at once, in their order. */
  listen(channel: AMQPChannel, onDelivery: OnDelivery): void {
    channel.deliver = (message) => onDelivery(message, this.#bodyBytes)
  }

  /** Reads no more until {@link resume}: what the broker sends then waits with the broker. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#readAtMs = performance.now()
    this.#socket.resume()
  }

  /** Takes leave of the broker, and ends the connection in any case. */
  async leave(): Promise<void> {
    // Where nothing is read, what the broker still has to say would have to be read first, and it may be much.
    if (!this.closed && !this.#socket.isPaused()) {
      let timer: NodeJS.Timeout | undefined
      const over = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_WITHIN_MS)
        this.#socket.once('close', () => resolve())
      })
      await Promise.race([this.close(), over])
      clearTimeout(timer)
    }
    this.#end()
    this.#socket.destroy()
  }

  override send(bytes: Uint8Array): Promise<void> {
    // A socket that has failed is noticed by its end, which every waiting call is told of.
    if (!this.#socket.destroyed) this.#socket.write(bytes)
    return Promise.resolve()
  }

  protected override closeSocket(): void {
    this.#end()
    this.#socket.destroySoon()
  }

  #take(bytes: Buffer): void {
    this.#readAtMs = performance.now()
    try {
      this.#frames.take(bytes, (frame, bodyBytes) => {
        if (bodyBytes !== null) this.#bodyBytes = bodyBytes
        this.parseFrames(new AMQPView(frame.buffer))
      })
    } catch {
      const message = 'what was reached does not speak AMQP 0-9-1, or breaks its rules'
      this.#fail(new BrokerFailure('PROTOCOL_ERROR', message))
    }
  }

  /** Tells the broker of us, and sees whether anything comes of it: both have to say something within a heartbeat. */
  #beat(heartbeatMs: number): void {
    const judge = (): void => {
      const isSilent = performance.now() - this.#readAtMs > 2 * heartbeatMs
      if (isSilent && !this.#socket.isPaused()) this.#cut('the broker has fallen silent')
    }
    this.#timer = setInterval(() => {
      void this.send(HEARTBEAT)
      // After the process was held up a timer runs before what came in meanwhile is read.
      setImmediate(judge)
    }, heartbeatMs / 2)
  }

  #cut(message: string): void {
    if (this.closed && this.connectPromise === undefined) return this.#end()
    this.#isCut = true
    this.#fail(new BrokerFailure('CONNECTION_CLOSED', message))
  }

  #fail(failure: BrokerFailure): void {
    this.#failure ??= failure
    this.closed = true
    this.#end()
    this.#socket.destroy()
    for (const channel of this.channels) channel?.setClosed(failure)
    const [, reject] = this.connectPromise ?? []
    delete this.connectPromise
    reject?.(failure)
  }

  #end(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
