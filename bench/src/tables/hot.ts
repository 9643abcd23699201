import type { Case, Table } from '../case.ts'
import { zipfKeys } from '../rig/keys.ts'
import { domainOf, exclude, worldOf, type World } from '../rig/world.ts'
import { denied, ostler } from './admit.ts'
import { mapAndWrite } from './floors.ts'
import { byHandle, HAS_HANDLES } from './key-handle.ts'
import { picking } from './pick.ts'

const AGENTS = 10_000
const BLOCKED = { kind: 'blocked' } as const

/** The work of a request, few enough cases to be measured within seconds: what `bench:guard` and `bench:compare` look at. */
export const HOT = 'hot paths'
export const HOT_FLOOR = 'Map.get and a write'

export const hotTables: readonly Table[] = [
  {
    name: HOT,
    about: `The steps of a request on the memory store: 10,000 Zipf keys, ${AGENTS.toLocaleString('en')} agents.`,
    bytes: true,
    cases: [
      mapAndWrite(zipfKeys),
      { ...ostler(zipfKeys), name: 'admit' },
      { ...denied(), name: 'admit, denied' },
      ...(HAS_HANDLES ? [byHandle('admit by key handle', zipfKeys.stepMs, 0, 0.95)] : []),
      picking(AGENTS, '50 %', 'country', 'pick and report(ok), 50 % excluded'),
      picking(AGENTS, '99.9 %', 'coordinate', 'pick and report(ok), 99.9 % excluded'),
      blocking(),
    ],
    bounds: [],
  },
]

interface Blocking {
  readonly world: World
  readonly domain: string
  seed: number
  blocked: number
}

/** An exclusion that comes and goes by hand, so that the next one meets what this one met. */
function blocking(): Case<Blocking> {
  return {
    name: 'pick, report(blocked), restore',
    kind: 'ours',
    setup() {
      const world = worldOf(AGENTS)
      exclude(world, '1 %')
      return { world, domain: domainOf('1 %'), seed: 1, blocked: 0 }
    },
    run(state) {
      const { scheduler, clock } = state.world
      const { domain } = state
      clock.ms++
      const pick = scheduler.pick({ domain, geo: 'DE', seed: state.seed++ })
      if (pick.kind !== 'picked') return
      scheduler.report(pick.lease, BLOCKED)
      scheduler.restore(pick.agent.id, domain)
      state.blocked++
    },
    validate({ blocked, seed }) {
      if (blocked === 0 || blocked !== seed - 1)
        throw new Error(`${blocked} of ${seed - 1} blocked`)
    },
  }
}
