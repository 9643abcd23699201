import { memoryStore, Scheduler, seededRandom } from '@ostler/core'
import type { Figure, Table } from '../case.ts'
import { benchClock, fill, placedAgents } from '../rig/fleet.ts'
import { liveBytes } from '../rig/heap.ts'

const AGENTS = 1_000_000
const BUILT = 'built, and the first pick'
const HELD = "held, beside the agents' own objects"

export const millionTables: readonly Table[] = [
  {
    name: 'index of 1,000,000 agents',
    about:
      'Upserted 10,000 at a time, then one pick. What is held is what the heap has grown by, less as many plain objects of agents.',
    heavy: true,
    gauges: [{ name: 'index', kind: 'ours', measure }],
    bounds: [
      { row: BUILT, most: 2 },
      { row: HELD, most: 100 },
    ],
  },
]

async function measure(): Promise<readonly Figure[]> {
  const clock = benchClock()
  const agents = placedAgents(AGENTS)
  const empty = await liveBytes()
  // The scheduler keeps a copy of each agent, so that nobody changes one behind its back.
  const copies = agents.map((agent) => ({ ...agent }))
  const ownBytes = (await liveBytes()) - empty
  copies.length = 0
  const before = await liveBytes()
  const scheduler = new Scheduler({ store: memoryStore(), clock, random: seededRandom(7) })
  const startMs = performance.now()
  fill(scheduler, agents)
  const { kind } = scheduler.pick({ domain: 'shop.example', geo: 'DE', seed: 1 })
  const builtMs = performance.now() - startMs
  const heldBytes = (await liveBytes()) - before - ownBytes
  // Held until here.
  scheduler.close()
  if (kind !== 'picked' || agents.length !== AGENTS) throw new Error(`the pick came to ${kind}`)
  return [
    { name: BUILT, unit: 's', value: builtMs / 1_000 },
    { name: HELD, unit: 'MB', value: heldBytes / 1e6 },
    { name: "the agents' own objects", unit: 'MB', value: ownBytes / 1e6 },
  ]
}
