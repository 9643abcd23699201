import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { seededRandom, type Lease } from '@ostler/core'
import type { Case, Figure, Table } from '../case.ts'
import { placedAgents } from '../rig/fleet.ts'
import { domainOf, exclude, hintsOf, worldOf, type World } from '../rig/world.ts'
import { median } from '../run/summary.ts'
import { filteredSearch } from './pick-peers.ts'
import { picking } from './pick.ts'
import { fleetOfMillion, upsertPortions } from './stalls.ts'

// Experiments that show what keeps picks and reports from what was promised of them: bench/src/report/reasons.ts names them.

const AGENTS = 10_000
const TOGETHER = 64
const OPS = 1_024
const MILLION = 1_000_000
const OK = { kind: 'ok', latencyMs: 200 } as const

export const whyPickTables: readonly Table[] = [
  {
    name: 'why: pick and report, in parts',
    about: `${AGENTS.toLocaleString('en')} agents, 50 % excluded: ${TOGETHER} picks in a row, and the reports of what was picked before.`,
    full: true,
    alone: [],
    cases: [
      part('pick, no hint', 'none', 'pick'),
      part('pick, country', 'country', 'pick'),
      part('pick, coordinate', 'coordinate', 'pick'),
      part('report(ok)', 'country', 'report'),
    ],
    bounds: [],
  },
  {
    name: 'why: reads of memory',
    about:
      'What is read of agents at random: two rows of 64 bytes, an object and its id. And reads each of which says where the next one is, in so much memory.',
    full: true,
    alone: [],
    // Each by itself: rounds of one would clear the other's rows out of the caches.
    cases: [
      rowsAndObject(AGENTS),
      rowsAndObject(MILLION),
      dependentReads('30 KB', 512),
      dependentReads('60 MB', 1 << 20),
    ],
    bounds: [],
  },
  {
    name: 'why: pick, against geokdbush',
    about: `${AGENTS.toLocaleString('en')} agents, nobody excluded, by a coordinate. A search for one ends at its first find; to share picks out evenly takes more candidates than one.`,
    full: true,
    alone: [],
    cases: [
      picking(AGENTS, '0 %', 'coordinate', 'ostler, pick and report'),
      filteredSearch(AGENTS, '0 %'),
      filteredSearch(AGENTS, '0 %', 'geokdbush, the nearest 32', 32),
    ],
    bounds: [],
  },
  {
    name: 'why: changes and index of 1,000,000 agents',
    about:
      'Portions of 1,000 that move, one by one: the first runs before it is compiled. Of the build: copying as many agents, and what the collector takes of all.',
    full: true,
    gauges: [{ name: 'a million', kind: 'ours', processes: 1, measure: ofMillion }],
    bounds: [],
  },
]

interface Parted {
  readonly world: World
  readonly hints: readonly (string | undefined)[]
  readonly leases: Lease[]
  seed: number
  done: number
}

/** Only one of the two is timed. */
function part(
  name: string,
  hint: 'none' | 'country' | 'coordinate',
  timed: 'pick' | 'report',
): Case<Parted> {
  const exclusion = '50 %'
  const domain = domainOf(exclusion)
  const pickAll = (state: Parted): void => {
    const { world, hints, leases } = state
    world.clock.ms++
    for (let i = 0; i < TOGETHER; i++) {
      const seed = state.seed++
      const geo = hints[seed & (hints.length - 1)]
      const request = geo === undefined ? { domain, seed } : { domain, geo, seed }
      const pick = world.scheduler.pick(request)
      if (pick.kind === 'picked') leases.push(pick.lease)
    }
  }
  const reportAll = ({ world, leases }: Parted): void => {
    for (let i = 0; i < leases.length; i++) world.scheduler.report(leases[i], OK)
  }
  return {
    name,
    kind: 'ours',
    ops: TOGETHER,
    setup() {
      const world = worldOf(AGENTS)
      exclude(world, exclusion)
      return { world, hints: hintsOf(exclusion, hint), leases: [], seed: 1, done: 0 }
    },
    before(state) {
      if (timed === 'pick') reportAll(state)
      state.leases.length = 0
      if (timed === 'report') pickAll(state)
    },
    run(state) {
      if (timed === 'pick') pickAll(state)
      else reportAll(state)
      state.done += state.leases.length
    },
    validate({ done, leases }) {
      if (done === 0 || leases.length !== TOGETHER) throw new Error(`${leases.length} leases`)
    },
  }
}

