import {
  DEFAULT_BREAKER_POLICY,
  DEFAULT_HEALTH_POLICY,
  DEFAULT_INCIDENT_POLICY,
  memoryStore,
  type Acquired,
  type Changes,
  type Lease,
  type OutcomeKind,
  type PairRecord,
  type ResolvedPolicy,
  type Store,
} from '@ostler/core'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { check, TIMEOUT_MS } from '../../properties/replay.ts'
import { Stores } from './rig.ts'

const T = 1_200_000_000
const stores = new Stores()

afterEach(() => stores.endFresh())

/** One line of a trace: done to either store, it gives the same. */
interface Step {
  do(desk: Desk): unknown
  toString(): string
}

/** A store, and what a caller of it remembers. Versions are each store's own: callers hand back those that they were given. */
class Desk {
  readonly store: Store<'sync'>
  readonly leases: Lease[] = []
  readonly versions = new Map<string, number>()
  nowMs = T
  readonly #views = new Map<string, Map<string, PairRecord>>()

  constructor(store: Store<'sync'>) {
    this.store = store
    // An empty fleet has a version in one store, and none in the other: who has seen it is told more, or less, of who went.
    this.versions.set('the fleet', store.putAgents([{ id: 'first' }]))
  }

  /**
   * What a caller who follows a domain knows after an answer. When what is forgotten goes, and whether it is told one by one or by a
   * reset, is each store's own affair: it comes to the same.
   */
  told(domain: string, { version, reset, changes, incident, lost }: Changes): unknown {
    const view = reset ? new Map<string, PairRecord>() : (this.#views.get(domain) ?? new Map())
    for (const { exit, record } of changes) {
      if (record === null) view.delete(exit)
      else view.set(exit, record)
    }
    this.#views.set(domain, view)
    this.versions.set(domain, version)
    const known = [...view].filter(([, record]) => this.nowMs < record.forgetAtMs)
    return { known: known.toSorted(byExit), incident, lost }
  }

  seen(domain: string): number {
    return this.versions.get(domain) ?? 0
  }
}

function byExit([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}

function step(text: string, run: (desk: Desk) => unknown): Step {
  return { do: run, toString: () => text }
}

const key = fc.constantFrom('k1', 'k2', 'k3')
const name = fc.constantFrom('a', 'b')
const span = fc.constantFrom(0, 1, 7, 99, 1_000, 4_999, 5_000, 60_000, 600_000, 7_200_000)

const policy: fc.Arbitrary<ResolvedPolicy> = fc.oneof(
  fc.record({
    kind: fc.constant('exact' as const),
    name,
    limit: fc.constantFrom(0, 1, 2, 5, 20, 300),
    windowMs: fc.constantFrom(1, 10, 1_000, 60_000, 3_600_000),
    quantumMs: fc.constantFrom(1, 1, 3, 250, 1_000),
  }),
  fc.record({
    kind: fc.constant('smooth' as const),
    name,
    limit: fc.constantFrom(1, 3, 60),
    windowMs: fc.constantFrom(7, 1_000, 60_000),
    burst: fc.constantFrom(1, 4, 50),
  }),
)
const policies = fc.uniqueArray(policy, { maxLength: 3, selector: ({ name }) => name })
const opId = fc.option(fc.constantFrom('op1', 'op2'), { nil: undefined, freq: 2 })
const cost = fc.constantFrom(1, 1, 2, 5)

const limitStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc
      .record({ key, policies, cost, opId, ttlMs: fc.option(span), write: fc.boolean() })
      .map(({ ttlMs, write, opId, ...call }) => {
        const text = `${write ? 'consume' : 'peek'} ${JSON.stringify({ ...call, opId, ttlMs })}`
        return step(text, ({ store, nowMs }) => {
          const permit = { id: opId ?? `p${nowMs % 5}`, cap: 2, deadlineMs: nowMs + (ttlMs ?? 0) }
          const request = {
            ...call,
            nowMs,
            ...(opId !== undefined && { opId }),
            ...(ttlMs !== null && { permit }),
          }
          return write ? store.consume(request) : store.peek(request)
        })
      }),
  },
  fc.record({ key, policies, cost, opId, agoMs: span }).map(({ agoMs, opId, ...call }) =>
    step(`refund ${JSON.stringify({ ...call, opId, agoMs })}`, ({ store, nowMs }) =>
      store.refund({
        ...call,
        atMs: nowMs - agoMs,
        nowMs,
        ...(opId !== undefined && { opId }),
      }),
    ),
  ),
  fc
    .record({ key, policies })
    .map(({ key, policies }) =>
      step(`usage ${key} ${JSON.stringify(policies)}`, ({ store, nowMs }) => [
        store.usage(key, policies, nowMs),
        store.permits(key, nowMs),
      ]),
    ),
  fc
    .record({ key, id: fc.constantFrom('op1', 'p0', 'p1', 'p2', 'p3'), ttlMs: span })
    .map(({ key, id, ttlMs }) =>
      step(`renew ${key} ${id} ${ttlMs}`, ({ store, nowMs }) =>
        store.renew(key, id, nowMs + ttlMs, nowMs),
      ),
    ),
  fc
    .record({ key, id: fc.constantFrom('op1', 'p0', 'p1', 'p2', 'p3') })
    .map(({ key, id }) =>
      step(`release ${key} ${id}`, ({ store, nowMs }) => store.release(key, id, nowMs)),
    ),
)

