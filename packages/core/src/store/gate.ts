import type { Verdict } from './store.ts'

/** A verdict that is written anew by each decision: read it before the next. */
export type LatestVerdict = { -readonly [Field in keyof Verdict]: Verdict[Field] }

/**
 * The limits of one list of policies, as a store of this process decides them for callers who can't
 * afford an object per answer: the decisions of `consume` and `peek` without permit and opId, left
 * in fields. Nothing is allocated.
 *
 * Each call is decided at `atMs`: set it to now before the call; after it, it is the instant of the
 * decision. `hint` is the `slot` that the last decision of this key came to, or 0; it only saves
 * time. The key may be any string up to 128 characters: one that isn't known yet is checked here.
 */
export interface Gate extends Required<LatestVerdict> {
  /** Where the key of the last decision was found; 0 where nowhere. */
  readonly slot: number
  /** Decides and counts; whether it is admitted. @throws OstlerError INVALID_KEY, CLOSED */
  consume(key: string, cost: number, hint: number): boolean
  /** Decides alone. */
  peek(key: string, cost: number, hint: number): boolean
}
