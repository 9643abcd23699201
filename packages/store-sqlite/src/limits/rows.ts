// hot path: each decision on limits finds its row here, by key.

import type { ResolvedPolicy } from '@ostler/core'
import type { Counted, Counters } from './counters.ts'

/** A row of the file, as this process knows it. */
export class Row implements Counted {
  readonly place: number
  /** Its number in the file; 0 where it has none. */
  id = 0
  /** When it was read, by the connection's stamp. */
  stamp = 0
  /** It is to be written. */
  changed = false
  readonly lane: boolean
  /** What stands in the file for the key, a character a byte: a buffer would take ten times the memory. */
  readonly hashed: string

  constructor(hashed: string, lane: boolean, place: number) {
    this.place = place
    this.lane = lane
    this.hashed = hashed
  }
}

/** The rows of one policy name that were looked at. */
export class Rows {
  /** As in `exact:minute`: what stands in the file. */
  readonly policy: string
  /** Where what they count is kept. */
  readonly counters: Counters<ResolvedPolicy>
  /** Keys with a row of their own, as of `stamp`. */
  keys = 0
  stamp = 0
  readonly #own = new Map<string, Row>()
  readonly #lanes = new Map<string, Row>()

  constructor(policy: string, counters: Counters<ResolvedPolicy>) {
    this.policy = policy
    this.counters = counters
  }

  /** A key's own row. */
  get(key: string): Row | undefined {
    return this.#own.get(key)
  }

  add(key: string, hashed: string): Row {
    const row = new Row(hashed, false, this.counters.take())
    this.#own.set(key, row)
    return row
  }

  /** The lane of that hash. */
  lane(hashed: string): Row {
    let row = this.#lanes.get(hashed)
    if (row === undefined) {
      row = new Row(hashed, true, this.counters.take())
      this.#lanes.set(hashed, row)
    }
    return row
  }

  /** Gives back the places of all rows, which are of no use from then on. */
  give(): void {
    for (const { place } of this.#own.values()) this.counters.give(place)
    for (const { place } of this.#lanes.values()) this.counters.give(place)
  }

  /** Lets go of all rows, whose places are gone. */
  clear(): void {
    this.#own.clear()
    this.#lanes.clear()
  }
}
