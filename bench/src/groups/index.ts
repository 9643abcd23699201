import type { Runnable } from '../group.ts'
import { timed } from '../measure.ts'
import { admit } from './admit.ts'
import { floors } from './floors.ts'
import { million } from './million.ts'
import { SHARES, pickGroup } from './pick.ts'

const SIZES = [1_000, 10_000, 100_000, 1_000_000]

/** Every group, each for a process of its own. */
export const groups: readonly Runnable[] = [
  timed(floors),
  timed(admit),
  ...SIZES.flatMap((size) => SHARES.map((share) => timed(pickGroup(size, share)))),
  million,
]
