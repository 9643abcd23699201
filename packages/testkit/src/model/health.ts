import type { Lease, Outcome, PickRequest } from '@ostler/core'
import { same } from '../contract/assert.ts'
import { command, literal, type Command } from './command.ts'
import type { World } from './world.ts'

/** Reports the nth lease from the last: in time, late, or once more. */
export function reportCommand(nth: number, outcome: Outcome): Command {
  return command(
    () => `report(leases.at(-${nth + 1}), ${literal(outcome)})`,
    (world) => {
      const lease = world.leases.at(-nth - 1)
      if (lease !== undefined) report(world, lease, outcome)
    },
  )
}

/** Picks and reports over and over, each time another agent: what provokes an incident, or ends one. */
export function waveCommand(request: PickRequest, outcome: Outcome, picks: number): Command {
  return command(
    () => `wave of ${picks}: pick(${literal(request)}), report(${literal(outcome)})`,
    (world) => {
      for (let i = 0; i < picks; i++) {
        const nowMs = world.nowMs()
        const picked = world.scheduler.pick({ ...request, seed: i })
        if (picked.kind === 'exhausted') return
        world.leases.push(picked.lease)
        world.naive.take(picked.lease, nowMs)
        report(world, picked.lease, outcome)
      }
    },
  )
}

export function excludeCommand(agentId: string, domain: string, forMs: number): Command {
  return command(
    () => `exclude(${literal(agentId)}, ${literal(domain)}, now + ${forMs})`,
    (world) => {
      if (world.scheduler.agents.get(agentId) === undefined) return
      const nowMs = world.nowMs()
      world.scheduler.exclude(agentId, domain, nowMs + forMs)
      world.naive.exclude(agentId, domain, nowMs + forMs, nowMs)
    },
  )
}

export function restoreCommand(agentId: string, domain: string): Command {
  return command(
    () => `restore(${literal(agentId)}, ${literal(domain)})`,
    (world) => {
      if (world.scheduler.agents.get(agentId) === undefined) return
      world.scheduler.restore(agentId, domain)
      world.naive.restore(agentId, domain, world.nowMs())
    },
  )
}

/** Compares a domain's counts and incident. */
export function healthCommand(domain: string): Command {
  return command(
    () => `health(${literal(domain)})`,
    (world) => compareHealth(world, domain),
  )
}

function report(world: World, lease: Lease, outcome: Outcome): void {
  const expected = world.naive.report(lease, outcome, world.nowMs())
  same(world.scheduler.report(lease, outcome).kind, expected, 'report')
  compareHealth(world, lease.domain)
}

function compareHealth(world: World, domain: string): void {
  const nowMs = world.nowMs()
  const { counts, incident, nextRecoveryAtMs } = world.scheduler.health(domain, { limit: 1 })
  same(counts, world.naive.counts(domain, nowMs), 'health counts')
  same(nextRecoveryAtMs, world.naive.nextRecoveryAtMs(domain, nowMs), 'next recovery')
  const openedAtMs = world.naive.health.incident(domain).openedAtMs(nowMs)
  same(incident?.openedAtMs ?? 0, openedAtMs, 'incident')
}
