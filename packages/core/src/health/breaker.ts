/** An agent that fails its own part (offline, CONNECT refused, 407) rests as a whole, whatever the domain. */
export interface AgentBreaker {
  /** Agent errors in a row. */
  readonly failures: number
  /** The agent rests before this instant; 0 when it does not. */
  readonly downUntilMs: number
}

export interface BreakerPolicy {
  /** Agent errors in a row that rest an agent. Default 3. */
  readonly threshold: number
  /** First rest, in ms; doubles with each further failure. Default 10_000. */
  readonly restMs: number
  /** Longest rest, in ms. Default 300_000. */
  readonly maxRestMs: number
}
