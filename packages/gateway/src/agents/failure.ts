/** Why an agent gave no way to the target. */
export type AgentReason =
  | 'misconfigured'
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'closed'
  | 'tls'
  | 'auth'
  | 'rejected'
  | 'garbage'

/** Why a target gave no answer, behind an agent that did its part. */
export type TargetReason =
  'refused' | 'unreachable' | 'tls' | 'closed' | 'garbage' | 'length' | 'headers' | 'encoding'

/** What was waited for when the time was over. */
export type TimeoutReason = 'tunnel' | 'tls' | 'headers' | 'body'

/** What is wrong with a request that was never sent. */
export type RequestReason = 'method' | 'headers'

/** A dispatch that came to no answer. Messages are for people, and name neither addresses nor credentials. */
export abstract class DispatchFailure extends Error {
  abstract readonly kind: 'agent' | 'target' | 'timeout' | 'abort' | 'request'
  /** Stable; messages may improve. */
  abstract readonly reason: string

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
  }
}

/** The agent failed: its breaker counts it, the pair does not. */
export class AgentFailure extends DispatchFailure {
  readonly kind = 'agent'
  readonly reason: AgentReason
  /**
   * The agent was reached, and may have failed because the target did: it closed or was silent
   * while it should have connected, or said that it could not.
   */
  readonly doubtful: boolean
  /** The request may have been passed on to the target. */
  readonly sent: boolean

  constructor(
    reason: AgentReason,
    message: string,
    options: {
      readonly doubtful?: boolean
      readonly sent?: boolean
      readonly cause?: unknown
    } = {},
  ) {
    super(message, options.cause)
    this.reason = reason
    this.doubtful = options.doubtful ?? false
    this.sent = options.sent ?? false
  }
}

/** The target failed behind an agent that did its part. */
export class TargetFailure extends DispatchFailure {
  readonly kind = 'target'
  readonly reason: TargetReason

  constructor(reason: TargetReason, message: string, cause?: unknown) {
    super(message, cause)
    this.reason = reason
  }
}

/** The time of the request was over. */
export class TimeoutFailure extends DispatchFailure {
  readonly kind = 'timeout'
  readonly reason: TimeoutReason

  constructor(reason: TimeoutReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** The caller's signal was aborted; its reason is the cause. */
export class AbortFailure extends DispatchFailure {
  readonly kind = 'abort'
  readonly reason = 'aborted'

  constructor(cause?: unknown) {
    super('the request was given up', cause)
  }
}

/** The request is not one that can be sent. */
export class RequestFailure extends DispatchFailure {
  readonly kind = 'request'
  readonly reason: RequestReason

  constructor(reason: RequestReason, message: string, cause?: unknown) {
    super(message, cause)
    this.reason = reason
  }
}
