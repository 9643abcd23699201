import {
  DEFAULT_HEALTH_POLICY,
  join,
  sameRecord,
  transition,
  type AcquireRequest,
  type Acquired,
  type Change,
  type Changes,
  type PairEvent,
  type PairRecord,
  type SettleRequest,
  type Settled,
} from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import { acquire } from './dispatch.ts'
import type { Fleet } from './fleet.ts'
import { partsOf, tidy, type HealthOptions, type Parts } from './parts.ts'
import { settle } from './report.ts'

/**
 * The health half of the file: pairs, leases, incidents and agents, with the semantics that `Store` states. Each method is called
 * within a transaction, and makes sure of all that may be refused before it writes.
 */
export class Health {
  readonly #connection: Connection
  readonly #parts: Parts

  constructor(connection: Connection, options: HealthOptions) {
    this.#connection = connection
    this.#parts = partsOf(connection, options)
  }

  get fleet(): Fleet {
    return this.#parts.fleet
  }

  acquire(request: AcquireRequest, nowMs: number): Acquired {
    return acquire(this.#parts, request, nowMs)
  }

  settle(request: SettleRequest, nowMs: number): Settled {
    return settle(this.#parts, this.#connection.head, request, nowMs)
  }

  exclude(exit: string, domain: string, untilMs: number, nowMs: number): void {
    tidy(this.#parts, nowMs)
    if (domain === '*') this.fleet.excludeExit(exit, untilMs, nowMs)
    else this.#byHand(exit, domain, { kind: 'exclude', untilMs }, nowMs)
  }

  restore(exit: string, domain: string, nowMs: number): void {
    tidy(this.#parts, nowMs)
    if (domain === '*') this.fleet.restoreExit(exit)
    else this.#byHand(exit, domain, { kind: 'restore' }, nowMs)
  }

  merge(name: string, changes: readonly Change[], nowMs: number): void {
    tidy(this.#parts, nowMs)
    const { domains, pairs, views } = this.#parts
    let domain = domains.find(name)
    for (const { exit, record } of changes) {
      if (record === null || nowMs >= record.forgetAtMs) continue
      const before = pairs.record(exit, domain, nowMs)
      const after = join(before, record) as PairRecord
      if (before !== null && sameRecord(before, after)) continue
      pairs.makeRoom(exit, domain, nowMs)
      domain ??= domains.add(name, nowMs)
      pairs.write(exit, domain, after)
    }
    views.note(name, domain)
  }

  exclusions(name: string, sinceVersion: number, nowMs: number): Changes {
    const { domains, views } = this.#parts
    return views.changes(name, domains.find(name), sinceVersion, nowMs)
  }

  /** What `exclusions` would answer, where it is known without a look at the file. */
  recall(name: string, sinceVersion: number, nowMs: number): Changes | undefined {
    return this.#parts.views.recall(name, sinceVersion, nowMs)
  }

  #byHand(exit: string, name: string, event: PairEvent, nowMs: number): void {
    const { domains, pairs, views } = this.#parts
    const known = domains.find(name)
    const before = pairs.record(exit, known, nowMs)
    const after = transition(before, event, nowMs, DEFAULT_HEALTH_POLICY) as PairRecord
    pairs.makeRoom(exit, known, nowMs)
    const domain = known ?? domains.add(name, nowMs)
    pairs.write(exit, domain, after)
    views.note(name, domain)
  }
}
