import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { memoryStore, Scheduler, seededRandom } from '@ostler/core'
import type { Figure, Table } from '../case.ts'
import { fill, placedAgents } from '../rig/fleet.ts'
import { keyNames } from '../rig/keys.ts'

const AGENTS = 100_000
const DOMAINS = 100
/** One call a second of each: nearly all are admitted. */
const KEYS = 100_000
const RATE = 100_000
const SECONDS = 30
/** Requests in one turn of the event loop, at most. */
const TURN = 100
/** Agents that leave, and others that come in their place, each second. */
const CHURN = 1_000
const BLOCK_EVERY = 20
const OK = { kind: 'ok', latencyMs: 200 } as const
const BLOCKED = { kind: 'blocked' } as const
const P99 = 'delay, p99'
const DONE = 'requests a second'

export const eventLoopTables: readonly Table[] = [
  {
    name: `event loop under ${RATE.toLocaleString('en')} requests a second`,
    about: `Each an admit of one of ${KEYS.toLocaleString('en')} keys, a pick and a report, in turns of at most ${TURN}, for ${SECONDS} s; ${AGENTS.toLocaleString('en')} agents, ${CHURN.toLocaleString('en')} of which are replaced each second; ${DOMAINS} domains; one report in ${BLOCK_EVERY} a block. Delays are those of a timer of 1 ms, that one included.`,
    full: true,
    gauges: [{ name: 'event loop', kind: 'ours', processes: 1, measure }],
    bounds: [
      { row: P99, most: 5 },
      { row: DONE, least: RATE * 0.99 },
    ],
  },
]

async function measure(): Promise<readonly Figure[]> {
  const scheduler = new Scheduler({
    store: memoryStore(),
    random: seededRandom(7),
    tiers: { free: { policies: [{ name: 'free', limit: 60, windowMs: 60_000 }] } },
  })
  const agents = placedAgents(AGENTS)
  fill(scheduler, agents)
  const spare = placedAgents(CHURN * (SECONDS + 2), 2)
  const keys = keyNames(KEYS)
  const domains = Array.from({ length: DOMAINS }, (_, i) => `d${i}.example`)
  let admitted = 0
  let picked = 0
  const request = (i: number): void => {
    if (scheduler.admit({ key: keys[i % KEYS], tier: 'free' }).allowed) admitted++
    const pick = scheduler.pick({ domain: domains[i % DOMAINS], geo: i % 2 === 0 ? 'DE' : 'US' })
    if (pick.kind !== 'picked') return
    picked++
    scheduler.report(pick.lease, i % BLOCK_EVERY === 0 ? BLOCKED : OK)
  }
  for (let i = 0; i < RATE; i++) request(i)

  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const startMs = performance.now()
  let done = 0
  let churned = 0
  for (let nowMs = startMs; nowMs < startMs + SECONDS * 1_000; nowMs = performance.now()) {
    const due = Math.min(TURN, ((nowMs - startMs) / 1_000) * RATE - done)
    for (let i = 0; i < due; i++) request(done++)
    // Ten agents at a time: a gateway hears of them one by one.
    if (churned < ((nowMs - startMs) / 1_000) * CHURN) {
      const gone = agents.slice(churned, churned + 10).map(({ id }) => id)
      const come = spare.slice(churned, churned + 10)
      scheduler.agents.remove(gone)
      scheduler.agents.upsert(come.map((agent, i) => ({ ...agent, id: `n${churned + i}` })))
      churned += 10
    }
    await setImmediate()
  }
  const seconds = (performance.now() - startMs) / 1_000
  delay.disable()
  if (admitted < 0.95 * done || picked < 0.95 * done) {
    throw new Error(`of ${done} requests ${admitted} were admitted, ${picked} picked`)
  }
  return [
    { name: 'delay, p50', unit: 'ms', value: delay.percentile(50) / 1e6 },
    { name: P99, unit: 'ms', value: delay.percentile(99) / 1e6 },
    { name: 'delay, longest', unit: 'ms', value: delay.max / 1e6 },
    { name: DONE, unit: 'per second', value: done / seconds },
  ]
}
