import type { Figure, Table } from '../case.ts'
import { domainOf, exclude, worldOf, type Exclusion } from '../rig/world.ts'

const AGENTS = 10_000
const PICKS = 1_000
const SHARES: readonly Exclusion[] = ['0 %', '50 %', '99 %']
const OK = { kind: 'ok', latencyMs: 200 } as const

export const fairnessTables: readonly Table[] = [
  {
    name: 'fairness inside a locality',
    about: `The most picks of one agent over the mean of the locality: ${PICKS.toLocaleString('en')} picks an agent, all as good as each other, ${AGENTS.toLocaleString('en')} agents, hint US.`,
    heavy: true,
    gauges: [{ name: 'evenness', kind: 'ours', measure: () => SHARES.map(evenness) }],
    bounds: [{ row: '*', most: 1.3 }],
  },
]

/** One fleet serves all shares, each by a domain of its own. */
function evenness(exclusion: Exclusion): Figure {
  const world = worldOf(AGENTS)
  const excluded = exclude(world, exclusion)
  const eligible = world.agents.filter(({ country }, i) => country === 'US' && excluded[i] === 0)
  const counts = new Map(eligible.map(({ id }) => [id, 0]))
  const domain = domainOf(exclusion)
  for (let seed = 1; seed <= PICKS * eligible.length; seed++) {
    world.clock.ms++
    const pick = world.scheduler.pick({ domain, geo: 'US', seed })
    if (pick.kind !== 'picked') throw new Error(`a pick came to ${pick.cause}`)
    world.scheduler.report(pick.lease, OK)
    const count = counts.get(pick.agent.id)
    if (count === undefined) throw new Error(`${pick.agent.id} is excluded, or elsewhere`)
    counts.set(pick.agent.id, count + 1)
  }
  const value = Math.max(...counts.values()) / PICKS
  return { name: `most / mean, ${exclusion} excluded`, unit: 'times', value }
}
