import type { ResolvedPolicy } from '@ostler/core'

/** Where a key's or a lane's counts are kept. */
export interface Counted {
  readonly place: number
  /** Shared with other keys that found no room: it counts them together, and never gives back. */
  readonly lane: boolean
}

/**
 * What is kept of keys and lanes under policies of one kind, by place: as core's own limiter packs it. Each call names the policy as
 * its caller has it now. Results stay in fields, so that a decision allocates nothing.
 */
export interface Counters<P extends ResolvedPolicy> {
  /** The instant to look at: set it before each call. */
  nowMs: number
  /** Of the last look: the limit, or the burst of a smooth policy, for that is what `remaining` is a part of. */
  limit: number
  /** Of the last look: what is left after the call, 0 or more. */
  remaining: number
  /** Of the last look: when all is restored, after the call. */
  resetAtMs: number
  /** How many places are taken, and the memory of all. */
  readonly places: number
  readonly bytes: number
  /** A place where nothing is counted yet. */
  take(): number
  give(place: number): void
  /** Gives back all places. */
  clear(): void
  /** From when on nothing of a place counts any more; 0 where nothing is kept. */
  idleMs(place: number): number
  /** 0 where a call is admitted, else ms until it would be, -1 for never. Changes nothing but the results. */
  check(at: Counted, cost: number, policy: P): number
  /** Counts a call that is admitted. */
  admit(at: Counted, cost: number, policy: P): void
  /** Gives back a call that was admitted at `atMs`; false where nothing of it is left. */
  refund(at: Counted, cost: number, policy: P, atMs: number): boolean
  /** What counts now; sets `limit` and `resetAtMs`. */
  used(at: Counted, policy: P): number
  /** Takes the place of what was known. @throws OstlerError STORE_UNAVAILABLE for bytes that nobody packed */
  load(place: number, state: Buffer | null): void
  /** Holds until the next state is packed. */
  pack(place: number): Buffer
}
