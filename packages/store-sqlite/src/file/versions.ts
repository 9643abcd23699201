import { randomInt } from 'node:crypto'

const STEP = 4_294_967_296
const SHIFTS = 524_288

/**
 * Versions as callers know them. They are those of the file, until a batch is lost: the versions that it gave will be given again,
 * for other changes. So from then on all that this process gives are shifted: those it gave before belong to no file.
 */
export class Versions {
  readonly #base: number
  #shift = 0

  constructor(base: number) {
    this.#base = base
  }

  /** From now on, all versions given so far are of another life. */
  disown(): void {
    this.#shift = randomInt(1, SHIFTS) * STEP
  }

  /** The same file, opened anew: what was disowned stays so. */
  follow(before: Versions): void {
    this.#shift = before.#shift
  }

  /** A version of the file as callers are told it; 0 stays 0, as of a domain in which nothing has changed. */
  told(version: number): number {
    return version === 0 ? 0 : version + this.#shift
  }

  /** What a caller has seen, as a version of the file; 0 is nothing, -1 is a version of another file or of a lost batch. */
  seen(told: number, newest: number): number {
    if (told === 0) return 0
    const version = told - this.#shift
    return version >= this.#base && version <= newest ? version : -1
  }
}
