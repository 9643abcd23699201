import { Scheduler, memoryStore, seededRandom } from '@ostler/core'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Draw } from '../../packages/core/src/pick/draw.ts'
import { PositionSet } from '../../packages/core/src/pick/excluded.ts'
import { Outward } from '../../packages/core/src/pick/localities.ts'
import { CountedBits } from '../../packages/core/src/pick/positions.ts'
import { View } from '../../packages/core/src/pick/view.ts'

// Cost is counted in calls of the index, each of which is a loop over the bits of a number at most.
// A clock would measure the machine.

const SIZES = [1_000, 32_000]
const SHARES = [0, 0.5, 0.999, 1]
const HINTS = [undefined, 'DE', 'EU', '48.21,16.37', '-17.5,179.99']
const COUNTRIES = ['DE', 'AT', 'FR', 'US', 'BR', 'JP', 'ZA', 'FJ']
/** Calls for each doubling of the fleet, at most; about a third of them are made. */
const MOST_PER_DOUBLING = 30

const NOW_MS = 1_800_000_000_000
let calls = 0
let fleets: Map<string, Scheduler>

beforeAll(() => {
  fleets = new Map(
    SIZES.flatMap((size) => SHARES.map((share) => [`${size} ${share}`, fleetOf(size, share)])),
  )
  for (const { prototype } of [CountedBits, Draw, Outward, PositionSet, View]) {
    countCalls(prototype as unknown as Record<string, (...args: unknown[]) => unknown>)
  }
})
afterAll(() => void vi.restoreAllMocks())

/** A fleet all over the world of which the domain excludes a share; of a share of 1, one is left. */
function fleetOf(size: number, share: number): Scheduler {
  const scheduler = new Scheduler({ store: memoryStore(), clock: { nowMs: () => NOW_MS } })
  const random = seededRandom(size)
  const agents = Array.from({ length: size }, (_, i) => ({
    id: `a${i}`,
    country: COUNTRIES[Math.floor(random() * COUNTRIES.length)],
    lat: random() * 160 - 80,
    lon: random() * 360 - 180,
  }))
  scheduler.agents.upsert(agents)
  const excluded = Math.min(Math.floor(size * share), size - 1)
  for (let i = 0; i < excluded; i++) scheduler.exclude(`a${i}`, 'shop.example', NOW_MS + 60_000)
  scheduler.pick({ domain: 'shop.example' })
  return scheduler
}

/** Counts what is called, and what a generator gives. */
function countCalls(prototype: Record<string, (...args: unknown[]) => unknown>): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const { value } = Object.getOwnPropertyDescriptor(prototype, name) ?? {}
    if (name === 'constructor' || typeof value !== 'function') continue
    const method = value as (...args: unknown[]) => unknown
    vi.spyOn(prototype, name).mockImplementation(function (this: unknown, ...args) {
      calls++
      const result = method.apply(this, args)
      return isGenerator(result) ? counted(result) : result
    })
  }
}

function isGenerator(value: unknown): value is Generator {
  return typeof value === 'object' && value !== null && 'next' in value && 'return' in value
}

function* counted(generator: Generator): Generator {
  for (const value of generator) {
    calls++
    yield value
  }
}

test('bounded-cost: neither the share excluded nor the fleet makes a pick dear', () => {
  const dearest = new Map<number, number>()
  const property = fc.property(
    fc.constantFrom(...SIZES),
    fc.constantFrom(...SHARES),
    fc.constantFrom(...HINTS),
    fc.nat(0xffff_ffff),
    (size, share, geo, seed) => {
      const scheduler = fleets.get(`${size} ${share}`) as Scheduler
      calls = 0
      const request = { domain: 'shop.example', seed }
      const pick = scheduler.pick(geo === undefined ? request : { ...request, geo })
      dearest.set(size, Math.max(dearest.get(size) ?? 0, calls))
      expect(calls).toBeLessThan(MOST_PER_DOUBLING * Math.log2(size))
      if (pick.kind === 'picked') scheduler.report(pick.lease, { kind: 'ok' })
    },
  )
  fc.assert(property, { numRuns: 2_000 })
  // The counters were on: a pick that asks the index nothing would be a pick that chooses nobody.
  for (const size of SIZES) expect(dearest.get(size)).toBeGreaterThan(5)
})
