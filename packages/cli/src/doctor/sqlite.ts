import type { Inspection } from '@ostler/store-sqlite'
import { count } from '@ostler/simulator'
import { sqlitePackage, type StoreTarget } from '../stores.ts'
import type { Found } from './checkup.ts'

/** Looks at a file by the store's own `inspect`. */
export async function lookAtSqlite(target: StoreTarget & { kind: 'sqlite' }): Promise<Found> {
  const { inspect } = await sqlitePackage()
  const { kind, name, path } = target
  const startMs = performance.now()
  const inspection = inspect(path)
  const tookMs = performance.now() - startMs
  return { store: { kind, name, inspection, tookMs }, problems: inspection.problems }
}

/** The lines of a report: labels and values. */
export function sqliteFacts(
  inspection: Inspection,
  tookMs: number,
): readonly (readonly [string, string])[] {
  const { sqliteVersion, schemaVersion, journalMode, sizeBytes, walBytes, integrity, rows } =
    inspection
  const held = Object.entries(rows).filter(([, size]) => size > 0)
  const counts = held.map(([table, size]) => `${table} ${count(size)}`)
  return [
    ['reachable', `yes, SQLite ${sqliteVersion}`],
    ['latency', `${tookMs.toFixed(1)} ms to read all of it`],
    ['clock', "this host's"],
    ['schema', `version ${schemaVersion}`],
    ['persists', `journal ${journalMode}, ${count(sizeBytes)} bytes, log ${count(walBytes)} bytes`],
    ['integrity', integrity],
    ['rows', counts.length === 0 ? 'none' : counts.join(', ')],
  ]
}
