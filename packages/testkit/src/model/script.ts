import fc from 'fast-check'
import type { Agent, PickRequest } from '@ostler/core'
import { agentArbitrary, outcomeArbitrary, requestArbitrary } from '../arbitraries.ts'
import { command, literal, type Command } from './command.ts'
import * as health from './health.ts'
import * as limits from './limits.ts'
import { explainCommand, pickCommand } from './pick.ts'

/** What a script may name. Small sets, so that commands meet. */
export interface ScriptPools {
  /** Ids that may come and go; none may be empty. */
  readonly ids: readonly string[]
  readonly domains: readonly string[]
  readonly keys: readonly string[]
  /** Tiers, and whether each offers permits. */
  readonly tiers: readonly { readonly name: string; readonly permits: boolean }[]
}

/** Spans that meet the edges of windows, rungs, leases and late reports. */
const SPANS: readonly number[] = [
  0, 1, 250, 999, 1_000, 4_999, 5_000, 10_000, 29_999, 30_000, 36_000, 60_000, 61_000, 120_000,
  144_000, 300_000, 360_000, 1_440_000, 3_600_000, 4_320_000, 8_000_000,
]

/** A script of up to `maxLength` commands of all kinds. */
export function scriptArbitrary(
  pools: ScriptPools,
  maxLength: number,
): fc.Arbitrary<readonly Command[]> {
  return fc.array(commandArbitrary(pools), { maxLength, size: 'max' })
}

/** Any one command, in the proportions of a busy day. */
export function commandArbitrary(pools: ScriptPools): fc.Arbitrary<Command> {
  const { ids, domains } = pools
  const request = requestArbitrary(pools)
  const nth = fc.oneof({ weight: 4, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(30) })
  const span = fc.constantFrom(...SPANS)
  const awhile = fc.constantFrom(...SPANS.filter((ms) => ms > 0))
  const id = fc.constantFrom(...ids)
  const domain = fc.constantFrom(...domains)
  const target = fc.constantFrom(...domains, '*')
  const admission = admissionArbitrary(pools)
  return fc.oneof(
    { weight: 30, arbitrary: request.map(pickCommand) },
    { weight: 3, arbitrary: request.map(explainCommand) },
    { weight: 4, arbitrary: sessionArbitrary(request).map(pickCommand) },
    {
      weight: 25,
      arbitrary: fc.tuple(nth, outcomeArbitrary).map((a) => health.reportCommand(...a)),
    },
    { weight: 1, arbitrary: waveArbitrary(domain) },
    { weight: 8, arbitrary: span.map(advanceCommand) },
    { weight: 2, arbitrary: fc.nat(1).map(advanceToRetryCommand) },
    { weight: 1, arbitrary: span.map(backCommand) },
    { weight: 2, arbitrary: fc.tuple(id, target, awhile).map((a) => health.excludeCommand(...a)) },
    { weight: 2, arbitrary: fc.tuple(id, target).map((a) => health.restoreCommand(...a)) },
    { weight: 1, arbitrary: domain.map(health.healthCommand) },
    { weight: 3, arbitrary: id.chain(agentArbitrary).map(upsertCommand) },
    { weight: 1, arbitrary: id.map(drainCommand) },
    { weight: 1, arbitrary: id.map(removeCommand) },
    { weight: 12, arbitrary: admission.map(limits.admitCommand) },
    { weight: 2, arbitrary: nth.map(limits.refundCommand) },
    { weight: 1, arbitrary: renewArbitrary(nth) },
    { weight: 1, arbitrary: nth.map(limits.releaseCommand) },
    { weight: 1, arbitrary: usageArbitrary(pools) },
  )
}

function usageArbitrary({ keys, tiers }: ScriptPools): fc.Arbitrary<Command> {
  return fc
    .tuple(fc.constantFrom(...keys), fc.constantFrom(...tiers))
    .map(([key, { name }]) => limits.usageCommand(key, name))
}

function renewArbitrary(nth: fc.Arbitrary<number>): fc.Arbitrary<Command> {
  return fc
    .tuple(nth, fc.constantFrom(1, 5_000, 60_000))
    .map(([n, ttlMs]) => limits.renewCommand(n, ttlMs))
}

function admissionArbitrary({ keys, tiers }: ScriptPools) {
  return fc
    .tuple(
      fc.constantFrom(...keys),
      fc.constantFrom(...tiers),
      fc.integer({ min: 1, max: 3 }),
      fc.option(fc.constantFrom(1, 5_000, 40_000)),
      fc.option(fc.constantFrom('op1', 'op2', 'op3'), { freq: 2 }),
    )
    .map(([key, tier, cost, ttlMs, opId]) => ({
      key,
      tier: tier.name,
      cost,
      ...(tier.permits && ttlMs !== null && { permit: { ttlMs } }),
      ...(opId !== null && { opId }),
    }))
}

function sessionArbitrary(request: fc.Arbitrary<PickRequest>): fc.Arbitrary<PickRequest> {
  return fc
    .tuple(request, fc.constantFrom('s1', 's2', 's3'))
    .map(([plain, session]) => ({ ...plain, session }))
}

function waveArbitrary(domain: fc.Arbitrary<string>): fc.Arbitrary<Command> {
  return fc
    .tuple(domain, outcomeArbitrary, fc.integer({ min: 1, max: 12 }))
    .map(([name, outcome, picks]) => health.waveCommand({ domain: name }, outcome, picks))
}

export function advanceCommand(ms: number): Command {
  return command(
    () => `advance(${ms})`,
    (world) => {
      world.clock.advance(ms)
    },
  )
}

/** To the instant that the last refusal named, or just before it. */
export function advanceToRetryCommand(beforeMs: number): Command {
  return command(
    () => `advance to retryAtMs - ${beforeMs}`,
    (world) => {
      const atMs = world.retryAtMs - beforeMs
      if (atMs > world.clock.nowMs()) world.clock.set(atMs)
    },
  )
}

/** The machine's clock steps back; time does not. */
export function backCommand(ms: number): Command {
  return command(
    () => `clock back ${ms}`,
    (world) => {
      world.clock.set(Math.max(1, world.clock.nowMs() - Math.min(ms, 5_000)))
    },
  )
}

export function upsertCommand(agent: Agent): Command {
  return command(
    () => `upsert([${literal(agent)}])`,
    (world) => world.upsert([agent]),
  )
}

export function drainCommand(id: string): Command {
  return command(
    () => `drain([${literal(id)}])`,
    (world) => world.drain([id]),
  )
}

export function removeCommand(id: string): Command {
  return command(
    () => `remove([${literal(id)}])`,
    (world) => world.remove([id]),
  )
}
