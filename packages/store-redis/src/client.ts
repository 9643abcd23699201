import { OstlerError } from '@ostler/core'
import { Redis, type Cluster, type RedisOptions } from 'ioredis'
import { bare } from './failures.ts'
import { connected, onReady } from './readiness.ts'

export type RedisClient = Redis | Cluster

/** How long the first calls wait for a connection, in ms; at least the budget. */
const START_MS = 1_000
/** A socket that owes an answer for so long is given up and opened anew; at least twice the budget. */
const SILENT_SOCKET_MS = 1_000

/**
 * What a connection is set to, so that no call hangs and none is sent twice: nothing is queued
 * while there is no connection, nothing is sent again, a silent socket is given up, and a lost one
 * is opened anew within 250 ms.
 */
function clientOptions(budgetMs: number): Omit<RedisOptions, 'replyMapping'> {
  const silentMs = Math.max(SILENT_SOCKET_MS, 2 * budgetMs)
  return {
    connectionName: 'ostler',
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    // The engine ends calls at their budget; this lets ioredis forget what never came. Answers come in
    // the order of commands, so one timer of the socket tells as much as one of each command.
    socketTimeout: silentMs,
    connectTimeout: silentMs,
    retryStrategy: (times) => Math.min(250, 20 * times) * (0.5 + Math.random() / 2),
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  }
}

export function openClient(url: string, budgetMs: number): Redis {
  return new Redis(url, clientOptions(budgetMs))
}

export function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster
}

/** A client, and whether it can be asked now. */
export class Link {
  readonly client: RedisClient
  readonly cluster: boolean
  /** Ours to close. */
  readonly #own: boolean
  readonly #startMs: number
  #started = false
  #starting: Promise<void> | null = null
  #giveUp: () => void = () => {}
  #lastError: Error | undefined

  constructor(client: RedisClient, own: boolean, budgetMs: number) {
    this.client = client
    this.cluster = isCluster(client)
    this.#own = own
    this.#startMs = Math.max(START_MS, budgetMs)
    // A client without a listener prints its errors. Another's client is its owner's to listen to.
    if (own) client.on('error', (error: unknown) => (this.#lastError = bare(error)))
  }

  get ready(): boolean {
    return this.client.status === 'ready'
  }

  /** What to wait for before the first call: null once there was a connection, or too long none. */
  get starting(): Promise<void> | null {
    if (this.#started) return null
    if (this.ready && this.#primaries().every(({ status }) => status === 'ready')) {
      this.#started = true
      return null
    }
    return (this.#starting ??= this.#start())
  }

  /** Calls back each time the connection is ready, anew too, until what is answered is called. */
  onReady(listener: () => void): () => void {
    return onReady(this.client, listener)
  }

  /** Why there is no connection. */
  absent(): OstlerError {
    const cause = this.#lastError
    const why = cause === undefined ? '' : `, last error: ${cause.message}`
    const message = `there is no connection to Redis (status: ${this.client.status}${why})`
    return new OstlerError('STORE_UNAVAILABLE', message, { cause })
  }

  /** Another connection of the same settings, the caller's to close. */
  duplicate(): RedisClient {
    const { client } = this
    const copy = isCluster(client) ? client.duplicate() : client.duplicate()
    copy.on('error', () => {})
    return copy
  }

  /** Learns which node of a Cluster has which slots. */
  async findSlots(): Promise<void> {
    const { client } = this
    if (!isCluster(client)) return
    await new Promise<void>((resolve) => {
      client.refreshSlotsCache(() => resolve())
    })
  }

  /** Opens the connection anew where it is ours: the server is not the primary any more. */
  renew(): void {
    if (this.#own && this.ready) this.client.disconnect(true)
  }

  close(): void {
    this.#giveUp()
    this.#started = true
    if (this.#own) this.client.disconnect()
  }

  /** Resolves once there are connections, or it has taken too long. */
  async #start(): Promise<void> {
    const over = new Promise<void>((resolve) => {
      this.#giveUp = resolve
    })
    const timer = setTimeout(this.#giveUp, this.#startMs)
    await Promise.race([this.#connections(), over])
    clearTimeout(timer)
    this.#started = true
  }

  async #connections(): Promise<void> {
    await connected(this.client)
    await Promise.all(this.#primaries().map((node) => connected(node)))
  }

  /** A Cluster is ready before its nodes are, and refuses commands to the others meanwhile. */
  #primaries(): readonly Redis[] {
    return isCluster(this.client) ? this.client.nodes('master') : []
  }
}
