import { COUNTRY_SHIFT } from './excluded.ts'
import type { Fleet } from './fleet.ts'
import type { Query } from './query.ts'
import { TO_THE_END, type Steps } from './steps.ts'
import type { View } from './view.ts'

/**
 * Lets go of up to `most` agents that have fallen due in the nearest step that has any: where a million are due at once, a pick needs
 * those that it may give and no others. Answers whether there were any in a step of the walk.
 */
export function releaseNearest(
  steps: Steps,
  view: View<unknown>,
  query: Query,
  fleet: Fleet,
  nowMs: number,
  most: number,
): boolean {
  let released = 0
  if (query.pin !== null) {
    for (const agent of query.pin) {
      const position = fleet.positionOf(agent)
      released += view.drainBetween(position, position + 1, nowMs, 1)
    }
    return released > 0
  }
  // Squares that are dead are not passed over: whoever falls due there is.
  steps.start(query.hint, null)
  for (let step = steps.next(); step !== null && released === 0; step = steps.next()) {
    for (let span = 0; span < step.countries.length && released < most; span++) {
      const base = step.countries[span] * 2 ** COUNTRY_SHIFT
      const end = base + Math.min(step.ends[span], TO_THE_END)
      released += view.drainBetween(base + step.starts[span], end, nowMs, most - released)
    }
  }
  return released > 0
}
