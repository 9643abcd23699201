import { Placed, type StoredAgent } from '../pick/agent.ts'
import { Fleet } from '../pick/fleet.ts'
import { MemoryFleet } from '../store/memory-fleet.ts'

const AGENTS = 48
/** In a process: some 5,000 changes, after which the engine has compiled what they go through. */
const ROUNDS = 100
const COUNTRIES = ['DE', 'FR', 'US']

const store = new MemoryFleet(AGENTS)
const fleet = new Fleet()
let round = 0

/**
 * Changes a small fleet in each way that there is: some 0.2 ms, beside each of the first portions of many. A fleet is built by adding alone,
 * and compiled for that; the first portions that move agents, whenever they come, would be interpreted, and take 10 times as long as
 * those after them, while everybody waits.
 */
export function rehearseChanges(): void {
  if (round === ROUNDS) return
  const agents = Array.from({ length: AGENTS }, (_, i) => agentOf(i))
  store.put(agents)
  fleet.putAll(agents, () => undefined)
  const gone = agents.filter((_, i) => i % 8 === round % 8).map(({ id }) => id)
  store.remove(gone)
  for (const id of gone) fleet.remove(id)
  round++
}

/** In each round most have moved, to places that they share with others. None says more than most do: shapes that nobody keeps are collected, and with them what was compiled for them. */
function agentOf(i: number): StoredAgent {
  const country = COUNTRIES[(i >> 1) % COUNTRIES.length]
  const place = i % 4 === 3 ? i >> 3 : (i >> 3) + (round % 3)
  return new Placed(`${i}`, country, place * 7 + 0.5, (i % 2) + 0.5)
}
