import { memoryStore, Scheduler, seededRandom } from '@ostler/core'
import type { Figure, Gauge, Table } from '../case.ts'
import { benchClock, fill, placedAgents, START_MS, type BenchClock } from '../rig/fleet.ts'
import { keyNames } from '../rig/keys.ts'
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
      'Each call is timed by itself. Of each: as the caller felt it, and what the garbage collector took aside.',
    heavy: true,
    gauges: [
      gauge('growth of the limiter', growthOfLimiter),
      gauge('growth of exclusions, and promotion', growthOfExclusions),
      gauge('mass expiry', massExpiry),
      gauge('bulk upsert of 1,000', bulkUpsert),
    ],
    bounds: [
      { row: 'growth of the limiter', most: MOST_MS },
      { row: 'growth of exclusions, and promotion', most: MOST_MS },
      { row: 'mass expiry', most: MOST_MS },
      { row: 'bulk upsert of 1,000', most: MOST_MS },
    ],
  },
]

function gauge(name: string, run: (watch: Stopwatch) => void): Gauge {
  return {
    name,
    kind: 'ours',
    async measure(): Promise<readonly Figure[]> {
      const watch = new Stopwatch()
      run(watch)
      const { worstMs, withoutCollectionsMs } = await watch.stalls()
      return [
        { name, unit: 'ms', value: worstMs },
        { name: `${name}, collections aside`, unit: 'ms', value: withoutCollectionsMs },
      ]
    },
  }
}

/** Two million keys that nobody knew, one after the other. */
function growthOfLimiter(watch: Stopwatch): void {
  const clock = benchClock()
  const scheduler = new Scheduler({
    store: memoryStore({ maxKeys: 2 * MILLION }),
    clock,
    tiers: { free: { policies: [{ name: 'free', limit: 60, windowMs: 60_000 }] } },
  })
  for (const key of keyNames(2 * MILLION)) {
    watch.time(() => scheduler.admit({ key, tier: 'free' }))
  }
}

interface Fleet {
  readonly clock: BenchClock
  readonly scheduler: Scheduler
}

function fleetOfMillion(): Fleet {
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
function growthOfExclusions(watch: Stopwatch): void {
  const fleet = fleetOfMillion()
  excludeMost(fleet, (call) => watch.time(call))
}

function excludeMost(fleet: Fleet, time: (call: () => void) => void): void {
  const { scheduler } = fleet
  const order = shuffled(MILLION, 11).subarray(0, MILLION - 1_000)
  for (let i = 0; i < order.length; i++) {
    const id = `a${order[i]}`
    time(() => scheduler.exclude(id, DOMAIN, FALL_DUE_MS))
    if (i % 100 === 0) time(() => pickOne(fleet))
  }
}

/** A million exclusions that all end in one instant, and the picks that come after it. */
function massExpiry(watch: Stopwatch): void {
  const fleet = fleetOfMillion()
  excludeMost(fleet, (call) => call())
  fleet.clock.ms = FALL_DUE_MS
  for (let i = 0; i < 50_000; i++) watch.time(() => pickOne(fleet))
}

/** Agents of a million that move: 200 portions, and a pick after each. */
function bulkUpsert(watch: Stopwatch): void {
  const fleet = fleetOfMillion()
  const { scheduler } = fleet
  const moved = placedAgents(200_000, 2)
  for (let from = 0; from < moved.length; from += 1_000) {
    const portion = moved
      .slice(from, from + 1_000)
      .map((agent, i) => ({ ...agent, id: `a${((from + i) * 7_919) % MILLION}` }))
    watch.time(() => scheduler.agents.upsert(portion))
    watch.time(() => pickOne(fleet))
  }
}
