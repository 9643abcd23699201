import { memoryStore, Scheduler, seededRandom } from '@ostler/core'
import type { Figure, Gauge, Table } from '../case.ts'
import { benchClock, fill, placedAgents, START_MS, type BenchClock } from '../rig/fleet.ts'
import { keyPortions } from '../rig/keys.ts'
import { shuffled } from '../rig/random.ts'
import { Stopwatch } from '../rig/stopwatch.ts'

const MILLION = 1_000_000
const DOMAIN = 'shop.example'
const FALL_DUE_MS = START_MS + 3_600_000
const MOST_MS = 5

export const stallTables: readonly Table[] = [
  {
    name: 'the longest stall of a single call',
    about:
      'Each call is timed by itself, after what was made for it has been collected. Of each: as the caller felt it, and what the garbage collector told of aside (which is not all that it took).',
    heavy: true,
    full: true,
    gauges: [gauge({ 'growth of the limiter': growthOfLimiter }), fleetGauge()],
    bounds: [
      { row: 'growth of the limiter', most: MOST_MS },
      { row: 'growth of exclusions, and promotion', most: MOST_MS },
      { row: 'mass expiry', most: MOST_MS },
      { row: 'bulk upsert of 1,000', most: MOST_MS },
    ],
  },
]

type Runs = Readonly<Record<string, (watch: Stopwatch) => void>>

/** Runs one after the other in one process, each with a watch of its own. */
function gauge(runs: Runs): Gauge {
  const names = Object.keys(runs)
  return {
    name: names.join(', '),
    kind: 'ours',
    async measure(): Promise<readonly Figure[]> {
      const figures: Figure[] = []
      for (const name of names) {
        const watch = new Stopwatch()
        runs[name](watch)
        const { worstMs, withoutCollectionsMs } = await watch.stalls()
        figures.push(
          { name, unit: 'ms', value: worstMs },
          { name: `${name}, collections aside`, unit: 'ms', value: withoutCollectionsMs },
        )
      }
      return figures
    },
  }
}

/** One fleet for all: what was excluded falls due, and then agents move. */
function fleetGauge(): Gauge {
  let fleet: Fleet | null = null
  return gauge({
    'growth of exclusions, and promotion': (watch) => {
      fleet = fleetOfMillion()
      excludeMost(fleet, watch)
    },
    'mass expiry': (watch) => massExpiry((fleet ??= fleetOfMillion()), watch),
    'bulk upsert of 1,000': (watch) => bulkUpsert((fleet ??= fleetOfMillion()), watch),
  })
}

/** Two million keys that nobody knew, one after the other. */
function growthOfLimiter(watch: Stopwatch): void {
  const clock = benchClock()
  const scheduler = new Scheduler({
    store: memoryStore({ maxKeys: 2 * MILLION }),
    clock,
    tiers: { free: { policies: [{ name: 'free', limit: 60, windowMs: 60_000 }] } },
  })
  watch.begin()
  for (const keys of keyPortions(2 * MILLION)) {
    for (const key of keys) watch.time(() => scheduler.admit({ key, tier: 'free' }))
  }
}

export interface Fleet {
  readonly clock: BenchClock
  readonly scheduler: Scheduler
}

export function fleetOfMillion(): Fleet {
  const clock = benchClock()
  const scheduler = new Scheduler({ store: memoryStore(), clock, random: seededRandom(7) })
  fill(scheduler, placedAgents(MILLION))
  pickOne({ clock, scheduler })
  return { clock, scheduler }
}

function pickOne({ clock, scheduler }: Fleet): void {
  const { kind } = scheduler.pick({ domain: DOMAIN, geo: 'DE', seed: clock.ms++ % 1_000 })
  if (kind !== 'picked') throw new Error(`a pick came to ${kind}`)
}

/** One domain excludes nearly all of a million, a pick between each hundred: whatever grows or changes its shape does so within a call. */
function excludeMost(fleet: Fleet, watch: Stopwatch): void {
  const { scheduler } = fleet
  const order = shuffled(MILLION, 11).subarray(0, MILLION - 1_000)
  watch.begin()
  for (let i = 0; i < order.length; i++) {
    const id = `a${order[i]}`
    watch.time(() => scheduler.exclude(id, DOMAIN, FALL_DUE_MS))
    if (i % 100 === 0) watch.time(() => pickOne(fleet))
  }
}

/** A million exclusions that all end in one instant, and the picks that come after it. */
function massExpiry(fleet: Fleet, watch: Stopwatch): void {
  fleet.clock.ms = FALL_DUE_MS
  watch.begin()
  for (let i = 0; i < 50_000; i++) watch.time(() => pickOne(fleet))
}

/** Agents of a million that move: 200 portions, and a pick after each. */
function bulkUpsert(fleet: Fleet, watch: Stopwatch): void {
  upsertPortions(
    fleet,
    (call) => watch.time(call),
    () => watch.begin(),
  )
}

/** `time` is given each portion's upsert, and the pick after it; `begin` is called when all is ready. */
export function upsertPortions(
  fleet: Fleet,
  time: (call: () => void) => void,
  begin: () => void = () => globalThis.gc?.(),
): void {
  const { scheduler } = fleet
  const moved = placedAgents(200_000, 2)
  begin()
  for (let from = 0; from < moved.length; from += 1_000) {
    const portion = moved
      .slice(from, from + 1_000)
      .map((agent, i) => ({ ...agent, id: `a${((from + i) * 7_919) % MILLION}` }))
    time(() => scheduler.agents.upsert(portion))
    time(() => pickOne(fleet))
  }
}
