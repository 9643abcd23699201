export {
  ERRORS,
  PROBLEM_TYPE,
  problemOf,
  type ApiErrorCode,
  type ApiErrorEntry,
  type ErrorEnvelope,
  type ErrorProblem,
  type FieldProblem,
} from './errors.ts'
export { HEADERS, SCOPES, type Scope } from './headers.ts'
export {
  CLOSE,
  closeCodeOf,
  CONNECT_WITHIN_MS,
  type ConnectedMessage,
  type ConnectMessage,
  type SocketErrorCode,
  type SocketErrorMessage,
} from './socket.ts'
export {
  AMQP_ERRORS,
  type AmqpErrorCode,
  type AmqpErrorEntry,
  type AmqpEndEvent,
  type AmqpErrorEvent,
  type AmqpMessageEvent,
  type AmqpProperties,
  type AmqpReadyEvent,
  type AmqpSeverity,
} from './amqp.ts'
