import { permitRetryMs, type PermitRequest } from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import { Due } from '../file/due.ts'
import type { Hasher } from '../file/hasher.ts'
import type { Head } from '../file/head.ts'
import type { Read, Write } from '../file/sql.ts'

/** Permits past their deadline that a write deletes. */
const SWEPT_A_CALL = 8

/** What is said to a call that wants a permit. */
export interface Said {
  /** 0 where it gets one, else ms until it would, -1 for never. */
  readonly waitMs: number
  readonly limit: number
  /** Left after the call, 0 or more. */
  readonly remaining: number
  readonly resetAtMs: number
}

/**
 * The permits of all keys, at most `maxPermits` at once: when all of them are held, new ones are denied until the first expires (the
 * flooder is denied, no permit is lost).
 */
export class Permits {
  readonly #head: Head
  readonly #hasher: Hasher
  readonly #maxPermits: number
  readonly #due: Due
  readonly #deadlines: Read<[deadlineMs: number]>
  readonly #find: Read<[deadlineMs: number]>
  readonly #first: Read<[deadlineMs: number]>
  readonly #put: Write
  readonly #delete: Write
  readonly #ended: Read<[key: Buffer, id: Buffer, deadlineMs: number]>

  constructor(connection: Connection, maxPermits: number) {
    const { sql, head, hasher } = connection
    this.#head = head
    this.#hasher = hasher
    this.#maxPermits = maxPermits
    this.#due = new Due(connection)
    this.#deadlines = sql.read('SELECT deadline_ms FROM permits WHERE key = ? ORDER BY deadline_ms')
    this.#find = sql.read('SELECT deadline_ms FROM permits WHERE key = ? AND id = ?')
    this.#first = sql.read('SELECT min(deadline_ms) FROM permits')
    this.#put = sql.write(
      `INSERT INTO permits (key, id, deadline_ms) VALUES (?, ?, ?)
       ON CONFLICT (key, id) DO UPDATE SET deadline_ms = excluded.deadline_ms`,
    )
    this.#delete = sql.write('DELETE FROM permits WHERE key = ? AND id = ?')
    this.#ended = sql.read('SELECT key, id, deadline_ms FROM permits ORDER BY deadline_ms LIMIT ?')
  }

  /**
   * Decides like `permitRetryMs`, with the bound over all keys. `waitMs`: for how long the policies deny the call; a permit that is
   * held now but not until then needs a place of its own by then. O(permits of the key).
   */
  check(key: string, hashed: Buffer, permit: PermitRequest, nowMs: number, waitMs: number): Said {
    const { id, cap, deadlineMs } = permit
    const deadlinesMs = this.#deadlines.all(hashed).map(([atMs]) => atMs)
    let held = deadlinesMs.filter((atMs) => atMs > nowMs).length
    let latestMs = held > 0 ? deadlinesMs[deadlinesMs.length - 1] : nowMs
    const heldUntilMs = this.#find.one(hashed, this.#idOf(key, id))?.[0] ?? 0
    const said = (wait: number): Said => {
      return { waitMs: wait, limit: cap, remaining: Math.max(0, cap - held), resetAtMs: latestMs }
    }
    if (heldUntilMs <= nowMs + waitMs) {
      const retryMs = permitRetryMs(deadlinesMs, cap, nowMs)
      const fullMs = this.#fullMs(nowMs)
      if (retryMs !== 0 || fullMs > 0) return said(retryMs === -1 ? -1 : Math.max(retryMs, fullMs))
      if (heldUntilMs <= nowMs && deadlineMs > nowMs) held++
    }
    latestMs = Math.max(latestMs, deadlineMs)
    return said(0)
  }

  /** Takes or extends the permit that `check` admitted. One that is past its deadline already holds nothing. */
  take(key: string, hashed: Buffer, { id, deadlineMs }: PermitRequest, nowMs: number): void {
    this.#sweep(nowMs)
    if (deadlineMs <= nowMs) return
    const hashedId = this.#idOf(key, id)
    const oldMs = this.#find.one(hashed, hashedId)?.[0]
    if (oldMs !== undefined && oldMs >= deadlineMs) return
    this.#put.run(hashed, hashedId, deadlineMs)
    this.#due.added(deadlineMs)
    if (oldMs === undefined) this.#head.add('permits', 1)
  }

  count(hashed: Buffer, nowMs: number): number {
    return this.#deadlines.all(hashed).filter(([atMs]) => atMs > nowMs).length
  }

  /** Moves a held permit's deadline, to where it may be over at once; false where it is not held. */
  renew(key: string, hashed: Buffer, id: string, deadlineMs: number, nowMs: number): boolean {
    const hashedId = this.#idOf(key, id)
    if (!this.#isHeld(hashed, hashedId, nowMs)) return false
    this.#put.run(hashed, hashedId, deadlineMs)
    this.#due.added(deadlineMs)
    return true
  }

  /** Frees a permit; false where it is not held. */
  release(key: string, hashed: Buffer, id: string, nowMs: number): boolean {
    const hashedId = this.#idOf(key, id)
    if (!this.#isHeld(hashed, hashedId, nowMs)) return false
    this.#drop(hashed, hashedId)
    return true
  }

  #isHeld(hashed: Buffer, hashedId: Buffer, nowMs: number): boolean {
    return (this.#find.one(hashed, hashedId)?.[0] ?? 0) > nowMs
  }

  /** For how long all places are taken; 0 or less where one is free, or can be freed. */
  #fullMs(nowMs: number): number {
    if (this.#head.count('permits') < this.#maxPermits) return 0
    return ((this.#first.one() as [number])[0] ?? nowMs) - nowMs
  }

  /** A permit may be named by an opId, so its name is hashed as well. */
  #idOf(key: string, id: string): Buffer {
    return this.#hasher.of('permit', key, id)
  }

  #drop(hashed: Buffer, hashedId: Buffer): void {
    this.#delete.run(hashed, hashedId)
    this.#head.add('permits', -1)
  }

  #sweep(nowMs: number): void {
    if (!this.#due.isDue(nowMs)) return
    const rows = this.#ended.all(SWEPT_A_CALL + 1)
    this.#due.next(rows.length > SWEPT_A_CALL ? rows[SWEPT_A_CALL][2] : Infinity)
    for (const [hashed, hashedId, deadlineMs] of rows.slice(0, SWEPT_A_CALL)) {
      if (deadlineMs > nowMs) return this.#due.next(deadlineMs)
      this.#drop(hashed, hashedId)
    }
  }
}
