import { hash } from 'node:crypto'

const BYTES = 16

/** Turns what must not stand in the file (keys, opIds) into 128 bits of SHA-256, keyed by the file's own salt. About 2 us. */
export class Hasher {
  readonly #salt: string

  constructor(salt: string) {
    this.#salt = salt
  }

  /** `kind` keeps names of different tables apart; parts are joined by a line break, which keys do not hold. */
  of(kind: string, name: string, part = ''): Buffer {
    return hash('sha256', `${this.#salt}\n${kind}\n${name}\n${part}`, 'buffer').subarray(0, BYTES)
  }
}
