import type { PermitRequest, Verdict } from '@ostler/core'

interface Held {
  readonly key: string
  readonly id: string
  deadlineMs: number
}

/** Concurrency slots as a list: one is held while its deadline lies ahead. O(permits). */
export class NaivePermits {
  #held: Held[] = []

  held(key: string, nowMs: number): number {
    return this.#of(key, nowMs).length
  }

  ask(key: string, permit: PermitRequest, nowMs: number): Verdict {
    const all = this.#of(key, nowMs)
    const others = all.filter((held) => held.id !== permit.id)
    const latestMs = Math.max(nowMs, ...all.map((held) => held.deadlineMs))
    const deadlines = others.map((held) => held.deadlineMs).toSorted((a, b) => a - b)
    // One that is held already takes no place, even where another tier's cap let in more.
    const allowed = others.length < permit.cap || others.length < all.length
    const left = Math.max(0, permit.cap - others.length - (allowed ? 1 : 0))
    const freed = deadlines[others.length - permit.cap]
    return {
      allowed,
      policy: 'permits',
      limit: permit.cap,
      remaining: left,
      resetAtMs: allowed ? Math.max(latestMs, permit.deadlineMs) : latestMs,
      retryAfterMs: allowed ? 0 : freed - nowMs,
      atMs: nowMs,
    }
  }

  /** Takes a permit; one that is held already is extended, never shortened. */
  take(key: string, id: string, deadlineMs: number, nowMs: number): void {
    const held = this.#of(key, nowMs).find((other) => other.id === id)
    if (held === undefined) this.#held.push({ key, id, deadlineMs })
    else held.deadlineMs = Math.max(held.deadlineMs, deadlineMs)
  }

  renew(key: string, id: string, deadlineMs: number, nowMs: number): boolean {
    const held = this.#of(key, nowMs).find((other) => other.id === id)
    if (held === undefined) return false
    held.deadlineMs = deadlineMs
    return true
  }

  release(key: string, id: string, nowMs: number): boolean {
    const held = this.#of(key, nowMs).find((other) => other.id === id)
    if (held === undefined) return false
    this.#held = this.#held.filter((other) => other !== held)
    return true
  }

  #of(key: string, nowMs: number): Held[] {
    return this.#held.filter((held) => held.key === key && held.deadlineMs > nowMs)
  }
}
