import type { Dispatcher } from 'undici'
import { ConnectionGone, type Connection } from './connections.ts'
import { Bytes } from './bytes.ts'
import type { Body } from './decode.ts'
import {
  AgentFailure,
  RequestFailure,
  TargetFailure,
  TimeoutFailure,
  type DispatchFailure,
  type TargetReason,
} from './failure.ts'
import { headersForCaller, type ResponseHeaders } from './headers.ts'
import type { Patience } from './patience.ts'

/** A request as it goes over a connection. */
export interface WireRequest {
  readonly method: string
  /** From the first slash, or a whole URL for a proxy. */
  readonly path: string
  /** Names and values in turn; `host` among them. */
  readonly headers: string[]
  readonly body: Uint8Array | null
  readonly maxBodyBytes: number
  /** Whether a proxy answers, which frames what it passes on. */
  readonly isAbsolute: boolean
}

export interface WireResponse extends Body {
  readonly status: number
  readonly headers: ResponseHeaders
  /** When the status line and headers were there, by `performance.now()`. */
  readonly headersAtMs: number
}

type Controller = Dispatcher.DispatchController

/**
 * One request and its answer over one connection, which is good for another one after that unless
 * this throws or the body is truncated. Informational answers (1xx) are passed over.
 * @throws TargetFailure closed, garbage, length, headers; AgentFailure auth, closed, garbage (where
 *   a proxy answers); TimeoutFailure headers, body; AbortFailure; RequestFailure headers
 */
export async function exchange(
  connection: Connection,
  request: WireRequest,
  patience: Patience,
): Promise<WireResponse> {
  const answer = new Answer(request)
  const { method, path, headers, body } = request
  const timeoutMs = Math.ceil(patience.leftMs) + 1
  try {
    connection.client.dispatch(
      { method, path, headers, body, headersTimeout: timeoutMs, bodyTimeout: timeoutMs },
      answer,
    )
    const response = await patience.wait(answer.done, () => answer.late())
    if (response.truncated) connection.destroy()
    return response
  } catch (error) {
    connection.destroy()
    throw error
  }
}

/** What was sent over a connection that had been idle, and may be sent again over another. */
export function wasStale(error: unknown, method: string): boolean {
  const isClosed =
    (error instanceof TargetFailure || error instanceof AgentFailure) && error.reason === 'closed'
  return isClosed && (error.cause instanceof ConnectionGone || IDEMPOTENT.has(method))
}

/** RFC 9110, section 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

class Answer implements Dispatcher.DispatchHandler {
  readonly done: Promise<WireResponse>
  readonly #request: WireRequest
  readonly #body: Bytes
  #status = 0
  #headers: ResponseHeaders = {}
  #headersAtMs = 0
  #resolve: (response: WireResponse) => void = () => {}
  #reject: (error: DispatchFailure) => void = () => {}

  constructor(request: WireRequest) {
    this.#request = request
    this.#body = new Bytes(request.maxBodyBytes)
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // The promise may be rejected before anyone waits for it.
    this.done.catch(() => {})
  }

  late(): TimeoutFailure {
    return this.#status === 0
      ? new TimeoutFailure('headers', 'the target did not answer in time')
      : new TimeoutFailure('body', 'the answer of the target did not end in time')
  }

  onRequestStart(): void {}

  onResponseStart(
    _: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    this.#headersAtMs = performance.now()
    this.#status = status
    this.#headers = headersForCaller(headers)
    if (status === 407 && this.#request.isAbsolute) {
      this.#reject(new AgentFailure('auth', 'the agent wants other credentials'))
    }
  }

  onResponseData(_: Controller, chunk: Buffer): void {
    if (this.#body.truncated) return
    this.#body.add(chunk)
    if (this.#body.truncated) this.onResponseEnd()
  }

  onResponseEnd(): void {
    this.#resolve({
      status: this.#status,
      headers: this.#headers,
      headersAtMs: this.#headersAtMs,
      bytes: this.#body.take(),
      truncated: this.#body.truncated,
    })
  }

  onResponseError(_: Controller, error: Error): void {
    this.#reject(this.#failureOf(error))
  }

  #failureOf(error: Error): DispatchFailure {
    const code = 'code' in error ? String(error.code) : ''
    if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return this.late()
    if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
      return new RequestFailure('headers', `the request cannot be sent: ${error.message}`, error)
    }
    const reason = this.#reasonOf(error, code)
    if (!this.#request.isAbsolute || reason === 'headers') {
      return new TargetFailure(reason, `the target ${SAID[reason]}`, error)
    }
    const agentReason = reason === 'closed' ? 'closed' : 'garbage'
    const options = { doubtful: true, sent: true, cause: error }
    return new AgentFailure(agentReason, `the agent ${SAID[reason]}`, options)
  }

  /** What undici's error means. */
  #reasonOf({ name, message }: Error, code: string): keyof typeof SAID {
    if (code === 'UND_ERR_HEADERS_OVERFLOW') return 'headers'
    if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return 'length'
    // The parser's, unless it was the connection that ended; then those of unasked upgrades.
    const isGarbage = name === 'HTTPParserError' && !message.includes('EOF')
    if (isGarbage || message.startsWith('bad ')) return 'garbage'
    return this.#status === 0 ? 'closed' : 'length'
  }
}

const SAID = {
  closed: 'closed the connection before it answered',
  garbage: 'answered with something that is not HTTP/1',
  length: 'ended its answer before its end',
  headers: 'answered with headers that are too long',
} as const satisfies Partial<Record<TargetReason, string>>
