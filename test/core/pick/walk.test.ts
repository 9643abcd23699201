import { expect, test } from 'vitest'
import { memoryStore, Scheduler, seededRandom, type Agent } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'

const NOW_MS = 1_200_000_000
const DOMAIN = 'shop.example'

const agentsAt = (name: string, lon: number): Agent[] =>
  Array.from({ length: 12 }, (_, i) => ({ id: `${name}${i}`, lat: 0, lon }))

function schedulerOf(agents: readonly Agent[]): Scheduler {
  const clock = new ManualClock(NOW_MS)
  const scheduler = new Scheduler({ store: memoryStore(), clock, random: seededRandom(1) })
  scheduler.agents.upsert(agents)
  return scheduler
}

test('a pick that begins at the first step with somebody gives what a walk of all steps gives', () => {
  const near = agentsAt('near', 1)
  const scheduler = schedulerOf([{ id: 'nearest', lat: 0, lon: 0 }, ...near, ...agentsAt('far', 9)])
  scheduler.exclude('nearest', DOMAIN, NOW_MS + 1_000)
  const avoid = near.map(({ id }) => id)
  for (let seed = 0; seed < 50; seed++) {
    const request = { domain: DOMAIN, geo: '0,0', seed, ...(seed % 2 === 1 && { avoid }) }
    // An explanation visits every step; a pick remembers where the first healthy agent was.
    const explained = scheduler.explain(request)
    const pick = scheduler.pick(request)
    expect(pick.kind === 'picked' && pick.agent).toEqual(
      explained.kind === 'picked' && explained.agent,
    )
  }
})
