import { OstlerError } from '@ostler/core'
import { randomBytes, randomInt } from 'node:crypto'
import { accessSync, closeSync, constants, openSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { loadDriver, type Handle } from './driver.ts'
import { isBusy } from './failure.ts'
import type { Patience } from './patience.ts'

/** `OSTL`: what tells our files from other people's. */
export const APPLICATION_ID = 0x4f53544c

/** The schema's steps, in order: a file at version n has had the first n. */
const STEPS: readonly string[] = ['0001-tables.sql']

/** The version that this code reads and writes. */
export const SCHEMA_VERSION: number = STEPS.length

const PAGE_BYTES = 4_096
/**
 * A log of so many pages (2 MB) goes back into the file: two milliseconds or so, and two waits for the disk, of whoever writes then.
 * Measured: 250 pages wait half as long and cost a third more in all, SQLite's own 1,000 wait twice as long and cost a tenth less.
 */
const LOG_PAGES = 500
/** A log that a long reader let grow is cut back to this. */
const LOG_BYTES = 8_388_608
/** Versions of one file begin at a multiple of 2^32, one of 2^20: two files rarely share any. */
const BASE_STEP = 4_294_967_296
const BASES = 1_048_576

export interface FileOptions {
  /** Absolute. */
  readonly path: string
  readonly fsync: boolean
  /** Infinity where only the disk bounds the file. */
  readonly maxBytes: number
}

/**
 * Opens the file, making it (readable by its owner alone) where there is none, and brings its schema up to ours.
 * @throws OstlerError STORE_UNAVAILABLE for a file of somebody else or of a newer version; else what SQLite throws
 */
export function openFile(options: FileOptions, patience: Patience): Handle {
  const Driver = loadDriver()
  createFile(options.path)
  const handle = new Driver(options.path, { timeout: 0, fileMustExist: true })
  try {
    recognise(handle, options.path)
    configure(handle, options)
    migrate(handle, options.path, patience)
    return handle
  } catch (error) {
    handle.close()
    throw error
  }
}

/**
 * Names a file whatever its path: null where there is none, or none that can be seen. Takes no descriptor, for closing one would end
 * SQLite's locks.
 */
export function identityOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return null
  }
}

/** Sets a pragma, or asks for it: its one value. */
export function pragma(handle: Handle, name: string): unknown {
  return handle.pragma(name, { simple: true })
}

/** The file may hold agents' urls, and so credentials: nobody else is to read it. One that is there keeps its rights. */
function createFile(path: string): void {
  try {
    if (identityOf(path) === null) closeSync(openSync(path, 'wx', 0o600))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return
    const message = `no file can be made at ${path}: ${(cause as Error).message}`
    throw new OstlerError('STORE_UNAVAILABLE', message, { cause })
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    accessSync(dirname(path), constants.W_OK)
  } catch (cause) {
    const message = `${path} cannot be written, or its folder: ${(cause as Error).message}`
    throw new OstlerError('STORE_UNAVAILABLE', message, { cause })
  }
}

/** @throws OstlerError STORE_UNAVAILABLE unless the file is ours, or empty */
export function recognise(handle: Handle, path: string): void {
  const application = pragma(handle, 'application_id')
  const version = Number(pragma(handle, 'user_version'))
  if (application !== APPLICATION_ID) {
    const tables = handle.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()
    if (application === 0 && version === 0 && tables === 0) return
    const whose = `application_id ${String(application)}`
    const message = `${path} is a database of another application (${whose}): choose another path`
    throw new OstlerError('STORE_UNAVAILABLE', message)
  }
  if (version <= SCHEMA_VERSION) return
  const message =
    `${path} has schema version ${version}, and this @ostler/store-sqlite knows versions up to ` +
    `${SCHEMA_VERSION}: update it`
  throw new OstlerError('STORE_UNAVAILABLE', message)
}

function configure(handle: Handle, { path, fsync, maxBytes }: FileOptions): void {
  pragma(handle, `page_size = ${PAGE_BYTES}`)
  if (pragma(handle, 'journal_mode = WAL') !== 'wal') {
    const message = `${path} lies on a file system that cannot keep a write-ahead log, such as a network's`
    throw new OstlerError('STORE_UNAVAILABLE', message)
  }
  pragma(handle, `synchronous = ${fsync ? 'FULL' : 'NORMAL'}`)
  pragma(handle, `wal_autocheckpoint = ${LOG_PAGES}`)
  pragma(handle, `journal_size_limit = ${LOG_BYTES}`)
  pragma(handle, 'temp_store = MEMORY')
  pragma(handle, 'trusted_schema = OFF')
  const pageBytes = Number(pragma(handle, 'page_size'))
  if (maxBytes < Infinity) pragma(handle, `max_page_count = ${Math.floor(maxBytes / pageBytes)}`)
}

/** One that has all steps is not written to: opening it needs no lock that others may hold. */
function migrate(handle: Handle, path: string, patience: Patience): void {
  if (pragma(handle, 'user_version') === SCHEMA_VERSION) return
  beginWith(handle, patience)
  try {
    // Another process may have been first, while this one waited.
    recognise(handle, path)
    const version = Number(pragma(handle, 'user_version'))
    for (const step of STEPS.slice(version)) {
      handle.exec(readFileSync(new URL(`../../sql/${step}`, import.meta.url), 'utf8'))
    }
    if (version === 0) addHead(handle)
    pragma(handle, `application_id = ${APPLICATION_ID}`)
    pragma(handle, `user_version = ${SCHEMA_VERSION}`)
    handle.exec('COMMIT')
  } catch (error) {
    if (handle.inTransaction) handle.exec('ROLLBACK')
    throw error
  }
}

function beginWith(handle: Handle, patience: Patience): void {
  for (;;) {
    try {
      handle.exec('BEGIN IMMEDIATE')
      return
    } catch (error) {
      if (!isBusy(error) || !patience.pause()) throw error
    }
  }
}

function addHead(handle: Handle): void {
  const base = randomInt(1, BASES) * BASE_STEP
  handle
    .prepare('INSERT INTO head VALUES (1, ?, ?, 0, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)')
    .run(randomBytes(16), base, base, base)
}
