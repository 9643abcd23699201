import type { Connection } from '../file/connection.ts'
import { Domains } from './domains.ts'
import { Fleet } from './fleet.ts'
import { Leases } from './leases.ts'
import { Pairs } from './pairs.ts'
import { Views } from './views.ts'

export interface HealthOptions {
  readonly maxRecords: number
  readonly maxLeases: number
  readonly maxAgents: number
}

/** The tables that decisions on health read and write. */
export interface Parts {
  readonly domains: Domains
  readonly pairs: Pairs
  readonly leases: Leases
  readonly fleet: Fleet
  readonly views: Views
}

export function partsOf(connection: Connection, options: HealthOptions): Parts {
  const domains = new Domains(connection)
  const pairs = new Pairs(connection, domains, options.maxRecords)
  const leases = new Leases(connection, domains, options.maxLeases)
  const fleet = new Fleet(connection, options.maxAgents)
  return { domains, pairs, leases, fleet, views: new Views(connection, pairs) }
}

/** Lets a little of what has run out go: every write does. */
export function tidy({ leases, pairs }: Parts, nowMs: number): void {
  leases.drain(nowMs)
  pairs.tidy(nowMs)
}
