import { APIPromise } from './call/promise.ts'
import { Transport } from './call/transport.ts'
import { AMQPError } from './errors/amqp-error.ts'
import {
  APIError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  ForbiddenError,
  IdempotencyKeyReusedError,
  InsufficientScopeError,
  InternalServerError,
  NoAgentAvailableError,
  NotFoundError,
  RateLimitError,
  TargetTimeoutError,
  ValidationError,
} from './errors/api-error.ts'
import { APIAbortError, APIConnectionError, APITimeoutError } from './errors/connection-error.ts'
import { OstlerError } from './errors/ostler-error.ts'
import { settingsOf, type CallOptions, type ClientOptions } from './options.ts'
import { AMQP } from './routes/amqp.ts'
import { fetchTarget, type FetchOptions } from './routes/fetch.ts'
import { Network } from './routes/network.ts'
import { Debug } from './routes/debug.ts'
import { openSocket, type SocketOptions } from './routes/socket.ts'
import type { TargetSocket } from './routes/target-socket.ts'
import { USAGE_ANSWER, type FetchAnswer, type UsageAnswer } from './wire.ts'

/**
 * A client of the gateway. Calls that fail throw an `OstlerError`, after as many retries as help: see docs/client.md.
 *
 * @example
 * const client = new Ostler({ apiKey: 'ak_live_...' })
 * const { meta, body } = await client.fetch('https://shop.example/p/1', { geo: 'DE' })
 */
export class Ostler {
  static readonly OstlerError: typeof OstlerError = OstlerError
  static readonly APIError: typeof APIError = APIError
  static readonly BadRequestError: typeof BadRequestError = BadRequestError
  static readonly AuthenticationError: typeof AuthenticationError = AuthenticationError
  static readonly ForbiddenError: typeof ForbiddenError = ForbiddenError
  static readonly InsufficientScopeError: typeof InsufficientScopeError = InsufficientScopeError
  static readonly NotFoundError: typeof NotFoundError = NotFoundError
  static readonly ConflictError: typeof ConflictError = ConflictError
  static readonly IdempotencyKeyReusedError: typeof IdempotencyKeyReusedError =
    IdempotencyKeyReusedError
  static readonly ValidationError: typeof ValidationError = ValidationError
  static readonly RateLimitError: typeof RateLimitError = RateLimitError
  static readonly NoAgentAvailableError: typeof NoAgentAvailableError = NoAgentAvailableError
  static readonly TargetTimeoutError: typeof TargetTimeoutError = TargetTimeoutError
  static readonly InternalServerError: typeof InternalServerError = InternalServerError
  static readonly APIConnectionError: typeof APIConnectionError = APIConnectionError
  static readonly APITimeoutError: typeof APITimeoutError = APITimeoutError
  static readonly APIAbortError: typeof APIAbortError = APIAbortError
  static readonly AMQPError: typeof AMQPError = AMQPError

  /** The fleet, and how it stands with a domain. */
  readonly network: Network
  /** Which agent a target would be fetched through. */
  readonly debug: Debug
  /** A broker's queues. */
  readonly amqp: AMQP
  readonly #transport: Transport

  /** @throws OstlerError INVALID_OPTIONS, with every problem */
  constructor(options: ClientOptions = {}) {
    this.#transport = new Transport(settingsOf(options))
    this.network = new Network(this.#transport)
    this.debug = new Debug(this.#transport)
    this.amqp = new AMQP(this.#transport)
  }

  /** Fetches a target through the right agent. What the target answers is an answer, whatever its status: `meta.status`. */
  fetch(url: string | URL, options: FetchOptions = {}): APIPromise<FetchAnswer> {
    return fetchTarget(this.#transport, url, options)
  }

  /** What this key has used, and what it may still use. */
  usage(options: CallOptions = {}): APIPromise<UsageAnswer> {
    const ask = { method: 'GET', path: 'usage', isRepeatable: true } as const
    return new APIPromise<UsageAnswer>(this.#transport.ask(ask, options), USAGE_ANSWER)
  }

  /** Opens a target's WebSocket through the right agent. */
  async ws(url: string | URL, options: SocketOptions = {}): Promise<TargetSocket> {
    return openSocket(this.#transport.settings, url, options)
  }
}
