import type { Scheduler } from '@ostler/core'
import { START_MS, benchClock, benchScheduler, fill, placedAgents } from '../fleet.ts'
import type { BenchClock } from '../fleet.ts'
import type { Group } from '../group.ts'
import { shuffled } from '../random.ts'

const DOMAIN = 'shop.example'
const OK = { kind: 'ok', latencyMs: 200 } as const
const FAR_MS = START_MS + 20 * 86_400_000

/** Hints are taken in turn, so that no place's luck decides a number. */
const HINTS = {
  'no hint': [undefined],
  country: ['DE', 'US', 'BR', 'JP', 'FR', 'ZA', 'IN', 'AU'],
  coordinates: [
    '48.21,16.37',
    '40.71,-74.01',
    '-23.55,-46.63',
    '35.68,139.69',
    '-17.71,178.07',
    '64.15,-21.94',
  ],
} as const

export type HintName = keyof typeof HINTS

/** How much of the fleet the domain excludes: a share, or all but one agent. */
export const SHARES = ['0 %', '50 %', '99.9 %', 'all but one'] as const
export type Share = (typeof SHARES)[number]

interface Picking {
  readonly clock: BenchClock
  readonly scheduler: Scheduler
  readonly excluded: ReadonlySet<string>
  seed: number
  picked: number
  wrong: number
}

export function pickGroup(count: number, share: Share): Group<Picking> {
  const names = Object.keys(HINTS) as HintName[]
  return {
    name: `pick and report, ${count.toLocaleString('en')} agents, ${share} excluded`,
    setup: () => picking(count, share),
    cases: names.map((name) => ({
      name,
      run: (state) => pickOnce(state, HINTS[name]),
      validate(state) {
        if (state.picked === 0 || state.wrong > 0) {
          throw new Error(`${state.picked} picked, ${state.wrong} of them wrong`)
        }
      },
    })),
  }
}

function pickOnce(state: Picking, hints: readonly (string | undefined)[]): void {
  state.clock.ms++
  const seed = state.seed++
  const geo = hints[seed % hints.length]
  const pick = state.scheduler.pick(
    geo === undefined ? { domain: DOMAIN, seed } : { domain: DOMAIN, geo, seed },
  )
  if (pick.kind === 'exhausted') {
    state.wrong++
    return
  }
  state.scheduler.report(pick.lease, OK)
  state.picked++
  // One in 64 is looked up, so that the check does not weigh on the time.
  if ((seed & 63) === 0 && state.excluded.has(pick.agent.id)) state.wrong++
}

function picking(count: number, share: Share): Picking {
  const clock = benchClock()
  const scheduler = benchScheduler(clock)
  const agents = placedAgents(count)
  fill(scheduler, agents)
  const excluded = new Set<string>()
  for (const i of shuffled(count, 11).subarray(0, excludedOf(count, share))) {
    excluded.add(agents[i].id)
    scheduler.exclude(agents[i].id, DOMAIN, FAR_MS)
  }
  return { clock, scheduler, excluded, seed: 1, picked: 0, wrong: 0 }
}

function excludedOf(count: number, share: Share): number {
  switch (share) {
    case '0 %':
      return 0
    case '50 %':
      return count / 2
    case '99.9 %':
      return Math.floor(count * 0.999)
    case 'all but one':
      return count - 1
    default:
      return share satisfies never
  }
}
