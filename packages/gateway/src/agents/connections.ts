import type { Socket } from 'node:net'
import type { Agent } from '@ostler/core'
import { Client, type buildConnector } from 'undici'
import { readEndpoint, type Endpoint } from './endpoint.ts'

/** One connection to a target, or to a proxy that is sent requests as they are; one request at a time. */
export class Connection {
  readonly client: Client
  /** The checked address that it leads to; null where the agent has looked the name up. */
  readonly address: string | null
  /** Told when the connection ends, whoever ends it. */
  whenGone: (() => void) | null = null
  readonly #socket: Socket

  /** @param keepAliveMs how long it is kept idle, unless the other side names a shorter time */
  constructor(socket: Socket, address: string | null, maxHeaderBytes: number, keepAliveMs: number) {
    this.#socket = socket
    this.address = address
    this.client = new Client('http://connected', {
      connect: onceWith(socket),
      pipelining: 1,
      maxHeaderSize: maxHeaderBytes,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
    })
    this.client.on('disconnect', () => this.whenGone?.())
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && !this.client.destroyed
  }

  destroy(): void {
    void this.client.destroy()
    // A client that never used its socket does not know of it.
    this.#socket.destroy()
  }
}

/** A connector that has this one socket to give: the client never connects by itself. */
function onceWith(socket: Socket): buildConnector.connector {
  let given = false
  return (_, callback) => {
    // Not at once: the client would not see that it is connected before its next event.
    queueMicrotask(() => {
      if (given) callback(new ConnectionGone(), null)
      else callback(null, socket)
      given = true
    })
  }
}

/** The connection was gone before the request could be written. */
export class ConnectionGone extends Error {
  constructor() {
    super('the connection was gone before the request was written')
    this.name = 'ConnectionGone'
  }
}

interface Idle {
  readonly lane: string
  readonly connection: Connection
}

/** An agent as it is reached now, with its idle connections, the newest last. */
export class Line {
  readonly endpoint: Endpoint
  readonly url: string | undefined
  readonly #most: number
  #idle: Idle[] = []
  #ended = false

  /** @throws AgentFailure misconfigured */
  constructor(url: string | undefined, most: number) {
    this.endpoint = readEndpoint(url)
    this.url = url
    this.#most = most
  }

  /**
   * Takes out an idle connection that serves a lane, or null: one that leads to any of the addresses, which were checked for this
   * request. O(idle of the agent)
   */
  take(lane: string, addresses: readonly string[]): Connection | null {
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const { address } = this.#idle[i].connection
      if (this.#idle[i].lane !== lane) continue
      if (address !== null && !addresses.includes(address)) continue
      const [{ connection }] = this.#idle.splice(i, 1)
      connection.whenGone = null
      if (connection.isOpen) return connection
      connection.destroy()
    }
    return null
  }

  /** Keeps a connection for the next request of its lane, where it may be; the oldest makes room. */
  keep(lane: string, connection: Connection): void {
    if (this.#ended || !connection.isOpen) return connection.destroy()
    this.#idle.push({ lane, connection })
    connection.whenGone = () => this.#forget(connection)
    if (this.#idle.length > this.#most) this.#idle.shift()?.connection.destroy()
  }

  /** Closes what is idle; what is in use is closed when it comes back. */
  end(): void {
    this.#ended = true
    for (const { connection } of this.#idle.splice(0)) connection.destroy()
  }

  #forget(connection: Connection): void {
    this.#idle = this.#idle.filter((idle) => idle.connection !== connection)
    connection.destroy()
  }
}

/** The lines of the agents used last. */
export class Lines {
  readonly #lines = new Map<string, Line>()
  readonly #maxAgents: number
  readonly #maxIdlePerAgent: number

  constructor(maxAgents: number, maxIdlePerAgent: number) {
    this.#maxAgents = maxAgents
    this.#maxIdlePerAgent = maxIdlePerAgent
  }

  /** The line of an agent; a new one where its url has changed. The one not used for longest makes room. O(1) */
  to({ id, url }: Pick<Agent, 'id' | 'url'>): Line {
    let line = this.#lines.get(id)
    this.#lines.delete(id)
    if (line === undefined || line.url !== url) {
      line?.end()
      line = new Line(url, this.#maxIdlePerAgent)
    }
    this.#lines.set(id, line)
    if (this.#lines.size > this.#maxAgents) {
      const [oldest, unused] = this.#lines.entries().next().value as [string, Line]
      this.#lines.delete(oldest)
      unused.end()
    }
    return line
  }

  end(): void {
    for (const line of this.#lines.values()) line.end()
    this.#lines.clear()
  }
}