const job = fc.constantFrom('job1', 'job2')
const fingerprint = fc.constantFrom('f', 'g')
const jobStep: fc.Arbitrary<Step> = fc.oneof(
  fc
    .record({ id: job, fingerprint, runMs: span, keepMs: span })
    .map(({ runMs, keepMs, ...call }) =>
      step(`begin ${JSON.stringify({ ...call, runMs, keepMs })}`, ({ store, nowMs }) =>
        store.begin({ ...call, nowMs, runUntilMs: nowMs + runMs, expiresAtMs: nowMs + keepMs }),
      ),
    ),
  fc
    .record({ id: job, fingerprint, value: fc.constantFrom('v', null) })
    .map((call) =>
      step(`complete ${JSON.stringify(call)}`, ({ store, nowMs }) =>
        store.complete({ ...call, nowMs }),
      ),
    ),
)

const domain = fc.constantFrom('d1', 'd2')
const exit = fc.constantFrom('e1', 'e2', 'e3', 'e4', 'e5', 'e6')
const kind = fc.constantFrom<OutcomeKind>(
  'ok',
  'ok',
  'rate_limited',
  'challenged',
  'blocked',
  'blocked',
  'target_error',
  'agent_error',
  'neutral',
)
const candidates = fc.uniqueArray(fc.tuple(exit, fc.constantFrom(1, 2, 9)), {
  minLength: 1,
  maxLength: 3,
  selector: ([exit]) => exit,
})
/** An incident opens early: traces are short. */
const incident = { ...DEFAULT_INCIDENT_POLICY, minExclusions: 3, minFailures: 3 }
let leases = 0

const healthStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({ domain, candidates, leaseMs: span })
      .map(({ domain, candidates, leaseMs }) => {
        const id = `lease ${leases++}`
        return step(`acquire ${domain} ${JSON.stringify(candidates)} for ${leaseMs}`, (desk) =>
          acquired(desk, domain, candidates, id, leaseMs),
        )
      }),
  },
  {
    weight: 6,
    arbitrary: fc
      .record({ nth: fc.nat(4), kind, exits: fc.constantFrom(6, 100) })
      .map(({ nth, kind, exits }) =>
        step(`settle leases.at(-${nth + 1}) ${kind}`, (desk) => settled(desk, nth, kind, exits)),
      ),
  },
  fc
    .record({ domain: fc.oneof(domain, fc.constant('*')), exit, forMs: span })
    .map((call) =>
      step(`exclude ${JSON.stringify(call)}`, ({ store, nowMs }) =>
        store.exclude(call.exit, call.domain, nowMs + call.forMs, nowMs),
      ),
    ),
  fc
    .record({ domain: fc.oneof(domain, fc.constant('*')), exit })
    .map(({ domain, exit }) =>
      step(`restore ${exit} ${domain}`, ({ store, nowMs }) => store.restore(exit, domain, nowMs)),
    ),
  domain.map((domain) =>
    step(`exclusions ${domain}`, (desk) => {
      const { store, nowMs } = desk
      return desk.told(domain, store.exclusions(domain, desk.seen(domain), nowMs))
    }),
  ),
  fc
    .tuple(domain, domain)
    .map(([from, to]) =>
      step(`merge ${from} into ${to}`, ({ store, nowMs }) =>
        store.merge(to, store.exclusions(from, 0, nowMs).changes, nowMs),
      ),
    ),
  fc
    .record({ ids: fc.array(exit, { maxLength: 3 }), country: fc.constantFrom('DE', 'AT') })
    .map(({ ids, country }) =>
      step(`putAgents ${ids.join()} ${country}`, ({ store }) => {
        store.putAgents(ids.map((id) => ({ id, country })))
      }),
    ),
  fc.array(exit, { maxLength: 3 }).map((ids) =>
    step(`removeAgents ${ids.join()}`, ({ store }) => {
      store.removeAgents(ids)
    }),
  ),
  fc.constant(
    step('agents', (desk) => {
      const answer = desk.store.agents(desk.seen('the fleet'))
      desk.versions.set('the fleet', answer.version)
      return [answer.changes, answer.reset, desk.store.agents(0).changes]
    }),
  ),
)

