import { expect } from 'vitest'
import type { NaiveHealth } from './health-naive.ts'
import type { PairRecord } from '../../packages/core/src/health/record.ts'
import type { Policies, Seen, Step } from './health-world.ts'
import { AGENTS, DOMAINS, EXITS, World } from './health-world.ts'

/** Takes one step in the store and in the naive twin, and compares all that a caller sees of both. */
export function follow(world: World, naive: NaiveHealth, step: Step): Seen {
  const { nowMs } = world
  const wanted = step.do === 'acquire' ? step.of.map((i) => AGENTS[i]) : []
  const domain = step.do === 'acquire' ? step.domain : ''
  const choice = wanted.findIndex(
    ({ agentId, exit, maxConcurrency }) =>
      naive.verdict(exit, domain, nowMs) !== 'no' &&
      naive.inFlight(agentId, nowMs) < maxConcurrency,
  )
  const probe = choice >= 0 && naive.verdict(wanted[choice].exit, domain, nowMs) === 'probe'
  const seen = world.step(step)
  const { acquired, settled } = seen
  if (acquired !== undefined) {
    const { answer, lease } = acquired
    same('candidate', answer.kind === 'acquired' ? answer.index : -1, choice)
    if (lease !== undefined) {
      same('probe', lease.probe, probe)
      same('epoch', lease.epoch, naive.epoch(lease.exit, domain, nowMs))
      naive.take(lease, nowMs)
    }
  }
  if (settled !== undefined && step.do === 'settle') {
    const kind = naive.report(settled.lease, step.kind, step.retryAfterMs ?? 0, nowMs)
    same('report', settled.answer.kind, kind)
  }
  if (step.do === 'exclude') naive.exclude(step.exit, step.domain, nowMs + step.ms, nowMs)
  if (step.do === 'restore') naive.restore(step.exit, step.domain, nowMs)
  compare(world, naive)
  return seen
}

function compare(world: World, naive: NaiveHealth): void {
  const { nowMs } = world
  for (const domain of DOMAINS) {
    const { changes, incident } = world.store.exclusions(domain, 0, world.clockMs)
    const records = new Map(changes.map(({ exit, record }) => [exit, record]))
    same(`incident of ${domain}`, incident !== null, naive.isOpen(domain, nowMs))
    for (const exit of EXITS) {
      const record = records.get(exit)
      const pair = `${exit} ${domain}`
      same(`epoch of ${pair}`, record?.epoch ?? 0, naive.epoch(exit, domain, nowMs))
      same(`strikes of ${pair}`, record?.strikes ?? 0, naive.strikes(exit, domain, nowMs))
    }
  }
}

/** An assertion costs microseconds, and there are millions of these: only one that fails is made. */
function same(what: string, ours: unknown, naive: unknown): void {
  if (ours !== naive) expect({ [what]: ours }).toEqual({ [what]: naive })
}

/** Runs steps in a fresh world and looks after each. */
export function drive(
  policies: Policies,
  steps: readonly Step[],
  look: (world: World, step: Step, seen: ReturnType<World['step']>) => void,
): World {
  const world = new World(policies)
  for (const step of steps) look(world, step, world.step(step))
  return world
}

/** The outcomes that shut a pair. */
export const excludes = (kind: string): boolean =>
  ['blocked', 'challenged', 'rate_limited'].includes(kind)

/** A record without what a released probe may change. */
export function bare(record: PairRecord | null): object | null {
  if (record === null) return null
  const { probe: _, forgetAtMs: __, ...rest } = record
  return rest
}
