import type { Kind, Unit } from '../case.ts'
import type { Machine } from './machine.ts'

/** How long and how often. */
export interface Pace {
  readonly processes: number
  /** Processes for what is heavy. */
  readonly heavy: number
  readonly alone: number
  /** What a process spends on warming up, shared by its cases: compiling takes longer than any round. */
  readonly warmUpMs: number
  readonly rounds: number
  readonly roundMs: number
}

/** What one process found of one case: nanoseconds for each operation. */
export interface Timing {
  readonly p50Ns: number
  readonly p99Ns: number
  readonly meanNs: number
  readonly samples: number
}

/** A case: once for each process, first those that ran with the others of its table, then alone. */
export interface TimedRow {
  readonly kind: 'timed'
  readonly table: string
  readonly name: string
  readonly contender: Kind
  readonly ops: number
  readonly together: readonly Timing[]
  readonly alone: readonly Timing[]
  /** Allocated for each operation, where it was measured. */
  readonly bytes: number | null
}

/** A figure: once for each process. */
export interface FigureRow {
  readonly kind: 'figure'
  readonly table: string
  readonly name: string
  readonly contender: Kind
  readonly unit: Unit
  readonly values: readonly number[]
}

export type Row = TimedRow | FigureRow

/** What was not measured, and why. */
export interface Missing {
  readonly table: string
  readonly why: string
}

/** Tables that were measured again after the others. */
export interface Later {
  readonly at: string
  readonly tables: readonly string[]
}

/** What a run leaves behind: `bench/results/*.json`. */
export interface Results {
  readonly at: string
  readonly seconds: number
  readonly pace: Pace
  readonly machine: Machine
  readonly rows: readonly Row[]
  readonly missing: readonly Missing[]
  readonly later?: readonly Later[]
}
