import type { Incident, Watch } from '../health/incident.ts'
import type { PairRecord } from '../health/record.ts'
import { OstlerError } from '../errors.ts'
import { incidentAt } from '../health/incident.ts'
import { stateAt } from '../health/record.ts'
import type { Domain } from './domains.ts'
import { Domains } from './domains.ts'
import { Records } from './records.ts'
import type { Changes } from './store.ts'

/** What `epochToGo` answers for a pair that is excluded, and for one that only a probe may try. */
export const REFUSED = -2
export const ON_PROBATION = -1

/** About a millisecond's worth, so that a full store does not stall its callers. */
const SWEPT_FOR_ROOM = 65_536

/** What a caller is told who knows all there is of a domain of which nothing is known. */
export const NOTHING: Changes = Object.freeze({
  version: 0,
  reset: false,
  changes: Object.freeze([]),
  incident: null,
})
const NONE: Changes['changes'] = NOTHING.changes
const START_ANEW: Changes = Object.freeze({ ...NOTHING, reset: true })

/**
 * Domains and the records of their pairs, with versions: the truth that views follow.
 * A record past its `forgetAtMs` is as good as none, and dropped in passing; no other is ever dropped.
 */
export class Pairs {
  readonly #records = new Records()
  readonly #domains = new Domains()
  readonly #maxRecords: number
  /** One count for all domains, so that one that was forgotten never repeats a version. */
  #version = 0

  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords
  }

  get records(): number {
    return this.#records.size
  }

  get domains(): number {
    return this.#domains.size
  }

  domain(name: string): Domain | undefined {
    return this.#domains.get(name)
  }

  addDomain(name: string, nowMs: number): Domain {
    return this.#domains.add(name, this.#version, nowMs)
  }

  record(exit: string, domain: Domain | undefined, nowMs: number): PairRecord | null {
    return this.read(this.find(exit, domain), nowMs)
  }

  /** Where a pair's record is, or -1: until the next sweep or write. */
  find(exit: string, domain: Domain | undefined): number {
    return domain === undefined ? -1 : this.#records.find(exit, domain)
  }

  /** The record that `find` has found. */
  read(handle: number, nowMs: number): PairRecord | null {
    if (handle < 0) return null
    const record = this.#records.read(handle)
    return nowMs >= record.forgetAtMs ? null : record
  }

  /** The epoch under which a dispatch may go, ON_PROBATION if only as a probe, or REFUSED. */
  epochToGo(exit: string, domain: Domain, nowMs: number): number {
    const handle = this.#records.find(exit, domain)
    if (handle < 0) return 0
    const epoch = this.#records.clearEpoch(handle, nowMs)
    if (epoch >= 0) return epoch
    const record = this.#records.read(handle)
    const state = stateAt(record, nowMs)
    if (state.health === 'available') return record.epoch
    return state.health === 'unavailable' && state.phase === 'probation' ? ON_PROBATION : REFUSED
  }

  /**
   * Makes sure that the pair that `find` has looked for can be written, dropping what is forgotten if it must.
   * @throws OstlerError STORE_FULL when the records looked at (65,536 a call, each call the next) all still count
   */
  makeRoom(found: number, nowMs: number): void {
    if (found >= 0 || this.#records.size < this.#maxRecords) return
    if (this.sweep(SWEPT_FOR_ROOM, nowMs) > 0) return
    throw new OstlerError(
      'STORE_FULL',
      `the memory store holds maxRecords = ${this.#maxRecords} pairs that still count`,
    )
  }

  /** Writes a record, where `find` has found it, as its domain's newest change; `makeRoom` comes before. */
  write(found: number, exit: string, domain: Domain, record: PairRecord): void {
    const handle = found < 0 ? this.#records.add(exit, domain) : found
    this.#records.write(handle, record, domain, ++this.#version)
  }

  /** Sets what is counted of a domain; an incident that opens or ends is a change of the domain. */
  setWatch(domain: Domain, watch: Watch | null, nowMs: number): void {
    const opened = incidentAt(domain.watch, nowMs)?.openedAtMs
    domain.watch = watch
    if (incidentAt(watch, nowMs)?.openedAtMs !== opened) domain.version = ++this.#version
  }

  /** Looks at `steps` records and drops those that are forgotten: unasked, for to a view they are available already. */
  sweep(steps: number, nowMs: number): number {
    return this.#records.size === 0 ? 0 : this.#records.sweep(steps, nowMs, this.#domains)
  }

  /** What a view needs that has seen all but the record just written. */
  newest(domain: Domain, exit: string, record: PairRecord, nowMs: number): Changes {
    const { version, watch } = domain
    const incident = watch === null ? null : viewOf(incidentAt(watch, nowMs))
    return { version, reset: false, changes: [{ exit, record }], incident }
  }

  /** What a view that has seen a version needs. O(changes), and free when there are none. */
  changes(domain: Domain | undefined, sinceVersion: number, nowMs: number): Changes {
    if (domain === undefined) return sinceVersion === 0 ? NOTHING : START_ANEW
    const { version, watch } = domain
    const incident = watch === null ? null : viewOf(incidentAt(watch, nowMs))
    if (sinceVersion === version) {
      if (incident !== null) return { version, reset: false, changes: NONE, incident }
      return version === 0 ? NOTHING : quietOf(domain)
    }
    // A version from before the domain was known, or from an earlier life of it, says nothing of this one.
    const reset = sinceVersion !== 0 && (sinceVersion > version || sinceVersion <= domain.floor)
    const changes = this.#records.changesSince(domain, reset ? 0 : sinceVersion, nowMs)
    return { version, reset, changes, incident }
  }
}

/** One object for all who ask, three times a dispatch, until the domain's next change. */
function quietOf(domain: Domain): Changes {
  const { quiet, version } = domain
  if (quiet !== null && quiet.version === version) return quiet
  return (domain.quiet = Object.freeze({ version, reset: false, changes: NONE, incident: null }))
}

function viewOf(incident: Incident | null): Incident | null {
  if (incident === null) return null
  const { openedAtMs, cause, lastEventMs } = incident
  return { openedAtMs, cause, lastEventMs }
}
