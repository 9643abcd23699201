import type { Agent, Scheduler } from '@ostler/core'
import { benchClock, benchScheduler, fill, placedAgents } from '../fleet.ts'
import type { BenchClock } from '../fleet.ts'
import type { Gauge, Row, Runnable } from '../group.ts'

const AGENTS = 1_000_000
const CHANGED = 10_000
const BATCHES = 10
const PORTION = 1_000
const NAME = 'a fleet of 1,000,000'

interface Fleet {
  readonly clock: BenchClock
  readonly scheduler: Scheduler
  readonly agents: readonly Agent[]
}

/** Building the index once, what it holds, and how long changing a part of it stops a caller. */
export const million: Runnable = {
  name: NAME,
  rows(): Row[] {
    const clock = benchClock()
    const agents = placedAgents(AGENTS)
    const beforeMb = heapMb()
    const scheduler = benchScheduler(clock)
    const fleet: Fleet = { clock, scheduler, agents }
    const builtMs = millis(() => {
      fill(scheduler, agents)
      pickOne(fleet)
    })
    const heldMb = heapMb() - beforeMb
    return [
      gauge('index built, and the first pick', builtMs, 'ms', 5_000),
      gauge('memory of the index, beside the agents', heldMb, 'MB', 300),
      ...changes(fleet),
    ]
  },
}

/** Four kinds of change, each in batches of 10,000; a pick that follows belongs to its pause. */
function changes(fleet: Fleet): Row[] {
  const { agents } = fleet.scheduler
  const spare = placedAgents(2 * BATCHES * CHANGED, 2)
  const old = (i: number): Agent => fleet.agents[(i * 7_919) % AGENTS]
  const moved = spare.slice(0, BATCHES * CHANGED).map((agent, i) => ({ ...agent, id: old(i).id }))
  const added = spare.slice(BATCHES * CHANGED).map((agent, i) => ({ ...agent, id: `new${i}` }))
  const heavier = fleet.agents.slice(0, BATCHES * CHANGED).map((one) => ({ ...one, weight: 2 }))
  const rows = [
    ...pauses(fleet, 'reweighted', (from, to) => agents.upsert(heavier.slice(from, to))),
    ...pauses(fleet, 'moved', (from, to) => agents.upsert(moved.slice(from, to))),
    ...pauses(fleet, 'removed', (from, to) =>
      agents.remove(fleet.agents.slice(from, to).map(({ id }) => id)),
    ),
    ...pauses(fleet, 'added', (from, to) => agents.upsert(added.slice(from, to))),
  ]
  if (agents.size !== AGENTS) throw new Error(`${agents.size} agents are left`)
  return rows
}

/** Half of the batches in one call each, half in portions with a pick after each: what a caller with other work would do. */
function pauses(fleet: Fleet, what: string, change: (from: number, to: number) => void): Gauge[] {
  const pause = (from: number, size: number): number =>
    millis(() => {
      change(from, from + size)
      pickOne(fleet)
    })
  const whole: number[] = []
  const longest: number[] = []
  for (let batch = 0; batch < BATCHES; batch++) {
    const from = batch * CHANGED
    if (batch % 2 === 0) {
      whole.push(pause(from, CHANGED))
      continue
    }
    const portions: number[] = []
    for (let at = from; at < from + CHANGED; at += PORTION) portions.push(pause(at, PORTION))
    longest.push(Math.max(...portions))
  }
  return [
    gauge(`10,000 agents ${what} by 1,000: longest pause, median`, median(longest), 'ms', 10),
    gauge(`10,000 agents ${what} in one call: median`, median(whole)),
  ]
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}

function pickOne({ clock, scheduler }: Fleet): void {
  const { kind } = scheduler.pick({ domain: 'first.example', geo: 'DE', seed: clock.ms++ % 1_000 })
  if (kind !== 'picked') throw new Error(`the pick came to ${kind}`)
}

function gauge(name: string, value: number, unit: Gauge['unit'] = 'ms', most?: number): Gauge {
  return { kind: 'gauge', group: NAME, name, value, unit, ...(most === undefined ? {} : { most }) }
}

function millis(work: () => void): number {
  const startMs = performance.now()
  work()
  return performance.now() - startMs
}

/** Live memory, typed arrays included. Needs --expose-gc. */
function heapMb(): number {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc')
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}