function acquired(
  desk: Desk,
  domain: string,
  candidates: readonly (readonly [exit: string, most: number])[],
  id: string,
  leaseMs: number,
): unknown {
  const { store, nowMs } = desk
  const deadlineMs = nowMs + leaseMs
  const answer: Acquired = store.acquire({
    domain,
    candidates: candidates.map(([exit, maxConcurrency]) => ({
      agentId: exit,
      exit,
      maxConcurrency,
    })),
    leaseId: id,
    deadlineMs,
    nowMs,
    viewVersion: desk.seen(domain),
    health: DEFAULT_HEALTH_POLICY,
  })
  const { changes, ...rest } = answer
  if (answer.kind === 'acquired') {
    const { index, epoch, probe } = answer
    const exit = candidates[index][0]
    const at = { pickedAtMs: nowMs, deadlineMs }
    desk.leases.push({ id, agentId: exit, exit, domain, epoch, probe, ...at })
  }
  return [rest, desk.told(domain, changes)]
}

function settled(desk: Desk, nth: number, kind: OutcomeKind, exits: number): unknown {
  const { store, nowMs } = desk
  const lease = desk.leases.at(-nth - 1)
  if (lease === undefined) return null
  const { changes, ...rest } = store.settle({
    lease,
    outcome: { kind },
    nowMs,
    viewVersion: desk.seen(lease.domain),
    health: DEFAULT_HEALTH_POLICY,
    incident,
    breaker: DEFAULT_BREAKER_POLICY,
    exits,
  })
  return [rest, desk.told(lease.domain, changes)]
}

const advance = span.map((ms) =>
  step(`advance ${ms}`, (desk) => {
    desk.nowMs += ms
  }),
)

/** Every step of a trace gives what the memory store gives. */
function sameAsMemory(steps: fc.Arbitrary<Step>, open: () => Store<'sync'>) {
  const line = fc.oneof({ weight: 5, arbitrary: steps }, { weight: 1, arbitrary: advance })
  return fc.property(fc.array(line, { maxLength: 150, size: 'max' }), (trace) => {
    const [memory, sqlite] = [new Desk(memoryStore()), new Desk(open())]
    for (const each of trace) {
      expect(each.do(sqlite), each.toString()).toEqual(each.do(memory))
    }
    stores.endFresh()
  })
}

for (const durability of ['sync', 'batched'] as const) {
  const open = (): Store<'sync'> => stores.openFresh({ durability })
  const RUNS = 100

  test(
    `${durability}: limits, permits and operations are decided as in memory`,
    () => check(sameAsMemory(limitStep, open), RUNS),
    TIMEOUT_MS,
  )

  test(
    `${durability}: idempotency is decided as in memory`,
    () => check(sameAsMemory(jobStep, open), RUNS / 4),
    TIMEOUT_MS,
  )

  test(
    `${durability}: dispatches, reports and the fleet are decided as in memory`,
    () => check(sameAsMemory(healthStep, open), RUNS),
    TIMEOUT_MS,
  )
}