const ROW = 8

interface Rows {
  readonly rows: Float64Array
  readonly agents: readonly { readonly id: string }[]
  readonly order: Uint32Array
  next: number
  sum: number
}

function rowsAndObject(count: number): Case<Rows> {
  return {
    name: `two rows, an object and its id, of ${count.toLocaleString('en')}`,
    group: `${count} agents`,
    kind: 'floor',
    ops: OPS,
    setup() {
      const random = seededRandom(3)
      const order = Uint32Array.from({ length: 1 << 18 }, () => Math.floor(random() * count))
      return {
        rows: new Float64Array(count * ROW),
        agents: placedAgents(count),
        order,
        next: 0,
        sum: 0,
      }
    },
    run(state) {
      const { rows, agents, order } = state
      const mask = order.length - 1
      let sum = 0
      let last = 0
      for (let i = 0; i < OPS; i++) {
        // No pick begins before the one before it has ended.
        const one = order[(state.next++ + last) & mask]
        const other = order[state.next++ & mask]
        const better = rows[one * ROW] <= rows[other * ROW] ? one : other
        rows[better * ROW + 1]++
        last = agents[better].id.charCodeAt(1)
        sum += last
      }
      state.sum += sum
    },
    validate({ sum }) {
      if (!(sum > 0)) throw new Error('nothing was read')
    },
  }
}

interface Chain {
  readonly next: Uint32Array
  at: number
  steps: number
}

/** One circle through all lines of 64 bytes, in random order (Sattolo). */
function dependentReads(size: string, lines: number): Case<Chain> {
  const words = 16
  return {
    name: `a read that depends on another, in ${size}`,
    group: size,
    kind: 'floor',
    ops: OPS,
    setup() {
      const order = Uint32Array.from({ length: lines }, (_, i) => i)
      const random = seededRandom(9)
      for (let i = lines - 1; i > 0; i--) {
        const j = Math.floor(random() * i)
        const held = order[i]
        order[i] = order[j]
        order[j] = held
      }
      const next = new Uint32Array(lines * words)
      for (let i = 0; i < lines; i++) next[i * words] = order[i] * words
      return { next, at: 0, steps: 0 }
    },
    run(state) {
      const { next } = state
      let { at } = state
      for (let i = 0; i < OPS; i++) at = next[at]
      state.at = at
      state.steps += OPS
    },
    validate({ next, at, steps }) {
      if (steps === 0 || at >= next.length) throw new Error('nothing was read')
    },
  }
}

/** One process, for a fleet of a million is seconds of work. */
async function ofMillion(): Promise<readonly Figure[]> {
  let collectedMs = 0
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collectedMs += duration
  })
  observer.observe({ entryTypes: ['gc'] })
  const agents = placedAgents(MILLION)
  const copyMs = timed(() => agents.map((agent) => ({ ...agent })))
  await setImmediate()
  collectedMs = 0
  const startMs = performance.now()
  const fleet = fleetOfMillion()
  const builtMs = performance.now() - startMs
  await setImmediate()
  await setImmediate()
  const ofBuild = collectedMs
  observer.disconnect()
  const portions: number[] = []
  let calls = 0
  upsertPortions(fleet, (call) => {
    const ms = timed(call)
    // Each upsert is followed by a pick.
    if (calls++ % 2 === 0) portions.push(ms)
  })
  return [
    { name: 'built, agents made as well', unit: 'ms', value: builtMs },
    { name: 'of it, collections', unit: 'ms', value: ofBuild },
    { name: 'copying the agents', unit: 'ms', value: copyMs },
    { name: 'upsert of 1,000, the first', unit: 'ms', value: portions[0] },
    { name: 'upsert of 1,000, median of 200', unit: 'ms', value: median(portions) },
    {
      name: 'upsert of 1,000, longest but the first',
      unit: 'ms',
      value: Math.max(...portions.slice(1)),
    },
  ]
}

function timed(call: () => unknown): number {
  const startMs = performance.now()
  const kept = call()
  const ms = performance.now() - startMs
  if (kept === null) throw new Error('nothing was kept')
  return ms
}
