import { OstlerError } from '@ostler/core'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadDriver, type Handle } from './file/driver.ts'
import { unavailable } from './file/failure.ts'
import { COUNT_NAMES } from './file/head.ts'
import { pragma, recognise, SCHEMA_VERSION } from './file/open.ts'

/** What can be said of a store's file, for people. */
export interface Inspection {
  readonly sqliteVersion: string
  readonly schemaVersion: number
  readonly journalMode: string
  readonly sizeBytes: number
  /** What waits in the log to go into the file. */
  readonly walBytes: number
  /** `ok`, or the first thing that SQLite's own check found. */
  readonly integrity: string
  readonly rows: Readonly<Record<string, number>>
  /** What somebody should look into; empty where all is well. */
  readonly problems: readonly string[]
}

/** A log so long is kept from going into the file by a reader that does not end. */
const LONG_LOG_BYTES = 67_108_864
/** Reports may wait: they are for people. */
const BUSY_MS = 1_000

/**
 * Looks at a store's file, which may be in use, and changes nothing. O(file): it is read whole.
 * @throws OstlerError STORE_UNAVAILABLE where there is none, or it is not a store's
 */
export function inspect(path: string): Inspection {
  const Driver = loadDriver()
  const file = resolve(path)
  let handle: Handle | undefined
  try {
    handle = new Driver(file, { readonly: true, fileMustExist: true, timeout: BUSY_MS })
    recognise(handle, file)
    return looked(handle, file)
  } catch (error) {
    throw unavailable(error, file, BUSY_MS)
  } finally {
    handle?.close()
  }
}

function looked(handle: Handle, path: string): Inspection {
  const schemaVersion = Number(pragma(handle, 'user_version'))
  if (schemaVersion === 0) throw new OstlerError('STORE_UNAVAILABLE', `${path} is empty`)
  const journalMode = String(pragma(handle, 'journal_mode'))
  const sizeBytes = bytesOf(path)
  const walBytes = bytesOf(`${path}-wal`)
  const integrity = String(pragma(handle, 'integrity_check(1)'))
  const problems: string[] = []
  if (integrity !== 'ok') problems.push(`integrity: ${integrity}`)
  if (journalMode !== 'wal') problems.push(`journal mode is ${journalMode}, not wal`)
  if (schemaVersion < SCHEMA_VERSION) {
    problems.push(
      `schema version ${schemaVersion} is brought up to ${SCHEMA_VERSION} at the next start`,
    )
  }
  if (walBytes > LONG_LOG_BYTES) {
    problems.push(`the log has grown to ${walBytes} bytes: some reader does not end`)
  }
  const rows = integrity === 'ok' ? rowsOf(handle, problems) : {}
  const sqliteVersion = String(handle.prepare('SELECT sqlite_version()').pluck().get())
  return {
    sqliteVersion,
    schemaVersion,
    journalMode,
    sizeBytes,
    walBytes,
    integrity,
    rows,
    problems,
  }
}

const TABLES = [
  'policies',
  'windows',
  'operations',
  'permits',
  'domains',
  'pairs',
  'fleet',
  'idempotency',
] as const

/** Leases that have not come back, and are not past their deadline. */
const OUT = `leases WHERE deadline_ms > (SELECT newest_ms FROM head)
  AND n NOT IN (SELECT ends FROM leases WHERE ends IS NOT NULL)`

/** Counts every table, in one state, and holds the counts that the head keeps against them. */
function rowsOf(handle: Handle, problems: string[]): Record<string, number> {
  const count = (from: string): number => {
    return handle.prepare(`SELECT count(*) FROM ${from}`).pluck().get() as number
  }
  return handle.transaction(() => {
    const rows = Object.fromEntries(TABLES.map((table) => [table, count(table)]))
    rows['leases'] = count(OUT)
    const head = handle.prepare('SELECT * FROM head').get() as Record<string, number>
    const kept: Record<string, number> = { ...rows }
    for (const kind of ['agent', 'breaker', 'exit']) {
      kept[`${kind}s`] = count(`fleet WHERE kind = '${kind}' AND gone = 0`)
      kept[`gone_${kind}s`] = count(`fleet WHERE kind = '${kind}' AND gone = 1`)
    }
    for (const name of COUNT_NAMES) {
      if (head[name] === kept[name]) continue
      problems.push(`${name}: ${kept[name]} rows, but ${head[name]} are counted`)
    }
    const aheadMs = head['newest_ms'] - Date.now()
    if (aheadMs > 1_000) {
      problems.push(`time has been ${aheadMs} ms ahead of this host's clock: it stands until then`)
    }
    return rows
  })()
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
