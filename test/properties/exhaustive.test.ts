import type { Agent, OutcomeKind } from '@ostler/core'
import { pickCommand, reportCommand, type World } from '@ostler/testkit'
import { expect, test } from 'vitest'
import { openWorld } from './rig.ts'

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

/** Three agents, two exits. */
const FLEET: readonly Agent[] = [{ id: 'a0', exitIp: 'x' }, { id: 'a1', exitIp: 'x' }, { id: 'a2' }]

/** One way to bring a sequence of outcomes about, on two domains that nothing is known of. */
type Course = (world: World, outcomes: readonly OutcomeKind[], domains: readonly string[]) => void

/** One pair, each outcome as soon as it may be picked again. */
const onePair: Course = (world, outcomes, [domain]) => {
  for (const kind of outcomes) {
    const request = { domain, pin: ['a0'], seed: 1 }
    const { retryAtMs } = retry(world, request)
    if (retryAtMs > world.nowMs()) world.clock.set(retryAtMs)
    pickCommand(request).run(world)
    reportCommand(0, { kind }).run(world)
  }
}

/** All leases out before the first report, told in order: agents share an exit, domains do not. */
const inFlight: Course = (world, outcomes, [first, second]) => {
  const pins = ['a0', 'a1', 'a2', 'a0', 'a1']
  pins.forEach((id, i) => {
    const domain = i === 3 ? second : first
    pickCommand({ domain, pin: [id], seed: 1 }).run(world)
  })
  outcomes.forEach((kind, i) => reportCommand(LENGTH - 1 - i, { kind }).run(world))
  pickCommand({ domain: first, seed: 2 }).run(world)
}

/** Whoever is picked, domain by turns, half a minute apart. */
const byTurns: Course = (world, outcomes, domains) => {
  outcomes.forEach((kind, i) => {
    const before = world.leases.length
    pickCommand({ domain: domains[i % 2], seed: i }).run(world)
    if (world.leases.length > before) reportCommand(0, { kind }).run(world)
    world.clock.advance(31_000)
  })
}

test.each([
  ['one pair, waiting for it', onePair],
  ['five leases in flight', inFlight],
  ['two domains by turns', byTurns],
])(
  'deterministic: all outcome sequences up to length 5, %s',
  (_, course) => {
    const world = openWorld(FLEET)
    let sequences = 0
    for (const outcomes of allSequences()) {
      const domains = [`a${sequences}.example`, `b${sequences}.example`]
      try {
        course(world, outcomes, domains)
      } catch (error) {
        throw new Error(`outcomes ${outcomes.join(', ')}: ${String(error)}`, { cause: error })
      }
      settle(world, outcomes)
      sequences++
    }
    // Shorter ones are their beginnings: every line of them is checked on the way.
    expect(sequences).toBe(KINDS.length ** LENGTH)
  },
  120_000,
)

/** What the pair's next pick needs to wait for, asked of the model. */
function retry(world: World, request: Parameters<typeof pickCommand>[0]): { retryAtMs: number } {
  const answer = world.ask(request)
  return { retryAtMs: answer.kind === 'exhausted' ? (answer.retryAtMs ?? 0) : 0 }
}

/** No lease is left out, and no agent rests: the next sequence begins with nothing known of its domains. */
function settle(world: World, outcomes: readonly OutcomeKind[]): void {
  const untold = world.leases.length - outcomes.length
  for (let nth = 0; nth < untold; nth++) reportCommand(nth, { kind: 'neutral' }).run(world)
  world.leases.length = 0
  if (!outcomes.includes('agent_error')) return
  world.clock.advance(300_000)
  for (const { id } of FLEET) {
    pickCommand({ domain: 'fine.example', pin: [id], seed: 1 }).run(world)
    reportCommand(0, { kind: 'ok', latencyMs: 300 }).run(world)
  }
  world.leases.length = 0
}

function* allSequences(): Generator<readonly OutcomeKind[]> {
  const total = KINDS.length ** LENGTH
  for (let n = 0; n < total; n++) {
    const outcomes: OutcomeKind[] = []
    for (let rest = n, i = 0; i < LENGTH; i++, rest = Math.floor(rest / KINDS.length)) {
      outcomes.push(KINDS[rest % KINDS.length])
    }
    yield outcomes
  }
}
