import type { Agent } from '@ostler/core'
import type { Bound, Case, Table } from '../case.ts'
import { placedAgents } from '../rig/fleet.ts'
import { loadPeer } from '../rig/peers.ts'
import { EXCLUSIONS, excludedOf, hintsOf, type Exclusion } from '../rig/world.ts'
import { picking } from './pick.ts'
import { balancedPool, proxyConfiguration, roundRobinPool, sessionPool } from './pools.ts'

const SIZES = [10_000, 100_000]
const RIVALS = ['geokdbush', "Crawlee's SessionPool", "undici's BalancedPool"]

/**
 * Means, not medians: a pool that is quick until it meets what it has retired would show its quick half alone. One process has all
 * exclusions of a size, so that the peers are loaded and the fleet is made once for them.
 */
export const pickPeerTables: readonly Table[] = SIZES.map((size) => ({
  name: `pick, against others, ${size.toLocaleString('en')} agents`,
  about:
    'One pick by a coordinate, and the report of an ok where there is one, for each kind of exclusion. What is excluded stays so: as a domain excludes for minutes what a pool of sessions drops once.',
  full: true,
  alone: ['ostler', ...RIVALS].map((name) => rowOf('50 %', name)),
  cases: EXCLUSIONS.flatMap((exclusion) => [
    under(exclusion, picking(size, exclusion, 'coordinate', 'ostler')),
    under(exclusion, filteredSearch(size, exclusion)),
    under(exclusion, sessionPool(size, exclusion)),
    under(exclusion, balancedPool(size, exclusion)),
    ...(exclusion === '0 %' ? unexcluding(size, exclusion) : []),
  ]),
  bounds: EXCLUSIONS.flatMap((exclusion) =>
    RIVALS.map((rival): Bound => ({
      row: rowOf(exclusion, 'ostler'),
      of: 'mean',
      against: rowOf(exclusion, rival),
      faster: true,
      least: 10,
    })),
  ),
}))

function rowOf(exclusion: Exclusion, name: string): string {
  return `${exclusion}: ${name}`
}

/** What excludes nothing, beside the rest. */
function unexcluding(size: number, group: Exclusion): readonly Case[] {
  return [
    { ...roundRobinPool(size), group },
    { ...proxyConfiguration(size), group },
  ]
}

function under<State>(exclusion: Exclusion, one: Case<State>): Case<State> {
  return { ...one, name: rowOf(exclusion, one.name), group: exclusion }
}

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
