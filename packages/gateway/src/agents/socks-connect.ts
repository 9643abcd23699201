import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { SocksClient } from 'socks'
import type { SocksEndpoint } from './endpoint.ts'
import { AgentFailure } from './failure.ts'

/** What `socks` says of a reply that gives no tunnel, after which it names the reply's code. */
const REJECTED = 'Socks5 proxy rejected connection - '
/** Replies that speak of the agent alone: RFC 1928, section 6. The others may be the target's doing. */
const AGENTS_OWN: ReadonlySet<string> = new Set([
  'NotAllowed',
  'CommandNotSupported',
  'AddressNotSupported',
])

/**
 * Asks a SOCKS5 proxy for a tunnel (RFC 1928, RFC 1929) over a socket that is connected to it.
 * Bytes that follow its answer stay in the socket. Ends by itself after `timeoutMs`.
 * @throws AgentFailure auth, rejected, garbage, closed, timeout
 */
export async function socksConnect(
  socket: Socket,
  endpoint: SocksEndpoint,
  to: { readonly host: string; readonly port: number },
  timeoutMs: number,
): Promise<void> {
  const { host, port, username, password } = endpoint
  const credentials = username === undefined ? {} : { userId: username, password: password ?? '' }
  try {
    await SocksClient.createConnection({
      command: 'connect',
      proxy: { host, port, type: 5, ...credentials },
      destination: { host: to.host, port: to.port },
      existing_socket: socket,
      timeout: Math.max(1, timeoutMs),
    })
  } catch (error) {
    // The error itself holds the credentials: it goes no further.
    throw failureOf(error instanceof Error ? error.message : '')
  }
  await keepEarlyBytes(socket)
}

/** On the next turn `socks` emits what came after the answer, and lets the socket flow: both are undone. */
async function keepEarlyBytes(socket: Socket): Promise<void> {
  const early: Buffer[] = []
  const keep = (chunk: Buffer): void => void early.push(chunk)
  socket.on('data', keep)
  await setImmediate()
  socket.off('data', keep)
  // A listener that came and went leaves the socket as new: neither flowing nor paused.
  const nothing = (): void => {}
  socket.on('readable', nothing).off('readable', nothing)
  if (early.length > 0) socket.unshift(Buffer.concat(early))
}

function failureOf(message: string): AgentFailure {
  if (message.startsWith(REJECTED)) {
    const reply = message.slice(REJECTED.length)
    const doubtful = !AGENTS_OWN.has(reply)
    return new AgentFailure('rejected', `the agent answered with ${reply}`, { doubtful })
  }
  if (/authentication (failed|type)/i.test(message)) {
    return new AgentFailure('auth', 'the agent wants other credentials')
  }
  if (/timed out/.test(message)) {
    return new AgentFailure('timeout', 'the agent did not answer in time', { doubtful: true })
  }
  if (/invalid/i.test(message)) {
    return new AgentFailure('garbage', 'the agent answered with something that is not SOCKS5')
  }
  return new AgentFailure('closed', 'the agent closed the connection when asked for a tunnel', {
    doubtful: true,
  })
}
