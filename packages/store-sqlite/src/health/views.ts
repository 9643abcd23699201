import { incidentAt, type Changes, type Incident, type Watch } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import type { Domain } from './domains.ts'
import type { Pairs } from './pairs.ts'

/** So many domains are remembered; then all are forgotten, for it is only a look saved. */
const MOST_REMEMBERED = 4_096

interface Remembered {
  readonly stamp: number
  readonly watch: Watch | null
  /** What a caller who has seen the newest version is told while no incident is open. */
  readonly quiet: Changes
}

/** What is told of domains: from the file, or from memory where nothing has changed since it was last read. */
export class Views {
  readonly #connection: Connection
  readonly #pairs: Pairs
  readonly #remembered = new Map<string, Remembered>()

  constructor(connection: Connection, pairs: Pairs) {
    this.#connection = connection
    this.#pairs = pairs
  }

  /** What is told of `sinceVersion` without a look at the file, where that is known to be nothing new. */
  recall(name: string, sinceVersion: number, nowMs: number): Changes | undefined {
    const known = this.#remembered.get(name)
    if (known === undefined || known.stamp !== this.#connection.stamp) return undefined
    if (known.quiet.version !== sinceVersion) return undefined
    return withIncident(known.quiet, known.watch, nowMs)
  }

  /** What a caller that has seen a version of the domain needs. O(changes). */
  changes(name: string, domain: Domain | undefined, sinceVersion: number, nowMs: number): Changes {
    const quiet = this.note(name, domain)
    const watch = domain === undefined ? null : domain.watch
    if (quiet.version === sinceVersion) return withIncident(quiet, watch, nowMs)
    const { versions, head } = this.#connection
    const seen = versions.seen(sinceVersion, head.version)
    const lost = seen === -1 && { lost: true as const }
    if (domain === undefined) return { ...quiet, reset: true, ...lost }
    // A version from before the domain was known, or from an earlier life of it, says nothing of this one.
    const reset = seen === -1 || (seen !== 0 && (seen > domain.version || seen <= domain.floor))
    const changes = this.#pairs.changesSince(domain, reset ? 0 : seen, nowMs)
    const incident = viewOf(incidentAt(watch, nowMs))
    return { version: quiet.version, reset, changes, incident, ...lost }
  }

  /** Remembers a domain as it is now, having been read or written. Gives what a caller is told who has seen it so. */
  note(name: string, domain: Domain | undefined): Changes {
    const { versions, stamp } = this.#connection
    const version = domain === undefined ? 0 : versions.told(domain.version)
    const watch = domain === undefined ? null : domain.watch
    const known = this.#remembered.get(name)
    if (known !== undefined && known.stamp === stamp) {
      if (known.quiet.version === version && known.watch === watch) return known.quiet
    } else if (known === undefined && this.#remembered.size >= MOST_REMEMBERED) {
      this.#remembered.clear()
    }
    const quiet = Object.freeze({ version, reset: false, changes: [], incident: null })
    this.#remembered.set(name, { stamp, watch, quiet })
    return quiet
  }
}

function withIncident(quiet: Changes, watch: Watch | null, nowMs: number): Changes {
  const incident = viewOf(incidentAt(watch, nowMs))
  return incident === null ? quiet : { ...quiet, incident }
}

function viewOf(incident: Incident | null): Incident | null {
  if (incident === null) return null
  const { openedAtMs, cause, lastEventMs } = incident
  return { openedAtMs, cause, lastEventMs }
}
