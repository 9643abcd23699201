export { Ostler } from './ostler.ts'
export type { AmqpErrorCode, AmqpErrorEvent, ApiErrorCode, FieldProblem } from '@ostler/api'
export type { CallOptions, ClientOptions, Logger, OnceOptions } from './options.ts'
export type { Runtime } from './runtime.ts'
export type { APIPromise } from './call/promise.ts'
export { OstlerError } from './errors/ostler-error.ts'
export {
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
export { APIAbortError, APIConnectionError, APITimeoutError } from './errors/connection-error.ts'
export { AMQPError } from './errors/amqp-error.ts'
export type { FetchOptions } from './routes/fetch.ts'
export type { Agent, AgentList, AgentPage, Network, PageOptions } from './routes/network.ts'
export type { Debug, PickOptions } from './routes/debug.ts'
export type {
  AMQP,
  ConsumeOptions,
  PublishOptions,
  QueueMessage,
  QueueStream,
  Settlement,
} from './routes/amqp.ts'
export type { SocketOptions } from './routes/socket.ts'
export type { SocketEnd, TargetSocket } from './routes/target-socket.ts'
export type { WebSocketClass, WebSocketLike } from './routes/web-socket.ts'
export type {
  FetchAnswer,
  HealthAnswer,
  PickAnswer,
  PublishAnswer,
  SettleAnswer,
  UsageAnswer,
} from './wire.ts'
