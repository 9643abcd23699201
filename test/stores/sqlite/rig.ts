import { sqliteStore, type SqliteStoreOptions } from '@ostler/store-sqlite'
import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { ResolvedPolicy, Store } from '@ostler/core'

/** The instant of calls that need no other. */
export const T = 1_200_000_000

/** A million a day: more than any test asks for. */
export const POLICY: ResolvedPolicy = {
  kind: 'exact',
  name: 'p',
  limit: 1_000_000,
  windowMs: 86_400_000,
  quantumMs: 86_400_000,
}

export function consume(store: Store<'sync'>, key = 'k', nowMs = T): boolean {
  return store.consume({ key, policies: [POLICY], cost: 1, nowMs }).allowed
}

export function used(store: Store<'sync'>, key = 'k', nowMs = T): number {
  return store.usage(key, [POLICY], nowMs)[0].used
}

const ROOM_BYTES = 268_435_456

let folder: string | undefined
let files = 0

afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

/** A path at which there is nothing yet, in a folder that goes with the test file. */
export function freshPath(): string {
  folder ??= mkdtempSync(join(rootFolder(), 'ostler-sqlite-'))
  return join(folder, `${++files}.db`)
}

/** In memory where the system has a place for that, so that no disk adds to what is measured: all but the loss of power is the same. */
function rootFolder(): string {
  const memory = '/dev/shm'
  if (!existsSync(memory)) return tmpdir()
  const { bavail, bsize } = statfsSync(memory)
  return bavail * bsize > ROOM_BYTES ? memory : tmpdir()
}

/** Stores that are closed together. */
export class Stores {
  readonly #open: Store<'sync'>[] = []
  readonly #fresh: string[] = []

  /** A store that decides at the instants it is given, unless the options say otherwise. */
  open(options: SqliteStoreOptions): Store<'sync'> {
    const store = sqliteStore({ time: 'caller', ...options })
    this.#open.push(store)
    return store
  }

  closeAll(): void {
    for (const store of this.#open.splice(0)) store.close()
  }

  /** A store on a file of its own, which `endFresh` closes and removes. */
  openFresh(options: Omit<SqliteStoreOptions, 'path'>): Store<'sync'> {
    const path = freshPath()
    this.#fresh.push(path)
    return this.open({ path, ...options })
  }

  endFresh(): void {
    this.closeAll()
    for (const path of this.#fresh.splice(0)) rmSync(path)
  }
}
