import { sqliteStore, type SqliteStoreOptions } from '@ostler/store-sqlite'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { Store } from '@ostler/core'

const folders = new Map<string, string>()
let files = 0

afterAll(() => {
  for (const folder of folders.values()) rmSync(folder, { recursive: true, force: true })
})

/** A path at which there is nothing yet, in a folder below `root` that goes with the test file. */
export function freshPath(root: string = tmpdir()): string {
  let folder = folders.get(root)
  if (folder === undefined) {
    folder = mkdtempSync(join(root, 'ostler-sqlite-'))
    folders.set(root, folder)
  }
  return join(folder, `${++files}.db`)
}

/** Stores that are closed together. */
export class Stores {
  readonly #open: Store<'sync'>[] = []

  /** A store that decides at the instants it is given, unless the options say otherwise. */
  open(options: SqliteStoreOptions): Store<'sync'> {
    const store = sqliteStore({ time: 'caller', ...options })
    this.#open.push(store)
    return store
  }

  closeAll(): void {
    for (const store of this.#open.splice(0)) store.close()
  }
}
