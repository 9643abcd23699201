/** One operation to time, over a state that its group has set up. */
export interface Case<State> {
  readonly name: string
  /** One operation. Its result is consumed by `state`, so that nothing is optimised away. */
  run(state: State): void
  /** Throws where the operations did not do what they are named for. */
  validate(state: State): void
}

/** Cases that share a set-up and a fresh process. */
export interface Group<State> {
  readonly name: string
  setup(): State
  readonly cases: readonly Case<State>[]
}

/** What a case came to, as a child process prints it. Times are nanoseconds for each operation. */
export interface Timed {
  readonly kind: 'timed'
  readonly group: string
  readonly name: string
  readonly p50Ns: number
  readonly p99Ns: number
  readonly maxNs: number
  /** (largest - smallest) / median of the rounds' medians. */
  readonly spread: number
  readonly samples: number
}

/** A number that is not a time for each operation: how long a build took, how much memory it holds. */
export interface Gauge {
  readonly kind: 'gauge'
  readonly group: string
  readonly name: string
  readonly value: number
  readonly unit: 'ms' | 'MB' | 'count'
  /** The most it may be, where a bound is promised. */
  readonly most?: number
}

export type Row = Timed | Gauge

/** Anything that a fresh process can run. */
export interface Runnable {
  readonly name: string
  rows(): Row[]
}
