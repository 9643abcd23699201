import { memoryStore, Scheduler, seededRandom, type Lease } from '@ostler/core'
import type { Figure, Table } from '../case.ts'
import { benchClock, fill, placedAgents, type BenchClock } from '../rig/fleet.ts'
import { liveBytes } from '../rig/heap.ts'

const AGENTS = 10_000
const DOMAINS = 10_000
/** Excluded exits of each domain: a million in all. */
const EACH = 100
const BLOCKED = { kind: 'blocked' } as const
const OK = { kind: 'ok', latencyMs: 200 } as const
const REPORT = 'report(blocked), mean'
const RECOVERY = 'recovery, mean'
const BYTES = 'bytes for each exclusion'

export const exclusionTables: readonly Table[] = [
  {
    name: '1,000,000 exclusions over 10,000 domains',
    about: `${EACH} of ${AGENTS.toLocaleString('en')} exits of each domain, reported as blocked one after the other with an ok in between; then all fall due, and picks bring them back.`,
    heavy: true,
    gauges: [{ name: 'exclusions', kind: 'ours', measure }],
    bounds: [
      { row: REPORT, most: 1_200 },
      { row: RECOVERY, most: 1_200 },
      { row: BYTES, most: 64 },
    ],
  },
]

const domains = Array.from({ length: DOMAINS }, (_, i) => `d${i}.example`)

interface Run {
  readonly clock: BenchClock
  readonly scheduler: Scheduler
  seed: number
}

/** What is held for exclusions alone is the difference to the same dispatches, all of which came to ok. */
function measure(): readonly Figure[] {
  const empty = liveBytes()
  let calm: Run | null = start()
  for (let round = 0; round < EACH; round++) dispatchAll(calm, OK)
  const calmBytes = liveBytes() - empty
  calm.scheduler.close()
  calm = null
  const before = liveBytes()
  const run = start()
  let reportMs = 0
  for (let round = 0; round < EACH; round++) reportMs = dispatchAll(run, BLOCKED)
  const bytes = liveBytes() - before - calmBytes
  return [
    { name: REPORT, unit: 'ns', value: (reportMs * 1e6) / DOMAINS },
    { name: RECOVERY, unit: 'ns', value: recover(run) },
    { name: BYTES, unit: 'bytes', value: bytes / (DOMAINS * EACH) },
  ]
}

function start(): Run {
  const clock = benchClock()
  const store = memoryStore({ maxRecords: 2_000_000, maxLeases: 4_000_000 })
  const scheduler = new Scheduler({ store, clock, random: seededRandom(7) })
  fill(scheduler, placedAgents(AGENTS))
  return { clock, scheduler, seed: 1 }
}

/** One dispatch for each domain, after one that goes well: else the domain would be in an incident. Answers what the reports took. */
function dispatchAll(run: Run, outcome: typeof BLOCKED | typeof OK): number {
  const { scheduler, clock } = run
  let ms = 0
  const leases: Lease[] = []
  for (let from = 0; from < DOMAINS; from += 100) {
    clock.ms += 10
    const portion = domains.slice(from, from + 100)
    for (const domain of portion) scheduler.report(pick(run, domain), OK)
    for (const domain of portion) leases.push(pick(run, domain))
    const startMs = performance.now()
    for (const lease of leases) scheduler.report(lease, outcome)
    ms += performance.now() - startMs
    leases.length = 0
  }
  return ms
}

function pick({ scheduler, ...run }: Run, domain: string): Lease {
  const picked = scheduler.pick({ domain, seed: (run.seed + run.clock.ms) % 4_294_967_296 })
  if (picked.kind !== 'picked') throw new Error(`a pick came to ${picked.cause}`)
  return picked.lease
}

/** All have fallen due: picks of each domain until nothing of it is excluded. Answers nanoseconds for each pair that came back, picks and reports included. */
function recover(run: Run): number {
  const { scheduler, clock } = run
  const before = excludedNow(run)
  clock.ms += 10 * 60_000
  const startMs = performance.now()
  for (const domain of domains) {
    for (let i = 0; i < 4; i++) {
      scheduler.report(pick(run, domain), OK)
    }
  }
  const ms = performance.now() - startMs
  if (before === 0) throw new Error('nothing was excluded')
  return (ms * 1e6) / before
}

function excludedNow({ scheduler }: Run): number {
  const { counts } = scheduler.health(domains[0])
  return (counts.limited + counts.unavailable) * DOMAINS
}
