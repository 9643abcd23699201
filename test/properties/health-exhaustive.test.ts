import { describe, expect, it } from 'vitest'
import type { OutcomeKind, PairRecord } from '../../packages/core/src/health/record.ts'
import type { Lease } from '../../packages/core/src/store/store.ts'
import { isPickable, stateAt } from '../../packages/core/src/health/record.ts'
import { transition } from '../../packages/core/src/health/transition.ts'
import { follow } from './health-follow.ts'
import { NaiveHealth } from './health-naive.ts'
import { DOMAINS, EXITS, QUICK, START_MS, World, type Step } from './health-world.ts'
import { TIMEOUT_MS } from './replay.ts'

const KINDS: readonly OutcomeKind[] = [
  'ok',
  'rate_limited',
  'challenged',
  'blocked',
  'target_error',
  'agent_error',
  'neutral',
]
const LENGTH = 5
const [SHOP, NEWS] = DOMAINS
const POLICIES = {
  health: QUICK,
  incident: { minExclusions: 2, exclusionShare: 0, minFailures: 2, failureShare: 0.3 },
}

/** Three agents: a0 and a1 share the exit x, a2 has y. */
const BOTH = [0, 1]
const ALL = [0, 1, 2]

interface Plan {
  readonly name: string
  /** Who is asked for each dispatch, for which domain, and how far the clock moves after it. */
  readonly dispatches: readonly {
    readonly of: readonly number[]
    readonly domain: string
    readonly ms: number
  }[]
  /** All leases are taken before the first report. */
  readonly burst: boolean
}

const PLANS: readonly Plan[] = [
  {
    name: 'one pair, each dispatch when it is pickable again',
    burst: false,
    dispatches: Array.from({ length: LENGTH }, () => ({ of: BOTH, domain: SHOP, ms: 25_000 })),
  },
  {
    name: 'one pair, hurried',
    burst: false,
    dispatches: Array.from({ length: LENGTH }, () => ({ of: ALL, domain: SHOP, ms: 2_500 })),
  },
  {
    name: 'two domains in turn',
    burst: false,
    dispatches: Array.from({ length: LENGTH }, (_, i) => ({
      of: ALL,
      domain: DOMAINS[i % 2],
      ms: 6_000,
    })),
  },
  {
    name: 'a burst of leases, told one after the other',
    burst: true,
    dispatches: [
      { of: [0], domain: SHOP, ms: 1 },
      { of: [2], domain: SHOP, ms: 1 },
      { of: [1], domain: SHOP, ms: 10_500 },
      { of: [0], domain: NEWS, ms: 1 },
      { of: [0], domain: SHOP, ms: 1 },
    ],
  },
]

/** Every sequence of outcomes of full length: the shorter ones are their beginnings, and each step is looked at. */
function* sequences(): Generator<readonly OutcomeKind[]> {
  for (let n = 0; n < KINDS.length ** LENGTH; n++) {
    yield Array.from({ length: LENGTH }, (_, i) => KINDS[Math.floor(n / KINDS.length ** i) % 7])
  }
}

function run(plan: Plan, outcomes: readonly OutcomeKind[]): void {
  const world = new World(POLICIES)
  const naive = new NaiveHealth(POLICIES, EXITS.length)
  const leases: (Lease | undefined)[] = []
  const dispatch = (i: number): void => {
    const { of, domain } = plan.dispatches[i]
    const { acquired } = follow(world, naive, { do: 'acquire', of, domain })
    leases[i] = acquired?.lease
  }
  if (plan.burst) for (let i = 0; i < LENGTH; i++) dispatch(i)
  for (let i = 0; i < LENGTH; i++) {
    if (!plan.burst) dispatch(i)
    const lease = leases[i]
    if (lease !== undefined) {
      const fromNewest = world.leases.length - 1 - world.leases.indexOf(lease)
      report(world, naive, { do: 'settle', lease: fromNewest, kind: outcomes[i] }, lease)
    }
    world.move(plan.dispatches[i].ms)
  }
}

