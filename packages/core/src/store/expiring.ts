import { ExpiryHeap } from '../pick/expiry.ts'

/** How many expired records a write frees. */
const DRAIN = 8

/**
 * At most `most` records by id, each until an instant; records that have passed it are freed a few
 * at a time.
 */
export class ExpiringMap<V> {
  readonly #handles = new Map<string, number>()
  readonly #ids: string[] = []
  readonly #values: (V | undefined)[] = []
  readonly #freeHandles: number[] = []
  readonly #due = new ExpiryHeap()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  /** Records kept, some of them past their instant. */
  get size(): number {
    return this.#handles.size
  }

  get(id: string, nowMs: number): V | undefined {
    const handle = this.#handles.get(id)
    return handle !== undefined && this.#due.at(handle) > nowMs ? this.#values[handle] : undefined
  }

  /** Whether a record of this id could be kept: there is room, or one has expired. */
  hasRoom(id: string, nowMs: number): boolean {
    return this.#handles.size < this.#most || this.#due.firstAtMs <= nowMs || this.#handles.has(id)
  }

  /**
   * Keeps a record until `untilMs`, in place of an older one. Only after `hasRoom`. O(log records)
   */
  set(id: string, value: V, untilMs: number, nowMs: number): void {
    let handle = this.#handles.get(id)
    if (handle === undefined) {
      for (let i = 0; i < DRAIN && this.#due.firstAtMs <= nowMs; i++) this.#free(this.#due.first)
      handle = this.#freeHandles.pop() ?? this.#ids.length
      this.#handles.set(id, handle)
      this.#ids[handle] = id
    }
    this.#values[handle] = value
    this.#due.set(handle, untilMs)
  }

  delete(id: string): void {
    const handle = this.#handles.get(id)
    if (handle !== undefined) this.#free(handle)
  }

  #free(handle: number): void {
    this.#due.remove(handle)
    this.#handles.delete(this.#ids[handle])
    this.#ids[handle] = ''
    this.#values[handle] = undefined
    this.#freeHandles.push(handle)
  }
}
