import type { Redis } from 'ioredis'
import { isCluster, type Link, type RedisClient } from './client.ts'

/** Attempts to subscribe again start after this long, in ms, and double up to the most. */
const LEAST_PAUSE_MS = 50
const MOST_PAUSE_MS = 2_000
/**
 * A connection that says nothing for so long is asked; one that owes its answer for as long is
 * given up.
 */
const SILENCE_MS = 5_000

/**
 * What is told: a message, or null where the subscription went down or came up, so that some may
 * have been missed.
 */
export type Listener = (message: string | null) => void

/**
 * What stores tell each other through Redis: hints, never needed to decide right. One connection
 * of its own from the first listener to the last, opened anew whenever it is lost, or whenever
 * the store's own connection is (it may be to another server then).
 */
export class Changes {
  readonly #link: Link
  readonly #channel: string
  readonly #listeners = new Set<Listener>()
  readonly #renew = (): void => {
    if (this.#storeWasUp) this.#lose()
    this.#storeWasUp = true
  }
  /** Ends the listening to the store's own connection. */
  #unready: () => void = () => {}
  #connection: Redis | null = null
  #timer: NodeJS.Timeout | null = null
  #pauseMs = LEAST_PAUSE_MS
  #up = false
  #closed = false
  /** The store's own connection has been ready before. */
  #storeWasUp = false

  constructor(link: Link, channel: string) {
    this.#link = link
    this.#channel = channel
  }

  /** Whether every message reaches the listeners now. */
  get up(): boolean {
    return this.#up
  }

  /**
   * Tells a listener all messages until what is answered is called; null first, once they come.
   */
  listen(listener: Listener): () => void {
    // The same function may listen twice, and stop once.
    const own: Listener = (message) => listener(message)
    this.#listeners.add(own)
    if (this.#listeners.size === 1) this.#start()
    else if (this.#up) queueMicrotask(() => this.#listeners.has(own) && own(null))
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#stop()
    }
  }

  close(): void {
    this.#closed = true
    this.#listeners.clear()
    this.#stop()
  }

  #start(): void {
    if (this.#closed) return
    this.#storeWasUp = this.#link.ready
    this.#unready = this.#link.onReady(this.#renew)
    this.#open()
  }

  #stop(): void {
    this.#unready()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const connection = this.#connection
    this.#connection = null
    this.#up = false
    connection?.disconnect()
  }

  #open(): void {
    this.#timer = null
    const connection = connectionOf(this.#link.client)
    if (connection === null) {
      this.#openLater()
      return
    }
    this.#connection = connection
    connection.on('error', () => {})
    connection.on('message', (_channel, message) => this.#tell(message))
    connection.on('end', () => {
      if (this.#connection === connection) this.#lose()
    })
    connection
      .connect()
      .then(() => connection.subscribe(this.#channel))
      .then(
        () => this.#subscribed(connection),
        () => connection.disconnect(),
      )
  }

  #subscribed(connection: Redis): void {
    if (this.#connection !== connection) return
    this.#up = true
    this.#pauseMs = LEAST_PAUSE_MS
    this.#watch(connection)
    this.#tell(null)
  }

  /** A connection can be dead without an end: nothing is ever sent on it. */
  #watch(connection: Redis): void {
    this.#timer = setTimeout(() => {
      const giveUp = setTimeout(() => connection.disconnect(), SILENCE_MS).unref()
      const answered = (): void => {
        clearTimeout(giveUp)
        if (this.#connection === connection) this.#watch(connection)
      }
      connection.ping().then(answered, () => connection.disconnect())
    }, SILENCE_MS).unref()
  }

  #lose(): void {
    const wasUp = this.#up
    this.#up = false
    const connection = this.#connection
    this.#connection = null
    connection?.disconnect()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#openLater()
    if (wasUp) this.#tell(null)
  }

  #openLater(): void {
    this.#timer = setTimeout(() => this.#open(), this.#pauseMs).unref()
    this.#pauseMs = Math.min(2 * this.#pauseMs, MOST_PAUSE_MS)
  }

  #tell(message: string | null): void {
    for (const listener of this.#listeners) listener(message)
  }
}

/**
 * The changes of health and fleet as a store's `subscribe` tells them: a domain, `'*'`, or null
 * once all is to be asked anew. What this store (`who`) has changed itself is not told.
 */
export function followed(
  changes: Changes,
  who: string,
  onChange: (domain: string | null) => void,
): () => void {
  return changes.listen((message) => {
    if (message === null) {
      if (changes.up) onChange(null)
      return
    }
    const [kind, by] = message.split(':', 2)
    if (by === who) return
    if (kind === 'd') onChange(message.slice(kind.length + by.length + 2))
    else if (kind === '*') onChange('*')
  })
}

/**
 * A connection like the client's that is ours to open anew; null while a Cluster's client knows
 * no node.
 */
function connectionOf(client: RedisClient): Redis | null {
  const settings = {
    connectionName: 'ostler:changes',
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    autoResubscribe: false,
  }
  if (!isCluster(client)) return client.duplicate(settings)
  // Messages reach every node of a Cluster.
  const nodes = client.nodes()
  const node = nodes[Math.floor(Math.random() * nodes.length)]
  return node === undefined ? null : node.duplicate({ ...settings, readOnly: false })
}
