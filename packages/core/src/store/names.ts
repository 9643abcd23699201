import { LongList } from '../list.ts'
import { hash32 } from '../random.ts'
import { AHEAD, HandleTable } from '../table.ts'

const HASHES = new Uint32Array(AHEAD)

/** Strings to small integers and back; grows without a pause. About 20 bytes a name, the string aside. */
export class Names {
  readonly #table = new HandleTable()
  readonly #names: LongList<string> = new LongList()
  /** A sum of no meaning: what came to nothing the engine would not read. */
  ahead = 0

  get size(): number {
    return this.#table.size
  }

  /** Handles ever given out are below this. */
  get handles(): number {
    return this.#table.handles
  }

  /** The name's handle, or -1. */
  find(name: string): number {
    const table = this.#table
    const hash = hash32(name)
    for (let handle = table.first(hash); handle >= 0; handle = table.next(handle)) {
      if (table.hashOf(handle) === hash && this.at(handle) === name) return handle
    }
    return -1
  }

  /**
   * Puts the handles of up to {@link AHEAD} names into `found`, or -1: of very many, several times faster than one by one.
   * In four billion cases there is one where it is another name's: for looking ahead only.
   */
  guessEach(names: readonly string[], found: Int32Array): void {
    for (let i = 0; i < names.length; i++) HASHES[i] = hash32(names[i])
    this.#table.findEach(HASHES, found, names.length)
    let read = 0
    for (let i = 0; i < names.length; i++) if (found[i] >= 0) read += this.at(found[i]).length
    this.ahead = read
  }

  /** Adds a name that `find` does not know. */
  add(name: string): number {
    const handle = this.#table.add(hash32(name))
    this.#names.set(handle, name)
    return handle
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
