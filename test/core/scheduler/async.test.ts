import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  memoryStore,
  Scheduler,
  seededRandom,
  type Agent,
  type Lease,
  type Mode,
  type Outcome,
  type Permit,
  type PickRequest,
  type SchedulerOptions,
} from '@ostler/core'
import { agentArbitrary, ManualClock, outcomeArbitrary, requestArbitrary } from '@ostler/testkit'
import { asyncStore } from './rig.ts'

const START_MS = 1_200_000_000
const IDS = Array.from({ length: 8 }, (_, i) => `a${i}`)
const DOMAINS = ['shop.example', 'news.example']

type Command =
  | { readonly kind: 'pick' | 'explain'; readonly request: PickRequest }
  | { readonly kind: 'report'; readonly which: number; readonly outcome: Outcome }
  | { readonly kind: 'admit'; readonly key: string; readonly cost: number; readonly holds: boolean }
  | { readonly kind: 'release' | 'renew'; readonly which: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | {
      readonly kind: 'exclude' | 'restore'
      readonly id: string
      readonly domain: string
      readonly ms: number
    }
  | { readonly kind: 'upsert'; readonly agents: readonly Agent[] }
  | { readonly kind: 'drain' | 'remove'; readonly id: string }
  | { readonly kind: 'look'; readonly domain: string }

const id = fc.constantFrom(...IDS)
const agent = id.chain(agentArbitrary)
const request = fc
  .tuple(
    requestArbitrary({ ids: IDS, domains: DOMAINS }),
    fc.option(fc.constantFrom('s1', 's2'), { freq: 2 }),
    fc.boolean(),
  )
  .map(([request, session, seeded]): PickRequest => {
    const { seed, ...rest } = request
    return {
      ...rest,
      ...(seeded && seed !== undefined && { seed }),
      ...(session !== null && { session }),
    }
  })
const which = fc.nat(30)
const domain = fc.constantFrom(...DOMAINS, '*')

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constantFrom('pick', 'pick', 'explain'), request }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('report'), which, outcome: outcomeArbitrary }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('admit'),
      key: fc.constantFrom('k1', 'k2'),
      cost: fc.integer({ min: 1, max: 3 }),
      holds: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('release', 'renew'), which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('advance'),
      ms: fc.constantFrom(1, 900, 30_000, 61_000, 400_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('exclude', 'restore'),
      id,
      domain,
      ms: fc.constantFrom(1, 70_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('upsert'),
      agents: fc.array(agent, { maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('drain', 'remove'), id }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('look'), domain: fc.constantFrom(...DOMAINS) }),
  },
)

/** A scheduler, and what it has handed out. `await` fits both modes. */
class Side<M extends Mode> {
  readonly #clock = new ManualClock(START_MS)
  readonly #scheduler: Scheduler<M>
  readonly #leases: Lease[] = []
  readonly #permits: Permit[] = []

  constructor(store: SchedulerOptions<M>['store']) {
    this.#scheduler = new Scheduler({
      store,
      clock: this.#clock,
      random: seededRandom(3),
      tiers: { free: { policies: [{ name: 'free', limit: 5, windowMs: 60_000 }], permits: 2 } },
      incident: { minExclusions: 5, minFailures: 4 },
    })
  }

  async run(command: Command): Promise<unknown> {
    const scheduler = this.#scheduler
    switch (command.kind) {
      case 'pick': {
        const pick = await scheduler.pick(command.request)
        if (pick.kind === 'exhausted') return pick
        this.#leases.push(pick.lease)
        return { ...pick, lease: { ...pick.lease, id: 'an id' } }
      }
      case 'explain':
        return scheduler.explain(command.request)
      case 'report': {
        const lease = this.#leases.at(command.which % (this.#leases.length || 1))
        return lease === undefined
          ? null
          : withoutIds(await scheduler.report(lease, command.outcome))
      }
      case 'admit': {
        const { key, cost, holds } = command
        const decision = await scheduler.admit({
          key,
          tier: 'free',
          cost,
          ...(holds && { permit: { ttlMs: 30_000 } }),
        })
        if (decision.permit !== undefined) this.#permits.push(decision.permit)
        return { ...decision, permit: decision.permit?.deadlineMs }
      }
      case 'release':
      case 'renew': {
        const permit = this.#permits.at(command.which % (this.#permits.length || 1))
        if (permit === undefined) return null
        if (command.kind === 'release') return scheduler.release(permit)
        return (await scheduler.renew(permit, 20_000))?.deadlineMs
      }
      case 'advance':
        return this.#clock.advance(command.ms)
      case 'exclude':
        if (scheduler.agents.get(command.id) === undefined) return null
        return scheduler.exclude(command.id, command.domain, this.#clock.nowMs() + command.ms)
      case 'restore':
        if (scheduler.agents.get(command.id) === undefined) return null
        return scheduler.restore(command.id, command.domain)
      case 'upsert':
        return scheduler.agents.upsert(command.agents)
      case 'drain':
        return scheduler.agents.drain([command.id])
      case 'remove':
        return scheduler.agents.remove([command.id])
      case 'look':
        return [
          await scheduler.health(command.domain),
          await scheduler.usage('k1'),
          [...scheduler.agents.values()],
        ]
      default:
        return command satisfies never
    }
  }
}

