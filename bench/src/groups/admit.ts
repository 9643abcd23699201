import type { Scheduler } from '@ostler/core'
import { benchClock, benchScheduler } from '../fleet.ts'
import type { BenchClock } from '../fleet.ts'
import type { Group } from '../group.ts'
import { zipfRanks } from '../random.ts'

interface Admitting {
  readonly clock: BenchClock
  readonly scheduler: Scheduler
  readonly keys: readonly string[]
  readonly ranks: Uint32Array
  next: number
  allowed: number
  denied: number
}

const KEYS = 10_000

/** Time moves 1 ms a call, so that the windows slide as they would under load. */
export const admit: Group<Admitting> = {
  name: 'admit',
  setup() {
    const clock = benchClock()
    return {
      clock,
      scheduler: benchScheduler(clock),
      keys: Array.from({ length: KEYS }, (_, i) => `key-${i}`),
      ranks: zipfRanks(KEYS, 1 << 16, 3),
      next: 0,
      allowed: 0,
      denied: 0,
    }
  },
  cases: [
    {
      name: '1 key, admitted',
      run(state) {
        state.clock.ms++
        count(state, state.scheduler.admit({ key: 'one', tier: 'wide' }).allowed)
      },
      validate: (state) => expectMix(state, 1, 1),
    },
    {
      name: '1 key, over its limit',
      run(state) {
        if ((state.next++ & 0xff) === 0) state.clock.ms++
        count(state, state.scheduler.admit({ key: 'busy', tier: 'narrow' }).allowed)
      },
      validate: (state) => expectMix(state, 0, 0.01),
    },
    {
      name: '10,000 Zipf keys',
      run(state) {
        state.clock.ms++
        const key = state.keys[state.ranks[state.next++ & 0xffff]]
        count(state, state.scheduler.admit({ key, tier: 'narrow' }).allowed)
      },
      validate: (state) => expectMix(state, 0.02, 0.98),
    },
  ],
}

function count(state: Admitting, allowed: boolean): void {
  if (allowed) state.allowed++
  else state.denied++
}

/** The share admitted must be what the case is named for; the counters start anew after it. */
function expectMix(state: Admitting, least: number, most: number): void {
  const share = state.allowed / (state.allowed + state.denied)
  if (!(share >= least && share <= most)) throw new Error(`admitted a share of ${share}`)
  state.allowed = 0
  state.denied = 0
}
