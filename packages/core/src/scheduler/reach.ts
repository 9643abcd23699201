import type { Mode, Result } from '../store/store.ts'
import type { Circuit } from './circuit.ts'

/** The one way to a store that may be out of reach: while it is, nobody is sent there to wait. */
export class Reach<M extends Mode> {
  readonly #mode: M
  readonly #circuit: Circuit
  /** Calls that were decided in this process instead. */
  decidedLocally = 0

  constructor(mode: M, circuit: Circuit) {
    this.#mode = mode
    this.#circuit = circuit
  }

  /** Asks the store, or else has it decided here; `instead` is told whether the store was asked. */
  ask<T>(ask: () => Result<M, T>, instead: (wasAsked: boolean) => T): Result<M, T> {
    return this.askThen(ask, instead, asIs)
  }

  /** The same, and what `next` makes of it, in one promise. */
  askThen<T, U>(
    ask: () => Result<M, T>,
    instead: (wasAsked: boolean) => T,
    next: (value: T) => U,
  ): Result<M, U> {
    if (this.#circuit.isOpen) {
      this.decidedLocally++
      return this.value(() => next(instead(false)))
    }
    const answered = (error: unknown): U => {
      this.#circuit.failed(error)
      this.decidedLocally++
      return next(instead(true))
    }
    let answer: T | Promise<T>
    try {
      answer = ask()
    } catch (error) {
      return this.value(() => answered(error))
    }
    return (answer instanceof Promise ? answer.then(next, answered) : next(answer)) as Result<M, U>
  }

  /** A value as the mode has it: what throws rejects. */
  value<T>(make: () => T): Result<M, T> {
    if (this.#mode === 'sync') return make() as Result<M, T>
    return new Promise<T>((resolve) => {
      resolve(make())
    }) as Result<M, T>
  }
}

function asIs<T>(value: T): T {
  return value
}
