/**
 * What a caller writes: at most `limit` cost in any `windowMs`.
 * Exact by default (a log of hits, quantised to `quantumMs`); with `smooth` a GCRA of the same mean rate and that `burst`.
 */
export interface Policy {
  readonly name: string
  /** Cost allowed in a window: an integer from 0 to 2^31-1. 0 refuses all. */
  readonly limit: number
  /** An integer from 1 to 31 days, in milliseconds. */
  readonly windowMs: number
  /** Hits are counted at the end of their quantum. Default 1 where limit <= 256, else ceil(windowMs / 256). */
  readonly quantumMs?: number
  /** Opt-in GCRA: `burst` cost at once, then one per windowMs / limit. Bound: burst + limit in any window. */
  readonly smooth?: { readonly burst: number }
}

/** A policy as stores receive it: checked, and with every default filled in. */
export type ResolvedPolicy =
  | {
      readonly kind: 'exact'
      readonly name: string
      readonly limit: number
      readonly windowMs: number
      readonly quantumMs: number
    }
  | {
      readonly kind: 'smooth'
      readonly name: string
      readonly limit: number
      readonly windowMs: number
      readonly burst: number
    }
