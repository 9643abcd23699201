export type Kind = 'ours' | 'peer' | 'floor'

/** One contender of a table: an operation to time over a state of its own. */
export interface Case<State = unknown> {
  /** `ostler`, `fast-ratelimit`, `Map.get and a write`. */
  readonly name: string
  readonly kind: Kind
  /** Operations that one call of `run` holds: 1 by default (then quantiles are of single operations); more for what is shorter than the timer. */
  readonly ops?: number
  /** Whether `run` gives a promise, which is then awaited. Default false. */
  readonly async?: boolean
  /** What a reader must know of it: how it is called, what it does not do. */
  readonly note?: string
  /** Cases of one group are set up, timed against each other and let go before the next group's. Default: all of a table are one group. */
  readonly group?: string
  setup(): State | Promise<State>
  /** Makes ready what one call of `run` uses up, outside of what is timed; awaited where `run` is. */
  before?(state: State): void | Promise<void>
  /** The operations. What they give is consumed by the state, so that nothing is optimised away. */
  run(state: State): void | Promise<void>
  /** Throws where the operations did not do what they are named for. */
  validate(state: State): void
  close?(state: State): void | Promise<void>
}

export type Unit = 'ns' | 'ms' | 's' | 'bytes' | 'MB' | 'per second' | 'times'

/** One number that is not the time of an operation. */
export interface Figure {
  readonly name: string
  readonly unit: Unit
  readonly value: number
  /** Default: its gauge's. */
  readonly kind?: Kind
}

/** Something to measure once in a fresh process: how long a build takes, how much memory it holds, how long it stalls. */
export interface Gauge {
  readonly name: string
  readonly kind: Kind
  readonly note?: string
  /** How many processes measure it, at most. Default: as many as the rest. */
  readonly processes?: number
  measure(): readonly Figure[] | Promise<readonly Figure[]>
}

/** Which of a row's numbers a bound is about. A figure has only its value. */
export type Measure = 'p50' | 'p99' | 'mean' | 'bytes' | 'value'

/** What a table promises of one row, or of each of ours (`*`), of which the worst then counts. */
export interface Bound {
  readonly row: string
  /** Default `p50`; `value` for figures. */
  readonly of?: Measure
  /** Divides by the same number of this row; of several, by the smallest: the best of them. */
  readonly against?: string | readonly string[]
  /** Divides by the row of the same name in this table. */
  readonly table?: string
  /** Turns the quotient round: how many times as fast. */
  readonly faster?: boolean
  /** Takes the sum of these rows off first. */
  readonly beyond?: readonly string[]
  /** In ns, bytes, the figure's unit, or times. */
  readonly most?: number
  readonly least?: number
}

/** Contenders that are compared with each other, and what is promised of ours. */
export interface Table {
  readonly name: string
  /** What is done, how often and to what, in a sentence or two. */
  readonly about: string
  /** What it takes besides the packages. */
  readonly needs?: 'redis' | 'sqlite'
  /** Whether the bytes that each operation of ours allocates are measured too. Default false. */
  readonly bytes?: boolean
  /** Whether it takes so long to set up that a quick run measures it in one process. Default false. */
  readonly heavy?: boolean
  /** Whether a quick run leaves it out, unless it is asked for by name. Default false. */
  readonly full?: boolean
  /** Which rows also run alone, in a process of their own. Default all. */
  readonly alone?: readonly string[]
  readonly cases?: readonly Case[]
  readonly gauges?: readonly Gauge[]
  readonly bounds: readonly Bound[]
}
