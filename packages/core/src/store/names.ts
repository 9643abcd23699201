import { LongList } from '../list.ts'
import { hash32 } from '../random.ts'
import { HandleTable } from '../table.ts'

/** Strings to small integers and back; grows without a pause. About 20 bytes a name, the string aside. */
export class Names {
  readonly #table = new HandleTable()
  readonly #names: LongList<string> = new LongList()

  get size(): number {
    return this.#table.size
  }

  /** Handles ever given out are below this. */
  get handles(): number {
    return this.#table.handles
  }

  /** The name's handle, or -1. Who has its hash32 already says it. */
  find(name: string, hash: number = hash32(name)): number {
    const table = this.#table
    for (let handle = table.first(hash); handle >= 0; handle = table.next(handle)) {
      if (table.isOf(handle, hash) && this.at(handle) === name) return handle
    }
    return -1
  }

  /** Adds a name that `find` does not know. */
  add(name: string): number {
    const handle = this.#table.add(hash32(name))
    this.#names.set(handle, name)
    return handle
  }

  /** The hash32 of a handle's name. */
  hashOf(handle: number): number {
    return this.#table.hashOf(handle)
  }

  /** The handle's name. */
  at(handle: number): string {
    return this.#names.get(handle) as string
  }

  remove(handle: number): void {
    this.#table.remove(handle)
    this.#names.set(handle, null)
  }
}
