import type { Explained, PickRequest, PickResult } from '@ostler/core'
import { holds, same } from '../contract/assert.ts'
import type { NaivePick } from '../naive/scheduler.ts'
import { command, literal, type Command } from './command.ts'
import type { World } from './world.ts'

/** Asks the model, explains, and picks: all three name the same agent, or the same refusal. */
export function pickCommand(request: PickRequest): Command {
  return command(
    () => `pick(${literal(request)})`,
    (world) => {
      const expected = world.ask(request)
      const { scheduler } = world
      const explained = scheduler.explain(request)
      const picked = scheduler.pick(request)
      same(outlineOf(explained), outlineOf(picked), 'explain-is-pick')
      if (request.session === undefined) {
        same(outlineOf(picked), outlineOf(expected), 'deterministic: the naive pick')
        // Where an incident holds the domain back nothing is visited, and which places may hold
        // agents within a radius is not the model's to say.
        if (explained.localities.length > 0 && !request.geo?.includes('radius')) {
          same(visited(explained), visited(expected), 'counts of the visited steps')
        }
      } else checkSession(world, request, picked, expected)
      settle(world, picked, expected)
    },
  )
}

/** Explains only; the model is not told, so anything it writes shows later. */
export function explainCommand(request: PickRequest): Command {
  return command(
    () => `explain(${literal(request)})`,
    (world) => {
      const expected = world.ask(request)
      const explained = world.scheduler.explain(request)
      if (request.session === undefined) same(outlineOf(explained), outlineOf(expected), 'explain')
      same(world.scheduler.explain(request), explained, 'explain, asked again')
      checkShown(explained)
    },
  )
}

function settle(world: World, picked: PickResult, expected: NaivePick): void {
  if (picked.kind === 'exhausted') {
    world.retryAtMs = picked.retryAtMs ?? world.retryAtMs
    return
  }
  const { lease, agent, probe } = picked
  const nowMs = world.nowMs()
  same(
    [lease.agentId, lease.exit, lease.pickedAtMs, lease.probe],
    [agent.id, agent.exitIp ?? agent.id, nowMs, probe],
    'lease',
  )
  same(lease.epoch, world.naive.health.pair(lease.exit, lease.domain, nowMs).epoch, 'epoch')
  holds(expected.kind === 'picked', 'a pick of the model too')
  world.leases.push(lease)
  world.naive.take(lease, nowMs)
}

/**
 * The agent of a session is one that a walk could give; a probe only where nobody is available.
 * A refusal is everyone's.
 */
function checkSession(
  world: World,
  request: PickRequest,
  picked: PickResult,
  expected: NaivePick,
): void {
  if (picked.kind === 'exhausted') {
    same(outlineOf(picked), outlineOf(expected), 'deterministic: the naive refusal')
    return
  }
  const { available, probes } = world.naive.eligible(world.question(request))
  const { id } = picked.agent
  const could = picked.probe && available.length === 0 ? probes : available
  holds(could.includes(id), `an agent of the nearest step: ${could.join()}, got ${id}`)
}

/** Each shown candidate has one reason; exactly one is picked, if any. */
function checkShown(explained: Explained): void {
  const ids = explained.candidates.map(({ agent }) => agent.id)
  same(new Set(ids).size, ids.length, 'candidates, each once')
  const chosen = explained.candidates.filter(({ reason }) => reason === 'picked')
  same(
    chosen.map(({ agent }) => agent.id),
    explained.kind === 'picked' ? [explained.agent.id] : [],
    'the candidate that is picked',
  )
  for (const { total, available, excluded, down } of explained.localities) {
    same(total, available + excluded + down, 'total of a locality')
  }
}

/** What pick, explain and the model all say. */
function outlineOf(result: PickResult | Explained | NaivePick): unknown {
  if (result.kind === 'picked') {
    const { agent, probe, distanceKm } = result
    return [agent.id, probe, distanceKm]
  }
  const { cause, retryAtMs, counts } = result
  return [cause, retryAtMs, counts]
}

/** Steps with nobody up do not stop a walk: whether they are listed is not the model's to say. */
function visited(result: Explained | NaivePick): unknown {
  return result.localities
    .filter(({ available, excluded }) => available + excluded > 0)
    .map(({ total, available, excluded, down, busy }) => [total, available, excluded, down, busy])
    .slice(0, 100)
}
