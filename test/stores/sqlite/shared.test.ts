import {
  DEFAULT_BREAKER_POLICY,
  DEFAULT_HEALTH_POLICY,
  DEFAULT_INCIDENT_POLICY,
  Scheduler,
  seededRandom,
  type AgentChange,
  type PairRecord,
  type Store,
} from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { freshPath, Stores } from './rig.ts'

const T = 1_200_000_000
const DOMAINS = ['d1', 'd2', 'd3']
const stores = new Stores()

afterEach(() => stores.closeAll())

/** Follows a store as a scheduler does: asks only for what changed since the last time. */
class Follower {
  readonly store: Store<'sync'>
  readonly #views = new Map<string, Map<string, PairRecord>>()
  readonly #fleet = new Map<string, AgentChange>()
  readonly #versions = new Map<string, number>()

  constructor(store: Store<'sync'>) {
    this.store = store
  }

  /** All that it knows of the store after asking. */
  known(nowMs: number): unknown {
    const views = DOMAINS.map((domain) => this.#domain(domain, nowMs))
    const answer = this.store.agents(this.#versions.get('*') ?? 0)
    this.#versions.set('*', answer.version)
    if (answer.reset) this.#fleet.clear()
    for (const change of answer.changes) {
      if (change.kind === 'removed') this.#fleet.delete(`put ${change.id}`)
      else this.#fleet.set(`${change.kind} ${nameOf(change)}`, change)
    }
    const fleet = [...this.#fleet.values()].filter((change) => !isOver(change))
    return { views, fleet: fleet.map((change) => JSON.stringify(change)).toSorted() }
  }

  #domain(domain: string, nowMs: number): unknown {
    const { version, reset, changes, incident } = this.store.exclusions(
      domain,
      this.#versions.get(domain) ?? 0,
      nowMs,
    )
    const view = reset ? new Map<string, PairRecord>() : (this.#views.get(domain) ?? new Map())
    for (const { exit, record } of changes) {
      if (record === null) view.delete(exit)
      else view.set(exit, record)
    }
    this.#views.set(domain, view)
    this.#versions.set(domain, version)
    return [[...view].toSorted(([a], [b]) => (a < b ? -1 : 1)), incident]
  }
}

function nameOf(change: Exclude<AgentChange, { kind: 'removed' }>): string {
  if (change.kind === 'put') return change.agent.id
  return change.kind === 'breaker' ? change.id : change.exit
}

/** Whether a change says that there is nothing any more. */
function isOver(change: AgentChange): boolean {
  if (change.kind === 'breaker') return change.breaker.failures === 0
  return change.kind === 'exit' && change.untilMs === 0
}

/** Leases an exit and reports it. */
function report(store: Store<'sync'>, domain: string, exit: string, outcome: string, id: string) {
  const deadlineMs = T + 60_000
  const policies = { health: DEFAULT_HEALTH_POLICY, viewVersion: 0, nowMs: T }
  const candidates = [{ agentId: exit, exit, maxConcurrency: 9 }]
  const given = store.acquire({ domain, candidates, leaseId: id, deadlineMs, ...policies })
  if (given.kind === 'refused') return
  const { epoch, probe } = given
  store.settle({
    lease: { id, agentId: exit, exit, domain, epoch, pickedAtMs: T, deadlineMs, probe },
    outcome: { kind: outcome as 'ok' },
    incident: { ...DEFAULT_INCIDENT_POLICY, minFailures: 3 },
    breaker: DEFAULT_BREAKER_POLICY,
    exits: 9,
    ...policies,
  })
}

describe('several stores of one process on one file', () => {
  for (const durability of ['sync', 'batched'] as const) {
    test(`${durability}: each sees at its very next call what any of them has changed`, () => {
      const path = freshPath()
      const followers = [1, 2, 3].map(() => new Follower(stores.open({ path, durability })))
      const random = seededRandom(7)
      const oneOf = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]
      const exits = ['e1', 'e2', 'e3', 'e4']
      const outcomes = ['ok', 'blocked', 'rate_limited', 'target_error', 'agent_error']
      const seen = new Set<string>()
      for (let i = 0; i < 600; i++) {
        const { store } = oneOf(followers)
        const [domain, exit] = [oneOf(DOMAINS), oneOf(exits)]
        const act = oneOf([
          () => store.exclude(exit, oneOf([domain, '*']), T + 60_000 + i, T),
          () => store.restore(exit, oneOf([domain, '*']), T),
          () => report(store, domain, exit, oneOf(outcomes), `l${i}`),
          () => store.putAgents([{ id: exit, weight: i + 1 }]),
          () => store.removeAgents([exit]),
          () => store.consume({ key: 'k', policies: [], cost: 1, nowMs: T, opId: 'o' }),
        ])
        act()
        // Who reads all there is for the first time has nothing to remember.
        const truth = new Follower(followers[i % 3].store).known(T)
        const asked = [...followers, ...followers].map((follower) => follower.known(T))
        for (const known of asked) expect(known).toEqual(truth)
        seen.add(JSON.stringify(truth))
      }
      expect(seen.size).toBeGreaterThan(200)
    })
  }

  test('what has not changed is not read again', () => {
    const path = freshPath()
    const [one, two] = [stores.open({ path }), stores.open({ path })]
    one.exclude('e1', 'd1', T + 60_000, T)
    one.putAgents([{ id: 'a' }])
    const domain = one.exclusions('d1', 0, T).version
    const fleet = one.agents(0).version
    const told = [one.exclusions('d1', domain, T), one.agents(fleet)]
    // The same objects again, after this store's own decisions too.
    one.exclude('e1', 'd2', T + 60_000, T)
    report(one, 'd3', 'e3', 'ok', 'l1')
    expect(one.exclusions('d1', domain, T)).toBe(told[0])
    expect(one.agents(fleet)).toBe(told[1])
    two.exclude('e2', 'd1', T + 60_000, T)
    expect(one.exclusions('d1', domain, T).changes.map(({ exit }) => exit)).toEqual(['e2'])
  })

  test('schedulers on them act as one', () => {
    const path = freshPath()
    const clock = new ManualClock(T)
    const [one, two] = [1, 2].map((seed) => {
      const store = stores.open({ path })
      const tiers = {
        free: { policies: [{ name: 'free', limit: 3, windowMs: 60_000 }], permits: 1 },
      }
      return new Scheduler({ store, clock, tiers, random: seededRandom(seed) })
    })
    const request = { domain: 'shop.example' }
    one.agents.upsert(['a', 'b'].map((id) => ({ id, country: 'DE', maxConcurrency: 1 })))
    const first = one.pick(request)
    const second = two.pick(request)
    if (first.kind !== 'picked' || second.kind !== 'picked') throw new Error('two were free')
    expect(new Set([first.agent.id, second.agent.id])).toEqual(new Set(['a', 'b']))
    expect([one.pick(request).kind, two.pick(request).kind]).toEqual(['exhausted', 'exhausted'])
    expect(one.report(first.lease, { kind: 'blocked' }).kind).toBe('applied')
    expect(two.report(second.lease, { kind: 'ok' }).kind).toBe('applied')
    expect(two.pick({ ...request, pin: [first.agent.id] })).toMatchObject({
      cause: 'pinned_excluded',
    })
    expect(two.pick({ ...request, pin: [second.agent.id] }).kind).toBe('picked')
    const admitted = [one, two, one, two].map((each) => each.admit({ key: 'k', tier: 'free' }))
    expect(admitted.map(({ allowed }) => allowed)).toEqual([true, true, true, false])
  })
})
