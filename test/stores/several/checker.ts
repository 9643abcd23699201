import { exclusionViolations } from './check-exclusions.ts'
import { leaseViolations } from './check-leases.ts'
import { limitViolations } from './check-limits.ts'
import { permitViolations } from './check-permits.ts'
import { reportViolations } from './check-reports.ts'
import type { Event, Violation } from './events.ts'
import type { World } from './world.ts'

/**
 * All that the merged logs of several processes prove to be wrong. It knows the laws and nothing of the library that keeps them, and
 * says nothing where the order of two calls is not certain: each was decided somewhere between its beginning and its end.
 */
export function check(events: readonly Event[], world: World): readonly Violation[] {
  return [
    ...limitViolations(events, world),
    ...permitViolations(events, world),
    ...leaseViolations(events, world),
    ...exclusionViolations(events),
    ...reportViolations(events),
  ]
}
