import { afterAll, beforeAll, expect, test } from 'vitest'
import type * as Core from '@ostler/core'
import { randomFleet } from './fleets.ts'
import { StepCounter } from './steps.ts'

const DOMAIN = 'shop.example'
const PICKS = 100

let counter: StepCounter
let core: typeof Core

beforeAll(async () => {
  counter = new StepCounter('/core/src/')
  core = await import('@ostler/core')
})
afterAll(() => counter.close())

/** Steps of a pick, on the average, where all but so many agents are excluded. */
function stepsOf(size: number, left: number, geo?: string): number {
  const clock = { nowMs: () => 1_200_000_000 }
  const scheduler = new core.Scheduler({ store: core.memoryStore(), clock })
  scheduler.agents.upsert(randomFleet(size, 7))
  const random = core.seededRandom(9)
  for (let i = 0, out = size - left; i < size && out > 0; i++) {
    if (random() * (size - i) >= out) continue
    scheduler.exclude(`a${i}`, DOMAIN, 1_300_000_000)
    out--
  }
  const request = { domain: DOMAIN, ...(geo !== undefined && { geo }) }
  scheduler.pick({ ...request, seed: 0 })
  const steps = counter.steps(() => {
    for (let seed = 1; seed <= PICKS; seed++) scheduler.pick({ ...request, seed })
  })
  return steps / PICKS
}

test('bounded-cost: the counter counts', () => {
  expect(counter.steps(() => core.seededRandom(1)())).toBeGreaterThan(0)
  expect(stepsOf(10, 10)).toBeGreaterThan(50)
})

// With a hint the walk goes outward past places that are wholly excluded: more steps, however large the fleet.
test.each([
  ['anywhere', undefined, 5],
  ['DE', 'DE', 20],
  ['a point', '48.21,16.37', 10],
] as const)(
  'bounded-cost: a pick costs about the same whatever the share excluded, %s',
  (_, geo, factor) => {
    for (const size of [2_000, 20_000]) {
      const full = stepsOf(size, size, geo)
      for (const left of [size / 2, size / 100, size / 1_000, 1]) {
        expect(stepsOf(size, left, geo), `${left} of ${size} left`).toBeLessThan(full * factor)
      }
    }
  },
  120_000,
)

test.each([undefined, 'DE', '48.21,16.37'])(
  'bounded-cost: a pick grows at most with the logarithm of the fleet, geo %s',
  (geo) => {
    const small = stepsOf(500, 250, geo)
    const large = stepsOf(32_000, 16_000, geo)
    expect(large).toBeLessThan(small * 3)
  },
  120_000,
)
