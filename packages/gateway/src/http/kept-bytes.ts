import { LRUCache } from 'lru-cache'

const DAY_MS = 86_400_000
const MOST_KEYS = 10_000
/** How much of all one key may take: one that fills its part must leave the others theirs. */
const PART_OF_ONE_KEY = 0.25

interface Day {
  readonly endsAtMs: number
  bytes: number
}

/**
 * What a gateway has had kept for repeats, which are kept for a day: at most `maxBytes` in a day, and so at most twice as many at
 * once. A store bounds records, and not what they hold.
 */
export class KeptBytes {
  readonly #maxBytes: number
  readonly #byKey = new LRUCache<string, Day>({ max: MOST_KEYS })
  #all: Day = { endsAtMs: 0, bytes: 0 }

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Takes room for what a key has kept; false where there is none. O(1) */
  take(keyId: string, bytes: number, nowMs: number): boolean {
    const all = today(this.#all, nowMs)
    const own = today(this.#byKey.get(keyId), nowMs)
    this.#all = all
    this.#byKey.set(keyId, own)
    if (all.bytes + bytes > this.#maxBytes) return false
    if (own.bytes + bytes > this.#maxBytes * PART_OF_ONE_KEY) return false
    all.bytes += bytes
    own.bytes += bytes
    return true
  }
}

function today(day: Day | undefined, nowMs: number): Day {
  return day !== undefined && nowMs < day.endsAtMs ? day : { endsAtMs: nowMs + DAY_MS, bytes: 0 }
}
