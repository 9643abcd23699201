import type { Agent } from '@ostler/core'
import type { Case, Table } from '../case.ts'
import { placedAgents } from '../rig/fleet.ts'
import { loadPeer } from '../rig/peers.ts'
import { EXCLUSIONS, excludedOf, hintsOf, type Exclusion } from '../rig/world.ts'
import { picking } from './pick.ts'
import { balancedPool, proxyConfiguration, roundRobinPool, sessionPool } from './pools.ts'

const SIZES = [10_000, 100_000]
const RIVALS = ['geokdbush', "Crawlee's SessionPool", "undici's BalancedPool"]

/** Means, not medians: a pool that is quick until it meets what it has retired would show its quick half alone. */
export const pickPeerTables: readonly Table[] = SIZES.flatMap((size) =>
  EXCLUSIONS.map((exclusion): Table => ({
    name: `pick, against others, ${size.toLocaleString('en')} agents, ${exclusion} excluded`,
    about: 'One pick by a coordinate, and the report of an ok where there is one.',
    full: true,
    alone: exclusion === '50 %' ? ['ostler', ...RIVALS] : [],
    cases: [
      picking(size, exclusion, 'coordinate', 'ostler'),
      filteredSearch(size, exclusion),
      sessionPool(size, exclusion),
      balancedPool(size, exclusion),
      ...(exclusion === '0 %' ? [roundRobinPool(size), proxyConfiguration(size)] : []),
    ],
    bounds: RIVALS.map((against) => ({
      row: 'ostler',
      of: 'mean',
      against,
      faster: true,
      least: 10,
    })),
  })),
)

interface Index {
  add(lon: number, lat: number): number
  finish(): Index
}
type Around = (
  index: Index,
  lon: number,
  lat: number,
  most: number,
  km: number,
  keep: (at: number) => boolean,
) => number[]

interface Searching {
  readonly around: Around
  readonly index: Index
  readonly excluded: Uint8Array
  readonly places: readonly (readonly [lat: number, lon: number])[]
  next: number
  found: number
  wrong: number
}

/** The nearest agent that a filter lets through. */
export function filteredSearch(
  size: number,
  exclusion: Exclusion,
  name = 'geokdbush',
  most = 1,
): Case<Searching> {
  return {
    name,
    kind: 'peer',
    note: 'over kdbush, with a filter on an array of what is excluded',
    async setup() {
      const { around } = await loadPeer<{ around: Around }>('geokdbush')
      const { default: KDBush } = await loadPeer<{ default: new (count: number) => Index }>(
        'kdbush',
      )
      const agents: readonly Agent[] = placedAgents(size)
      const index = new KDBush(size)
      for (const { lat = 0, lon = 0 } of agents) index.add(lon, lat)
      const places = hintsOf(exclusion, 'coordinate').map(placeOf)
      const excluded = excludedOf(agents, exclusion)
      return { around, index: index.finish(), excluded, places, next: 0, found: 0, wrong: 0 }
    },
    run(state) {
      const { around, index, excluded, places } = state
      const [lat, lon] = places[state.next++ & (places.length - 1)]
      const [at] = around(index, lon, lat, most, Infinity, (each) => excluded[each] === 0)
      if (at === undefined || excluded[at] === 1) state.wrong++
      else state.found++
    },
    validate({ found, wrong }) {
      if (found === 0 || wrong > 0) throw new Error(`${found} found, ${wrong} wrong`)
    },
  }
}

function placeOf(hint: string | undefined): readonly [lat: number, lon: number] {
  const [lat, lon] = (hint ?? '0,0').split(',').map(Number)
  return [lat, lon]
}
