/** Starts an idempotent operation: see `Store.begin`. */
export interface BeginRequest {
  readonly id: string
  /** A digest of the input: the same id with another one is a mismatch. */
  readonly fingerprint: string
  readonly nowMs: number
  /** A running record frees itself at this instant (its holder crashed). */
  readonly runUntilMs: number
  readonly expiresAtMs: number
}

export type Begun =
  | { readonly kind: 'started' }
  | { readonly kind: 'done'; readonly value: string }
  | { readonly kind: 'running'; readonly untilMs: number }
  | { readonly kind: 'mismatch' }

export interface CompleteRequest {
  readonly id: string
  readonly fingerprint: string
  /** What a repeat is given; null frees the record, so that a repeat starts anew. */
  readonly value: string | null
  readonly nowMs: number
}
