import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** What is under way on a connection. */
interface Connection {
  /** Answers that are not out yet. */
  readonly open: Set<ServerResponse>
  latest: Turn | null
  /** Whether an answer is under way that may go on for ever. */
  isEndless: boolean
}

/** The latest request of a connection. */
interface Turn {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What was asked before it. */
  readonly before: ServerResponse | null
}

/**
 * What is under way on each connection. Answers go out in the order of the requests (RFC 9112, section 9.3.2): who writes to a
 * connection past the server, to tell an error or to upgrade it, has to wait for his turn.
 */
export class Turns {
  readonly #connections = new WeakMap<Duplex, Connection>()

  watch(server: Server): void {
    server.on('request', (request, response) => this.begin(request, response))
  }

  /** Notes a request that the server does not tell of itself. */
  begin(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connectionOf(request.socket)
    const { open, latest } = connection
    open.add(response)
    response.once('finish', () => open.delete(response))
    connection.latest = { request, response, before: latest?.response ?? null }
    if (connection.isEndless) request.socket.destroy()
  }

  /**
   * Notes an answer that may go on for ever. Whoever asks for more behind it might never be answered: he is hung up on, for his answers
   * would wait here, and Node does not hear who leaves while much waits for him.
   */
  stays(response: ServerResponse): void {
    const { socket } = response.req
    const connection = this.#connectionOf(socket)
    connection.isEndless = true
    response.once('finish', () => (connection.isEndless = false))
    const { latest } = connection
    if (latest !== null && latest.response !== response) socket.destroy()
  }

  /** Runs once all that was asked on a connection is answered: at once, later, or never where the connection ends before. */
  after(socket: Duplex, run: () => void): void {
    whenDone(this.#connections.get(socket)?.latest?.response ?? null, run)
  }

  /**
   * The same for what can't be read: `answer` takes its turn, `hangUp` is for where there is none. Where it is within a request whose
   * answer is on its way it has been answered, and whoever has left is not waited for.
   */
  afterGarbage(socket: Duplex, answer: () => void, hangUp: () => void): void {
    const latest = this.#connections.get(socket)?.latest ?? null
    if (latest === null) return answer()
    const { request, response, before } = latest
    const isWithin = !request.complete
    const last = isWithin && !response.headersSent ? before : response
    if (socket.readableEnded && last !== null && !last.writableFinished) return hangUp()
    whenDone(last, last === response && isWithin ? hangUp : answer)
  }

  #connectionOf(socket: Duplex): Connection {
    const known = this.#connections.get(socket)
    if (known !== undefined) return known
    const connection: Connection = { open: new Set(), latest: null, isEndless: false }
    this.#connections.set(socket, connection)
    socket.once('close', () => endWaiting(connection.open))
    return connection
  }
}

/** Node tells the answer whose turn it is that the connection has ended, and none of those that wait behind it. */
function endWaiting(open: Set<ServerResponse>): void {
  for (const response of open) {
    if (response.socket !== null) continue
    response.destroyed = true
    response.emit('close')
  }
  open.clear()
}

function whenDone(response: ServerResponse | null, run: () => void): void {
  if (response === null || response.writableFinished) run()
  else response.once('finish', run)
}
