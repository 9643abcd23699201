import { roomFor } from './room.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

/** What the integers of chunks that nobody has written to read as. */
const ZEROS = new Uint32Array(CHUNK)

/** A list by small integers that grows a chunk at a time: no call ever copies what is there. 8 bytes a place. */
export class LongList<T> {
  readonly #chunks: (T | null)[][] = []

  /** Places that there are: what was never set is null. */
  get length(): number {
    return this.#chunks.length << CHUNK_BITS
  }

  /** What stands at a place below `length`. */
  get(at: number): T | null {
    return this.#chunks[at >>> CHUNK_BITS][at & IN_CHUNK]
  }

  set(at: number, value: T | null): void {
    const chunk = at >>> CHUNK_BITS
    while (chunk >= this.#chunks.length) {
      // Filled at once, so that all chunks are of one kind to the engine, and none is copied as it fills.
      this.#chunks.push(new Array<T | null>(CHUNK).fill(null))
    }
    this.#chunks[chunk][at & IN_CHUNK] = value
  }
}

/** The same of unsigned 32-bit integers, 0 until they are set; 4 bytes each, none where a whole chunk is 0. */
export class LongInts {
  readonly #chunks: Uint32Array[] = []

  /** An integer below the greatest place ever set, its chunk included. */
  get(at: number): number {
    return this.#chunks[at >>> CHUNK_BITS][at & IN_CHUNK]
  }

  set(at: number, value: number): void {
    const chunk = at >>> CHUNK_BITS
    while (chunk >= this.#chunks.length) this.#chunks.push(ZEROS)
    if (this.#chunks[chunk] === ZEROS) {
      this.#chunks[chunk] = new Uint32Array(roomFor(CHUNK * 4, chunk))
    }
    this.#chunks[chunk][at & IN_CHUNK] = value
  }
}
