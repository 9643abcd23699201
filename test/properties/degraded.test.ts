import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStore, Scheduler, seededRandom, type Lease, type Mode } from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { recovered, Switch } from '../core/scheduler/switch.ts'
import { seed, TIMEOUT_MS } from './replay.ts'

const IDS = ['a', 'b', 'c', 'd', 'e']
const DOMAINS = ['shop.example', 'news.example']
const RUNS = 150

type Line =
  | { readonly kind: 'pick'; readonly domain: string }
  | {
      readonly kind: 'report'
      readonly nth: number
      readonly outcome: 'ok' | 'blocked' | 'challenged' | 'neutral'
    }
  | { readonly kind: 'admit' }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'out of reach' | 'back' }

const line: fc.Arbitrary<Line> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('pick'), domain: fc.constantFrom(...DOMAINS) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('report'),
      nth: fc.nat(4),
      outcome: fc.constantFrom('ok', 'blocked', 'challenged', 'neutral'),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'admit' } as const) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('advance'),
      ms: fc.constantFrom(1, 1_000, 30_000, 400_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('out of reach', 'back') }) },
)

/** Runs a script on a store that comes and goes. */
async function run(script: readonly Line[]): Promise<void> {
  const clock = new ManualClock(1_200_000_000)
  const memory = memoryStore()
  const { local: _, ...remote } = memory
  const power = new Switch(remote)
  const tiers = { free: { policies: [{ name: 'free', limit: 6, windowMs: 60_000 }] } }
  const scheduler = new Scheduler<Mode>({
    store: power.store,
    clock,
    tiers,
    random: seededRandom(5),
    degraded: { instances: 2 },
  })
  const witness = new Scheduler({ store: memory, clock, random: seededRandom(6) })
  await scheduler.agents.upsert(IDS.map((id) => ({ id })))
  const leases: Lease[] = []
  /** Until when each pair must not be given, by what has been acknowledged. */
  const blocked = new Map<string, number>()
  const decided = (from: { readonly source: string; readonly degraded: boolean }): void => {
    if (power.isDown) expect(from).toMatchObject({ source: 'local', degraded: true })
    expect(from.degraded).toBe(from.source === 'local')
  }
  const check = (lease: Lease): void => {
    const untilMs = blocked.get(`${lease.exit} ${lease.domain}`) ?? 0
    expect(clock.nowMs(), `${lease.exit} for ${lease.domain}`).toBeGreaterThanOrEqual(untilMs)
  }
  const steps: Record<Line['kind'], (one: never) => Promise<void>> = {
    pick: async ({ domain }: Extract<Line, { kind: 'pick' }>) => {
      const pick = await scheduler.pick({ domain })
      decided(pick)
      if (pick.kind === 'exhausted') return
      check(pick.lease)
      leases.push(pick.lease)
    },
    report: async ({ nth, outcome }: Extract<Line, { kind: 'report' }>) => {
      const lease = leases.at(-nth - 1)
      if (lease === undefined) return
      const { record } = await scheduler.report(lease, { kind: outcome })
      const until = outcome === 'blocked' || outcome === 'challenged' ? record?.untilMs : undefined
      if (until !== undefined) blocked.set(`${lease.exit} ${lease.domain}`, until)
    },
    admit: async () => decided(await scheduler.admit({ key: 'k', tier: 'free' })),
    advance: async ({ ms }: Extract<Line, { kind: 'advance' }>) => void clock.advance(ms),
    'out of reach': async () => void (power.isDown = true),
    back: async () => {
      power.up()
      await recovered(scheduler)
    },
  }
  for (const one of script) await steps[one.kind](one as never)
  power.up()
  await recovered(scheduler)
  // What was acknowledged, by whomever, is now known to all.
  for (const domain of DOMAINS) {
    for (const id of IDS) {
      for (const each of [scheduler, witness]) {
        const told = await each.explain({ domain, pin: [id] })
        if (told.kind === 'exhausted') continue
        expect(blocked.get(`${id} ${domain}`) ?? 0).toBeLessThanOrEqual(clock.nowMs())
      }
    }
  }
  expect(scheduler.standing()).toMatchObject({ owed: 0, dropped: 0, degraded: false })
  await scheduler.close()
}

test(
  'degraded: nothing acknowledged is forgotten while the store comes and goes, and no call fails',
  async () => {
    const script = fc.array(line, { minLength: 20, maxLength: 80 })
    await fc.assert(fc.asyncProperty(script, run), { numRuns: RUNS, seed })
  },
  TIMEOUT_MS,
)