/** One report, in both, and the laws that can be read off the records before and after. */
function report(
  world: World,
  naive: NaiveHealth,
  step: Step & { do: 'settle' },
  lease: Lease,
): void {
  const before = world.records()
  const { settled } = follow(world, naive, step)
  const after = world.records()
  const own = `${lease.exit} ${lease.domain}`
  const excluded =
    step.kind === 'blocked' || step.kind === 'challenged' || step.kind === 'rate_limited'
  for (const pair of new Set([...before.keys(), ...after.keys()])) {
    if (pair === own) continue
    check('isolation', step, JSON.stringify(after.get(pair)) === JSON.stringify(before.get(pair)))
  }
  const [was, is] = [before.get(own) ?? null, after.get(own) ?? null]
  const strikes = (is?.strikes ?? 0) - (was?.strikes ?? 0)
  if (settled?.answer.kind === 'stale') {
    check('fencing', step, strikes === 0 && (is?.untilMs ?? 0) === (was?.untilMs ?? 0))
  } else if (excluded) {
    const state = stateAt(is, world.nowMs)
    check(
      'exclusion',
      step,
      !isPickable(state) && is!.untilMs >= (was?.untilMs ?? 0) && strikes <= 1,
    )
    for (const agentId of ['a0', 'a1', 'a new one']) {
      const asked = { agentId, exit: lease.exit, maxConcurrency: 9 }
      const { kind } = world.store.acquire({
        domain: lease.domain,
        candidates: [asked],
        leaseId: 'never',
        deadlineMs: world.nowMs + 1,
        nowMs: world.clockMs,
        viewVersion: 0,
        health: QUICK,
      })
      check('exclusion', step, kind === 'refused')
    }
  } else check('no-panic', step, strikes <= 0)
  const again = world.settle(lease, step.kind)
  check('idempotent-report', step, again.kind === 'stale')
  check('idempotent-report', step, JSON.stringify(again.record) === JSON.stringify(is))
  if (is !== null) recovers(is, world.nowMs, step)
}

/** From what is written alone, the pair is pickable at the instant that its state names, and not before. */
function recovers(record: PairRecord, nowMs: number, step: Step): void {
  const state = stateAt(record, nowMs)
  if (state.health === 'available' || isPickable(state)) return
  const { untilMs } = state
  check('recovery', step, untilMs > nowMs && untilMs < nowMs + 86_400_000)
  check('recovery', step, isPickable(stateAt(record, untilMs)))
  check('recovery', step, !isPickable(stateAt(record, untilMs - 1)))
}

function check(law: string, step: Step, holds: boolean): void {
  if (!holds) expect.fail(`${law} does not hold at ${JSON.stringify(step)}`)
}

describe(
  'every sequence of 5 outcomes over 3 agents, 2 exits and 2 domains',
  { timeout: TIMEOUT_MS },
  () => {
    for (const plan of PLANS) {
      it(`exclusion, isolation, recovery, fencing, idempotent-report: ${plan.name}`, () => {
        let done = 0
        for (const outcomes of sequences()) {
          try {
            run(plan, outcomes)
          } catch (error) {
            throw new Error(`${plan.name}: ${outcomes.join(', ')}`, { cause: error })
          }
          done++
        }
        expect(done).toBe(16_807)
      })
    }

    it('recovery: every record that 5 outcomes and 3 waits can make is pickable again within a day', () => {
      const waitsMs = [1, 5_000, 70_000]
      let visited = 0
      const visit = (record: PairRecord | null, nowMs: number, left: number): void => {
        visited++
        if (record !== null) recovers(record, nowMs, { do: 'move', ms: 0 })
        if (left === 0) return
        for (const kind of KINDS) {
          const given = trial(record, nowMs)
          const { epoch } = given ?? { epoch: 0 }
          const event = { kind: 'outcome', epoch, leaseId: 'l', capped: left === 2 } as const
          const outcome = { kind }
          const after = transition(
            given,
            { ...event, outcome, exit: 'x', domain: SHOP },
            nowMs,
            QUICK,
          )
          for (const ms of waitsMs) visit(after, nowMs + ms, left - 1)
        }
      }
      visit(null, START_MS, 4)
      expect(visited).toBe(1 + 21 + 21 ** 2 + 21 ** 3 + 21 ** 4)
    })
  },
)

/** The record with its probe given out, where there is one to give. */
function trial(record: PairRecord | null, nowMs: number): PairRecord | null {
  return transition(
    record,
    { kind: 'probe', leaseId: 'l', deadlineMs: nowMs + 1_000 },
    nowMs,
    QUICK,
  )
}
