import type Database from 'better-sqlite3'
import { OstlerError } from '@ostler/core'
import { createRequire } from 'node:module'

/** A connection of better-sqlite3. */
export type Handle = Database.Database

/** How better-sqlite3 opens one. */
export type Driver = new (path: string, options?: Database.Options) => Handle

let loaded: Driver | undefined

/**
 * The driver, loaded when it is first needed: it is an optional dependency, whose native part may not have been built.
 * @throws OstlerError STORE_UNAVAILABLE
 */
export function loadDriver(): Driver {
  if (loaded !== undefined) return loaded
  const require = createRequire(import.meta.url)
  try {
    const driver = require('better-sqlite3') as Driver
    // Only opening a database shows whether the native part is there.
    new driver(':memory:').close()
    loaded = driver
    return driver
  } catch (cause) {
    throw new OstlerError(
      'STORE_UNAVAILABLE',
      'the sqlite store needs the package better-sqlite3 (version 12), which cannot be loaded: ' +
        'install it beside @ostler/store-sqlite, and let its native part be built',
      { cause },
    )
  }
}