/** Lease ids differ between any two schedulers. */
function withoutIds(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (key === 'leaseId' ? 'an id' : inner)),
  )
}

describe('a scheduler on a store that answers by promises', () => {
  test('gives the same answers as on one that answers at once: the same trace, the same picks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(agent, { maxLength: 8 }),
        fc.array(command, { maxLength: 60 }),
        async (agents, commands) => {
          const sync = new Side<'sync'>(memoryStore())
          const async = new Side<'async'>(asyncStore(memoryStore()))
          for (const command of [{ kind: 'upsert' as const, agents }, ...commands]) {
            const [expected, given] = [await sync.run(command), await async.run(command)]
            expect(given, JSON.stringify(command)).toEqual(expected)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('holds no agent to more than its slots, and gives none that is excluded, with many calls under way', async () => {
    const chance = seededRandom(11)
    const store = asyncStore(memoryStore(), async () => {
      const turns = Math.floor(chance() * 4)
      for (let i = 0; i < turns; i++) {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
    })
    const scheduler = new Scheduler({
      store,
      clock: new ManualClock(START_MS),
      random: seededRandom(1),
    })
    await scheduler.agents.upsert(
      Array.from({ length: 20 }, (_, i) => ({ id: `a${i}`, maxConcurrency: 2 })),
    )
    const excluded = new Set<string>()
    const held = new Map<string, number>()
    let good = 0
    const client = async (i: number): Promise<void> => {
      for (let turn = 0; turn < 20; turn++) {
        const before = new Set(excluded)
        const pick = await scheduler.pick({ domain: 'shop.example' })
        if (pick.kind === 'exhausted') continue
        const { id } = pick.agent
        expect(before).not.toContain(id)
        held.set(id, (held.get(id) ?? 0) + 1)
        expect(held.get(id)).toBeLessThanOrEqual(2)
        await Promise.resolve()
        const blocks = (i * 7 + turn) % 10 === 0
        held.set(id, (held.get(id) ?? 0) - 1)
        await scheduler.report(pick.lease, { kind: blocks ? 'blocked' : 'ok' })
        if (blocks) excluded.add(id)
        else good++
      }
    }
    await Promise.all(Array.from({ length: 30 }, (_, i) => client(i)))
    expect(excluded.size).toBeGreaterThan(3)
    expect(good).toBeGreaterThan(50)
  })

  test('has the breaker’s verdict once a report has resolved', async () => {
    const slowly = async (method: string): Promise<void> => {
      if (method !== 'agents') return
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
    }
    const store = asyncStore(memoryStore(), slowly)
    const scheduler = new Scheduler({ store, breaker: { threshold: 1 } })
    await scheduler.agents.upsert([{ id: 'a' }, { id: 'b' }])
    const pick = await scheduler.pick({ domain: 'shop.example', pin: ['a'] })
    if (pick.kind !== 'picked') throw new Error(pick.cause)
    await scheduler.report(pick.lease, { kind: 'agent_error' })
    const explained = await scheduler.explain({ domain: 'shop.example', pin: ['a'] })
    expect(explained).toMatchObject({ kind: 'exhausted', cause: 'pinned_excluded' })
  })

  test('rejects with what the store rejects with, and leaves no rejection unheard', async () => {
    const store = asyncStore(memoryStore())
    const scheduler = new Scheduler({ store })
    await scheduler.agents.upsert([{ id: 'a' }])
    const pick = await scheduler.pick({ domain: 'shop.example' })
    if (pick.kind !== 'picked') throw new Error(pick.cause)
    await scheduler.close()
    const calls = [
      scheduler.pick({ domain: 'other.example' }),
      scheduler.report(pick.lease, { kind: 'agent_error' }),
      scheduler.usage('k'),
      scheduler.agents.upsert([{ id: 'b' }]),
    ]
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } })
    }
    await expect(scheduler.close()).resolves.toBeUndefined()
  })
})
