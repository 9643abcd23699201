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
  const leases = new Leases(connection, options.maxLeases)
  const domains = new Domains(connection, leases)
  const pairs = new Pairs(connection, domains, options.maxRecords)
  const fleet = new Fleet(connection, options.maxAgents)
  return { domains, pairs, leases, fleet, views: new Views(connection, pairs) }
}

/** Comes before each decision: learns which leases others have taken and freed, and lets a little of what has run out go. */
export function tidy({ leases, pairs }: Parts, nowMs: number): void {
  leases.follow()
  leases.drain(nowMs)
  pairs.tidy(nowMs)
}
