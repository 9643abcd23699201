import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Loads } from '../../../packages/core/src/pick/loads.ts'

/** What is known of an agent: plain fields. */
interface Naive {
  inFlight: number
  latencyMs: number
  lastPick: number
  pickedAtMs: number
  weight: number
  capacity: number
}

const idle = { inFlight: 0, latencyMs: 0, lastPick: 0, pickedAtMs: 0 }
// On both sides of the ends of chunks, so that some are never written to.
const agent = fc.constantFrom(0, 1, 1_023, 1_024, 2_047, 2_048)
const power = fc.record({ weight: fc.constantFrom(1, 0.5, 3), capacity: fc.constantFrom(1_000, 2) })
const change = fc.oneof(
  fc.record({ kind: fc.constant('open' as const), agent, power }),
  fc.record({ kind: fc.constant('describe' as const), agent, power }),
  fc.record({ kind: fc.constant('take' as const), agent, by: fc.constantFrom(1, 2) }),
  fc.record({ kind: fc.constant('hear' as const), agent, ms: fc.nat(900) }),
  fc.record({ kind: fc.constant('pick' as const), agent, pick: fc.nat(9), ms: fc.nat(9) }),
)
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

function applyTo(loads: Loads, known: Naive, of: Change): void {
  switch (of.kind) {
    case 'open':
      loads.open(of.agent, of.power.weight, of.power.capacity)
      Object.assign(known, idle, of.power)
      return
    case 'describe':
      loads.describe(of.agent, of.power.weight, of.power.capacity)
      Object.assign(known, of.power)
      return
    case 'take':
      loads.addInFlight(of.agent, of.by)
      known.inFlight += of.by
      return
    case 'hear':
      loads.addLatency(of.agent, of.ms)
      known.latencyMs += (of.ms - known.latencyMs) * (known.latencyMs === 0 ? 1 : 0.2)
      return
    case 'pick':
      loads.setPicked(of.agent, of.pick, of.ms)
      Object.assign(known, { lastPick: of.pick, pickedAtMs: of.ms })
      return
    default:
      of satisfies never
  }
}

test('loads are what plain fields are, in every chunk, shared or of their own', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const loads = new Loads()
      const naive: Naive[] = []
      for (let i = 0; i < 2_100; i++) {
        loads.open(i, 1, 1_000)
        naive.push({ ...idle, weight: 1, capacity: 1_000 })
      }
      for (const one of changes) applyTo(loads, naive[one.agent], one)
      naive.forEach((known, i) => {
        const { inFlight, latencyMs, lastPick, pickedAtMs, weight, capacity } = known
        const found = [loads.inFlight(i), loads.latencyMs(i), loads.lastPick(i)]
        expect([...found, loads.pickedAtMs(i), loads.weight(i), loads.capacity(i)]).toEqual([
          inFlight,
          latencyMs,
          lastPick,
          pickedAtMs,
          weight,
          capacity,
        ])
        expect(loads.isFull(i)).toBe(inFlight >= capacity)
      })
    }),
    { numRuns: 30 },
  )
})
