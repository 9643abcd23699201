import { memoryStore, Scheduler, seededRandom } from '@ostler/core'
import type { Scenario } from '../scenario/scenario.ts'
import type { Client } from './clients.ts'
import { mix, Weighted, zipfWeights } from './weighted.ts'

/** Requests in order of time, as columns. All policies are given the same ones. */
export interface Trace {
  readonly length: number
  readonly atMs: Float64Array
  readonly client: Int32Array
  readonly domain: Int32Array
  /**
   * One unsigned 32-bit number for each: chance is the request's, so it is the same under every
   * policy.
   */
  readonly luck: Uint32Array
  /** Calls that the limiter refused; they are not in the columns. */
  readonly limited: number
}

/** Virtual time begins here: 2026-01-05T09:00:00Z, a Monday morning. */
export const START_MS: number = Date.UTC(2026, 0, 5, 9)

/**
 * Draws the calls of a scenario and passes them through the scheduler's limiter.
 * Calls come as a Poisson process whose rate swings by a third, with a period of half the stretch.
 */
export function drawTrace(scenario: Scenario, clients: readonly Client[], seed: number): Trace {
  const { requests } = scenario
  const random = seededRandom(mix(seed, 43, 0))
  const clientOf = new Weighted(zipfWeights(clients.length, scenario.clients.zipf))
  const domainOf = new Weighted(zipfWeights(scenario.domains.count, scenario.domains.zipf))
  const arrivals = drawArrivals(scenario, seed)
  const admit = limiter(scenario, clients)
  const atMs = new Float64Array(requests)
  const client = new Int32Array(requests)
  const domain = new Int32Array(requests)
  const luck = new Uint32Array(requests)
  let length = 0
  for (let i = 0; i < requests; i++) {
    const who = clientOf.draw(random)
    const what = domainOf.draw(random)
    const fate = (random() * 4294967296) >>> 0
    if (!admit(who, arrivals[i])) continue
    atMs[length] = arrivals[i]
    client[length] = who
    domain[length] = what
    luck[length++] = fate
  }
  return {
    length,
    atMs: atMs.subarray(0, length),
    client: client.subarray(0, length),
    domain: domain.subarray(0, length),
    luck: luck.subarray(0, length),
    limited: requests - length,
  }
}

/** Whole milliseconds, ascending, `requests` of them within the stretch. */
function drawArrivals({ requests, durationMs }: Scenario, seed: number): Float64Array {
  const random = seededRandom(mix(seed, 47, 0))
  const arrivals = new Float64Array(requests)
  let sum = 0
  for (let i = 0; i < requests; i++) arrivals[i] = sum -= Math.log(1 - random())
  sum -= Math.log(1 - random())
  for (let i = 0; i < requests; i++) {
    const even = arrivals[i] / sum
    const swung = even + Math.sin(4 * Math.PI * even) / (3 * 4 * Math.PI)
    arrivals[i] = START_MS + Math.floor(swung * durationMs)
  }
  return arrivals
}

function limiter(scenario: Scenario, clients: readonly Client[]) {
  let nowMs = START_MS
  const tiers = Object.fromEntries(
    Object.entries(scenario.clients.tiers).map(([name, { policies }]) => [name, { policies }]),
  )
  const clock = { nowMs: () => nowMs }
  const scheduler = new Scheduler({ store: memoryStore(), tiers, clock })
  return (client: number, atMs: number): boolean => {
    nowMs = atMs
    const { key, tier } = clients[client]
    return scheduler.admit({ key, tier }).allowed
  }
}
