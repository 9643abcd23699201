// hot path: each decision on limits finds its row here, by key.

import type { ResolvedPolicy } from '@ostler/core'
import { counterOf, type Counter } from './counters.ts'

/** A row of the file, as this process knows it. */
export class Row {
  /** What stands in the file for the key. */
  readonly hashed: Buffer
  /** Shared with other keys that found no room: it counts them together, and never gives back. */
  readonly lane: boolean
  readonly counter: Counter<ResolvedPolicy>
  /** Its number in the file; 0 where it has none. */
  id = 0
  /** When it was read, by the connection's stamp. */
  stamp = 0
  /** It is to be written. */
  changed = false

  constructor(kind: ResolvedPolicy['kind'], hashed: Buffer, lane: boolean) {
    this.hashed = hashed
    this.lane = lane
    this.counter = counterOf(kind, lane)
  }
}

/** The rows of one policy name that were looked at of late: in two halves, of which the older goes when the younger is full. */
export class Rows {
  /** As in `exact:minute`: what stands in the file. */
  readonly policy: string
  readonly kind: ResolvedPolicy['kind']
  /** By the number of the lane. */
  readonly lanes: Map<number, Row> = new Map()
  /** Keys with a row of their own, as of `stamp`. */
  keys = 0
  stamp = 0
  #young = new Map<string, Row>()
  #old = new Map<string, Row>()

  constructor(kind: ResolvedPolicy['kind'], policy: string) {
    this.kind = kind
    this.policy = policy
  }

  get(key: string): Row | undefined {
    const row = this.#young.get(key)
    return row === undefined && this.#old.size > 0 ? this.#renew(key) : row
  }

  add(key: string, hashed: Buffer): Row {
    const row = new Row(this.kind, hashed, false)
    this.#young.set(key, row)
    return row
  }

  /** Lets go of what has not been looked at since the last time. */
  age(): void {
    this.#old = this.#young
    this.#young = new Map()
  }

  #renew(key: string): Row | undefined {
    const row = this.#old.get(key)
    if (row !== undefined) this.#young.set(key, row)
    return row
  }
}
