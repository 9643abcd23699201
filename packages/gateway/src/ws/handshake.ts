import type { ClientRequest, ClientRequestArgs, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocket, type ClientOptions } from 'ws'
import { decode } from '../agents/decode.ts'
import { TargetFailure, TimeoutFailure } from '../agents/failure.ts'
import { Patience } from '../agents/patience.ts'
import { SocketFailure } from './failure.ts'
import { CLOSE_WITHIN_MS, MOST_CHUNKS, MOST_FRAGMENTS } from './limits.ts'
import type { AskedSocket } from './request.ts'

/** What a target answered to a handshake. */
export type HandshakeAnswer =
  | { readonly kind: 'open'; readonly socket: WebSocket }
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly headers: IncomingMessage['headers']
      /** Its beginning, decoded. */
      readonly body: Uint8Array
    }

const MOST_RESPONSE_HEADER_BYTES = 64 * 1024
/** As much of a refusal as is looked at, to tell what it is. */
const MOST_BODY_BYTES = 16 * 1024
const BODY_WITHIN_MS = 2_000

/**
 * Opens a WebSocket over a connection to its target, which is gone where this throws or is refused. It is paused: nothing of what
 * the target says is lost until somebody listens. Compression is not offered: it would cost memory for each connection, and a
 * small message may inflate to any size.
 * @throws TargetFailure closed, garbage, headers; TimeoutFailure headers; AbortFailure; SocketFailure BAD_GATEWAY, where the target
 *   agrees to no sub-protocol: that is nobody's failure but theirs who should have agreed
 */
export async function openSocket(
  connection: Socket,
  asked: Pick<AskedSocket, 'target' | 'headers' | 'protocols'>,
  limits: { readonly maxMessageBytes: number; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<HandshakeAnswer> {
  const options: ClientOptions & ClientRequestArgs & { readonly closeTimeout: number } = {
    createConnection: () => connection,
    headers: asked.headers,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: limits.maxMessageBytes,
    maxFragments: MOST_FRAGMENTS,
    maxBufferedChunks: MOST_CHUNKS,
    maxHeaderSize: MOST_RESPONSE_HEADER_BYTES,
    closeTimeout: CLOSE_WITHIN_MS,
  }
  const patience = new Patience(limits.timeoutMs, signal)
  const late = (): Error => new TimeoutFailure('headers', 'the target did not answer in time')
  let socket: WebSocket | null = null
  let isOpen = false
  try {
    socket = new WebSocket(asked.target.url, [...asked.protocols], options)
    // Its end is told by `close`; an error must find a listener all the same.
    socket.on('error', () => {})
    const answer = await patience.wait(answerTo(socket), late)
    isOpen = answer.kind === 'open'
    return answer
  } finally {
    if (!isOpen) {
      socket?.terminate()
      connection.destroy()
    }
  }
}

async function answerTo(socket: WebSocket): Promise<HandshakeAnswer> {
  const response = await new Promise<IncomingMessage | null>((resolve, reject) => {
    socket.once('open', () => {
      socket.pause()
      resolve(null)
    })
    socket.once('unexpected-response', (_: ClientRequest, refusal: IncomingMessage) =>
      resolve(refusal),
    )
    socket.once('error', (error) => reject(failureOf(error)))
  })
  if (response === null) return { kind: 'open', socket }
  const { statusCode: status = 0, headers } = response
  return { kind: 'refused', status, headers, body: await beginningOf(response) }
}

/** As much of a body as comes in a short while: what is missing of it is no failure. */
async function beginningOf(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  const late = setTimeout(() => response.destroy(), BODY_WITHIN_MS)
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
      if (size >= MOST_BODY_BYTES) break
    }
  } catch {
    // It ended early, or its time was over.
  }
  clearTimeout(late)
  const bytes = Buffer.concat(chunks)
  const encoding = response.headers['content-encoding']
  if (encoding === undefined) return bytes
  try {
    const body = { bytes, truncated: !response.complete }
    return (await decode(body, encoding, MOST_BODY_BYTES))?.bytes ?? bytes
  } catch {
    return bytes
  }
}

function failureOf(error: Error): Error {
  if (error.message.includes('subprotocol')) {
    const message = 'the target agreed to none of the sub-protocols that it was offered'
    const details = { by: 'target', reason: 'protocol' }
    return new SocketFailure('BAD_GATEWAY', message, { details, cause: error })
  }
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new TargetFailure('headers', 'the target answered with headers that are too long', error)
  }
  const isClosed = code === 'ECONNRESET' || code === 'EPIPE'
  return isClosed
    ? new TargetFailure('closed', 'the target closed the connection before it answered', error)
    : new TargetFailure('garbage', 'the target answered with something else than 101', error)
}
