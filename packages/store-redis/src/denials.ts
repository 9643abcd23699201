// hot path: a key that is denied asks again and again, and each answer is known until the denial
// can end. What is found here costs no round trip.

import type { Verdict } from '@ostler/core'

/** No denial is repeated for longer, in ms: a refund elsewhere may have gone unheard. */
const MOST_MS = 5_000
/** The most lists of policies remembered for one key. */
const MOST_LISTS = 4
/** Counters that say when a key was last changed; keys share them by their digest. */
const COUNTERS = 4_096

interface Denial {
  /** The policies, as `compile` wrote them. */
  readonly text: string
  readonly verdict: Verdict
  /** The reading at which the verdict was right. */
  readonly baseMs: number
  /** The reading from which on the store might decide otherwise. */
  readonly untilMs: number
}

/**
 * Denials that the store would only repeat. A call of cost 1 that no policy change and no refund
 * has touched stays denied until `retryAfterMs` is over, for denied calls change nothing and none
 * is admitted meanwhile. `remaining` (0) and `resetAtMs` stay too, and the binding policy: all that
 * deny come nearer to their end together.
 *
 * Readings are of whatever clock the owner uses, always the same one. At most `most` keys.
 */
export class Denials {
  readonly #most: number
  readonly #byDigest = new Map<string, Denial[]>()
  /** Of the keys that were denied last: to make a digest takes as long as all else here. */
  readonly #digests = new Map<string, string>()
  readonly #changes = new Uint32Array(COUNTERS)
  #all = 0
  #active: boolean

  /** `active`: whether refunds of other processes are heard from the start. */
  constructor(most: number, active: boolean) {
    this.#most = most
    this.#active = active
  }

  /** Starts or stops remembering; either way what was known is forgotten. */
  set active(active: boolean) {
    this.#active = active
    this.#byDigest.clear()
    this.#digests.clear()
    this.#all++
  }

  /** A key's digest, where its denial may be remembered. O(1) */
  digestOf(key: string): string | undefined {
    return this.#digests.size > 0 ? this.#digests.get(key) : undefined
  }

  /** Whether `find` may find something: to be asked before a clock is read. O(1) */
  knows(digest: string): boolean {
    return this.#byDigest.size > 0 && this.#byDigest.has(digest)
  }

  /** The verdict that the store would give at this reading, if it is known. O(1) */
  find(digest: string, text: string, readingMs: number): Verdict | null {
    const denials = this.#byDigest.get(digest)
    if (denials === undefined) return null
    for (const { text: own, verdict, baseMs, untilMs } of denials) {
      if (own !== text || readingMs >= untilMs) continue
      this.#byDigest.delete(digest)
      this.#byDigest.set(digest, denials)
      const goneMs = Math.max(0, Math.floor(readingMs - baseMs))
      const { policy, limit, remaining, resetAtMs } = verdict
      const atMs = verdict.atMs + goneMs
      const retryAfterMs = verdict.retryAfterMs - goneMs
      return { allowed: false, policy, limit, remaining, resetAtMs, retryAfterMs, atMs }
    }
    return null
  }

  /** What to hand to `keep`, drawn before the store is asked. */
  mark(digest: string): number {
    return this.#all + this.#changes[counterOf(digest)]
  }

  /**
   * Remembers a denial for `forMs` from `baseMs` on; not where the key may have changed since
   * `mark`, for the denial may be older than the change.
   */
  keep(
    key: string,
    digest: string,
    text: string,
    verdict: Verdict,
    mark: number,
    baseMs: number,
    untilMs: number,
  ): void {
    if (!this.#active || this.mark(digest) !== mark) return
    const others = (this.#byDigest.get(digest) ?? []).filter((other) => other.text !== text)
    if (others.length === MOST_LISTS) others.shift()
    const denial = { text, verdict, baseMs, untilMs: Math.min(untilMs, baseMs + MOST_MS) }
    this.#byDigest.delete(digest)
    this.#byDigest.set(digest, [...others, denial])
    this.#digests.delete(key)
    this.#digests.set(key, digest)
    dropOldest(this.#byDigest, this.#most)
    dropOldest(this.#digests, this.#most)
  }

  /** Forgets what is known of a key: something of it has changed, or may have. */
  forget(digest: string): void {
    this.#changes[counterOf(digest)]++
    this.#byDigest.delete(digest)
  }
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  if (map.size <= most) return
  const [oldest] = map.keys()
  map.delete(oldest)
}

/** Digests are base64url of a hash: their first two characters are 12 random bits. */
function counterOf(digest: string): number {
  return (digest.charCodeAt(0) * 64 + digest.charCodeAt(1)) & (COUNTERS - 1)
}
