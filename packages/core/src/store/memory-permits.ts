import { expiredCount, permitRetryMs } from '../limit/permit.ts'
import { ExpiryHeap } from '../pick/expiry.ts'

/** The permits of one key that are kept. */
interface Held {
  readonly handle: number
  readonly byId: Map<string, number>
  /** All deadlines, earliest first; those that have passed go at the next write. */
  readonly deadlinesMs: number[]
}

/** How many keys a write looks at to free what has expired elsewhere. */
const DRAIN = 8
const NONE: readonly number[] = []

/**
 * The permits of all keys, at most `maxPermits` at once: when all of them are held, new ones are
 * denied until the first expires (the flooder is denied, no permit is lost).
 */
export class MemoryPermits {
  /** Of the last check: permits held after the call. */
  held = 0
  /** Of the last check: the latest deadline held after the call, or its `nowMs`. */
  latestMs = 0
  readonly #byKey = new Map<string, Held>()
  readonly #keys: string[] = []
  readonly #freeHandles: number[] = []
  /** Keys by their earliest deadline. */
  readonly #due = new ExpiryHeap()
  readonly #maxPermits: number
  #stored = 0

  constructor(maxPermits: number) {
    this.#maxPermits = maxPermits
  }

  /**
   * Decides like `permitRetryMs`, with all the bounds. Changes nothing but the results.
   * `waitMs`: for how long the policies deny the call; a permit that is held now but not until then
   * needs a place of its own by then.
   */
  check(
    key: string,
    id: string,
    cap: number,
    deadlineMs: number,
    nowMs: number,
    waitMs: number,
  ): number {
    const own = this.#byKey.get(key)
    const deadlinesMs = own === undefined ? NONE : own.deadlinesMs
    const all = deadlinesMs.length
    this.held = all - expiredCount(deadlinesMs, nowMs)
    this.latestMs = this.held > 0 ? deadlinesMs[all - 1] : nowMs
    const heldUntilMs = own?.byId.get(id) ?? 0
    if (heldUntilMs <= nowMs + waitMs) {
      const retryMs = permitRetryMs(deadlinesMs, cap, nowMs)
      const fullMs = this.#stored < this.#maxPermits ? 0 : this.#due.firstAtMs - nowMs
      if (retryMs !== 0 || fullMs > 0) return retryMs === -1 ? -1 : Math.max(retryMs, fullMs)
      if (heldUntilMs <= nowMs && deadlineMs > nowMs) this.held++
    }
    if (deadlineMs > this.latestMs) this.latestMs = deadlineMs
    return 0
  }

  /**
   * Takes or extends the permit that the last check admitted. One that is past its deadline already
   * holds nothing.
   */
  commit(key: string, id: string, deadlineMs: number, nowMs: number): void {
    this.#drain(nowMs)
    if (deadlineMs <= nowMs) return
    let own = this.#byKey.get(key)
    if (own === undefined) own = this.#open(key)
    else this.#prune(own, nowMs)
    const oldMs = own.byId.get(id)
    if (oldMs === undefined) this.#stored++
    else if (oldMs >= deadlineMs) return
    else this.#unsort(own, oldMs)
    this.#sort(own, id, deadlineMs)
    this.#due.set(own.handle, own.deadlinesMs[0])
  }

  count(key: string, nowMs: number): number {
    const deadlinesMs = this.#byKey.get(key)?.deadlinesMs ?? NONE
    return deadlinesMs.length - expiredCount(deadlinesMs, nowMs)
  }

  /**
   * Moves a held permit's deadline, to where it may be over at once; false where it is not held.
   */
  renew(key: string, id: string, deadlineMs: number, nowMs: number): boolean {
    const own = this.#byKey.get(key)
    const oldMs = own?.byId.get(id) ?? 0
    if (own === undefined || oldMs <= nowMs) return false
    this.#unsort(own, oldMs)
    this.#sort(own, id, deadlineMs)
    this.#settle(own, nowMs)
    return true
  }

  /** Frees a permit; false where it is not held. */
  release(key: string, id: string, nowMs: number): boolean {
    const own = this.#byKey.get(key)
    const oldMs = own?.byId.get(id) ?? 0
    if (own === undefined || oldMs <= nowMs) return false
    this.#unsort(own, oldMs)
    own.byId.delete(id)
    this.#stored--
    this.#settle(own, nowMs)
    return true
  }

  #open(key: string): Held {
    const handle = this.#freeHandles.pop() ?? this.#keys.length
    this.#keys[handle] = key
    const own: Held = { handle, byId: new Map<string, number>(), deadlinesMs: [] }
    this.#byKey.set(key, own)
    return own
  }

  #drain(nowMs: number): void {
    for (let i = 0; i < DRAIN && this.#due.firstAtMs <= nowMs; i++) {
      this.#settle(this.#byKey.get(this.#keys[this.#due.first]) as Held, nowMs)
    }
  }

  /** Prunes a key, then notes its earliest deadline, or forgets the key. */
  #settle(own: Held, nowMs: number): void {
    this.#prune(own, nowMs)
    if (own.deadlinesMs.length > 0) {
      this.#due.set(own.handle, own.deadlinesMs[0])
      return
    }
    this.#due.remove(own.handle)
    this.#byKey.delete(this.#keys[own.handle])
    this.#keys[own.handle] = ''
    this.#freeHandles.push(own.handle)
  }

  #prune(own: Held, nowMs: number): void {
    const expired = expiredCount(own.deadlinesMs, nowMs)
    if (expired === 0) return
    own.deadlinesMs.splice(0, expired)
    this.#stored -= expired
    for (const [id, deadlineMs] of own.byId) if (deadlineMs <= nowMs) own.byId.delete(id)
  }

  #sort(own: Held, id: string, deadlineMs: number): void {
    own.byId.set(id, deadlineMs)
    own.deadlinesMs.splice(expiredCount(own.deadlinesMs, deadlineMs), 0, deadlineMs)
  }

  #unsort(own: Held, deadlineMs: number): void {
    own.deadlinesMs.splice(expiredCount(own.deadlinesMs, deadlineMs) - 1, 1)
  }
}
