import { memoryStore, Scheduler, seededRandom, type Lease } from '@ostler/core'
import type { Figure, Table } from '../case.ts'
import { benchClock, fill, placedAgents, type BenchClock } from '../rig/fleet.ts'
import { liveBytes } from '../rig/heap.ts'

const AGENTS = 10_000
const DOMAINS = 10_000
/** Excluded exits of each domain: a million in all. */
const EACH = 100
/** Of how many domains the pairs are brought back: enough to tell what one takes. */
const PROBED_DOMAINS = 1_000
const BLOCKED = { kind: 'blocked' } as const
const OK = { kind: 'ok', latencyMs: 200 } as const
const REPORT = 'report(blocked), mean'
const RECOVERY = 'recovery, mean'
const PROBE = 'report(ok) of a probe, mean'
const BYTES = 'bytes for each exclusion'

export const exclusionTables: readonly Table[] = [
  {
    name: '1,000,000 exclusions over 10,000 domains',
    about: `${EACH} of ${AGENTS.toLocaleString('en')} exits of each domain, reported as blocked one after the other with an ok in between; then all fall due, picks let go of them, and probes bring back those of ${PROBED_DOMAINS.toLocaleString('en')} domains.`,
    heavy: true,
    full: true,
    gauges: [
      { name: 'times of exclusions', kind: 'ours', measure: () => timesOf(DOMAINS) },
      { name: BYTES, kind: 'ours', processes: 1, measure: bytesOf },
    ],
    bounds: [
      { row: REPORT, most: 1_200 },
      { row: RECOVERY, most: 1_200 },
      { row: PROBE, most: 1_200 },
      { row: BYTES, most: 64 },
    ],
  },
]

interface Run {
  readonly clock: BenchClock
  readonly scheduler: Scheduler
  readonly domains: readonly string[]
  seed: number
}

/** What 100 exclusions of each of so many domains take to come and go. */
export function timesOf(domainCount: number): readonly Figure[] {
  const run = start(domainCount)
  let reportMs = 0
  for (let round = 0; round < EACH; round++) reportMs = dispatchAll(run, BLOCKED)
  return [
    { name: REPORT, unit: 'ns', value: (reportMs * 1e6) / domainCount },
    { name: RECOVERY, unit: 'ns', value: fallDue(run) },
    { name: PROBE, unit: 'ns', value: probeAll(run) },
  ]
}

/** What is held for exclusions alone is the difference to the same dispatches, all of which came to ok. */
async function bytesOf(): Promise<readonly Figure[]> {
  const calm = await heldAfter(OK)
  const held = await heldAfter(BLOCKED)
  return [{ name: BYTES, unit: 'bytes', value: (held - calm) / (DOMAINS * EACH) }]
}

async function heldAfter(outcome: typeof BLOCKED | typeof OK): Promise<number> {
  const before = await liveBytes()
  const run = start(DOMAINS)
  for (let round = 0; round < EACH; round++) dispatchAll(run, outcome)
  const held = (await liveBytes()) - before
  run.scheduler.close()
  return held
}

function start(domainCount: number): Run {
  const clock = benchClock()
  const store = memoryStore({ maxRecords: 2_000_000, maxLeases: 4_000_000 })
  const scheduler = new Scheduler({ store, clock, random: seededRandom(7) })
  fill(scheduler, placedAgents(AGENTS))
  const domains = Array.from({ length: domainCount }, (_, i) => `d${i}.example`)
  return { clock, scheduler, domains, seed: 1 }
}

/** One dispatch for each domain, after one that goes well: else the domain would be in an incident. Answers what the reports took. */
function dispatchAll(run: Run, outcome: typeof BLOCKED | typeof OK): number {
  const { scheduler, clock, domains } = run
  let ms = 0
  const leases: Lease[] = []
  for (let from = 0; from < domains.length; from += 100) {
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

function pick({ scheduler, ...run }: Run, domain: string, pin?: string): Lease {
  const seed = (run.seed + run.clock.ms) % 4_294_967_296
  const picked = scheduler.pick({ domain, seed, ...(pin !== undefined && { pin: [pin] }) })
  if (picked.kind !== 'picked') throw new Error(`a pick came to ${picked.cause}`)
  return picked.lease
}

/** A pick lets go of 64 that are due in one instant: this many, an instant each, let go of all. */
const PICKS_TO_LET_GO = 4

/** All have fallen due: picks of each domain let go of them. Answers nanoseconds for each pair, picks and reports included. */
function fallDue(run: Run): number {
  const { clock, domains } = run
  let waiting = 0
  for (const domain of domains) waiting += excludedIn(run, domain).length
  if (waiting === 0) throw new Error('nothing was excluded')
  clock.ms += 10 * 60_000
  let ms = 0
  for (let i = 0; i < PICKS_TO_LET_GO; i++) {
    clock.ms++
    const startMs = performance.now()
    for (const domain of domains) run.scheduler.report(pick(run, domain), OK)
    ms += performance.now() - startMs
  }
  return (ms * 1e6) / waiting
}

/** A probe for each pair that is on probation, until these domains exclude nothing any more. Answers what their reports took, for each. */
function probeAll(run: Run): number {
  const domains = run.domains.slice(0, PROBED_DOMAINS)
  let reports = 0
  let ms = 0
  for (let from = 0; from < domains.length; from += 100) {
    run.clock.ms += 10
    const portion = domains.slice(from, from + 100)
    const excluded = portion.map((domain) => excludedIn(run, domain))
    for (let i = 0; i < EACH; i++) {
      const leases: Lease[] = []
      portion.forEach((domain, at) => {
        if (i < excluded[at].length) leases.push(pick(run, domain, excluded[at][i]))
      })
      if (!leases.every(({ probe }) => probe)) throw new Error('a pick was no probe')
      const startMs = performance.now()
      for (const lease of leases) run.scheduler.report(lease, OK)
      ms += performance.now() - startMs
      reports += leases.length
    }
    for (const domain of portion) {
      if (excludedIn(run, domain).length > 0) throw new Error(`${domain} still excludes somebody`)
    }
  }
  return (ms * 1e6) / reports
}

function excludedIn({ scheduler }: Run, domain: string): string[] {
  return scheduler.health(domain, { limit: 1_000 }).agents.map(({ id }) => id)
}
