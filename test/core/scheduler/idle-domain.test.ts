import { expect, test } from 'vitest'
import { Scheduler, memoryStore, seededRandom } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'

const DAY_MS = 86_400_000
const domain = 'shop.example'

test('a domain that nobody has asked for in months is picked for, and refused for, like any other', () => {
  const clock = new ManualClock(1_800_000_000_000)
  const scheduler = new Scheduler({ store: memoryStore(), clock, random: seededRandom(1) })
  const others = Array.from({ length: 600 }, (_, i) => ({ id: `de${i}`, country: 'DE' }))
  scheduler.agents.upsert([...others, { id: 'at', country: 'AT' }])
  for (const { id } of others) scheduler.exclude(id, domain, clock.nowMs() + 60_000)
  expect(scheduler.pick({ domain, geo: 'DE;strict' }).kind).toBe('exhausted')
  clock.advance(60 * DAY_MS)
  const untilMs = clock.nowMs() + 60_000
  scheduler.exclude('at', domain, untilMs)
  // More have fallen due in Germany than a refusal lets go of, before it turns to Austria alone.
  const refused = scheduler.pick({ domain, geo: 'AT;strict' })
  expect(refused).toMatchObject({ kind: 'exhausted', cause: 'all_excluded', retryAtMs: untilMs })
  expect(scheduler.pick({ domain, geo: 'DE;strict' }).kind).toBe('picked')
})
