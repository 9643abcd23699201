/** A domain's counters, and whether an incident is open. Plain data; no counters means a quiet domain. */
export interface Incident {
  /** The instant it opened; 0 while none is open. */
  readonly openedAtMs: number
}

export interface IncidentPolicy {
  /** Newly excluded exits in a minute above max(minExclusions, exclusionShare of the fleet's exits) open an incident. */
  readonly minExclusions: number
  readonly exclusionShare: number
  /** Distinct failing exits with no ok in between, from max(minFailures, failureShare of the tried) on, open an incident. */
  readonly minFailures: number
  readonly failureShare: number
}
