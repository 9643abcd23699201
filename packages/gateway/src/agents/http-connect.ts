import type { Socket } from 'node:net'
import { AgentFailure } from './failure.ts'

/** The longest answer to CONNECT that is read, in bytes: its status line and headers. */
export const MAX_CONNECT_HEAD_BYTES = 16_384

const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})(?: |$)/
const START = 'HTTP/1.'

/**
 * Asks a forward proxy for a tunnel (RFC 9110, section 9.3.6) to `authority`, such as
 * `192.0.2.1:443`. Bytes that follow the answer stay in the socket; what its headers say of a body
 * is ignored, as the RFC demands. Does not watch the time.
 * @throws AgentFailure auth, rejected, garbage, closed
 */
export async function httpConnect(
  socket: Socket,
  authority: string,
  authorization?: string,
): Promise<void> {
  const credentials = authorization === undefined ? '' : `proxy-authorization: ${authorization}\r\n`
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`)
  const head = await readHead(socket)
  const status = STATUS_LINE.exec(head.split('\r\n', 1)[0])?.[1]
  if (status === undefined) throw garbage('answered CONNECT with something that is not HTTP/1')
  if (status.startsWith('2')) return
  if (status === '407') throw new AgentFailure('auth', 'the agent wants other credentials')
  // Statuses of 500 and above are for what went wrong on the far side.
  const doubtful = status >= '500'
  throw new AgentFailure('rejected', `the agent answered CONNECT with ${status}`, { doubtful })
}

/** Everything before the empty line. */
async function readHead(socket: Socket): Promise<string> {
  let bytes: Buffer = Buffer.alloc(0)
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      socket.off('readable', read).off('end', closed).off('close', closed).off('error', closed)
      done()
    }
    const closed = (cause?: unknown): void =>
      settle(() =>
        reject(
          new AgentFailure('closed', 'the agent closed the connection when asked for a tunnel', {
            doubtful: true,
            cause: cause instanceof Error ? cause : undefined,
          }),
        ),
      )
    const read = (): void => {
      for (let chunk = take(socket); chunk !== null; chunk = take(socket)) {
        bytes = Buffer.concat([bytes, chunk])
        const end = bytes.indexOf('\r\n\r\n')
        const length = end < 0 ? bytes.length : end
        if (!startsAsHttp(bytes)) return fail('answered CONNECT with something that is not HTTP/1')
        if (length > MAX_CONNECT_HEAD_BYTES) return fail('answered CONNECT with too long a head')
        if (end < 0) continue
        const rest = bytes.subarray(end + 4)
        if (rest.length > 0) socket.unshift(rest)
        return settle(() => resolve(bytes.toString('latin1', 0, end)))
      }
    }
    const fail = (what: string): void => settle(() => reject(garbage(what)))
    socket.on('readable', read).on('end', closed).on('close', closed).on('error', closed)
    if (socket.destroyed) closed()
  })
}

function take(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null
}

function startsAsHttp(bytes: Buffer): boolean {
  const start = bytes.toString('latin1', 0, START.length)
  return start === START.slice(0, start.length)
}

function garbage(what: string): AgentFailure {
  return new AgentFailure('garbage', `the agent ${what}`)
}
