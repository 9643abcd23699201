import type { AdmitRequest, ConsumeRequest, Decision, ResolvedPolicy } from '@ostler/core'
import { same } from '../contract/assert.ts'
import { command, literal, type Command } from './command.ts'
import type { World } from './world.ts'

/** Admits by both, and keeps what was admitted. */
export function admitCommand(request: AdmitRequest): Command {
  return command(
    () => `admit(${literal(request)})`,
    (world) => {
      const asked = request.opId ?? 'not taken'
      const expected = world.limiter.peek(consumeOf(world, request, asked))
      same(verdictOf(world.scheduler.peek(request)), expected, 'peek')
      const first = world.remembered(request.key, request.opId)
      const again = first !== undefined && literal(world.requests.get(first)) === literal(request)
      const decision = world.scheduler.admit(request)
      same(verdictOf(decision), expected, 'admit')
      if (first !== undefined) {
        // Another request under the same name is given the first one's verdict, and no promise more.
        if (again) same(decision, first, 'idempotent-op: the repeat')
        return
      }
      const { permit } = decision
      world.limiter.consume(consumeOf(world, request, permit?.id ?? asked))
      if (!decision.allowed) return
      world.decisions.push(decision)
      world.requests.set(decision, request)
      if (permit !== undefined) world.permits.push(permit)
    },
  )
}

export function usageCommand(key: string, tier: string): Command {
  return command(
    () => `usage(${literal(key)}, ${literal(tier)})`,
    (world) => {
      const nowMs = world.nowMs()
      const usage = world.scheduler.usage(key, tier).filter(({ policy }) => policy !== 'permits')
      same(usage, world.limiter.usage(key, policiesOf(world, tier), nowMs), 'usage')
    },
  )
}

/** Gives back the nth decision from the last, perhaps once more. */
export function refundCommand(nth: number): Command {
  return command(
    () => `refund(decisions.at(-${nth + 1}))`,
    (world) => {
      const decision = world.decisions.at(-nth - 1)
      if (decision === undefined) return
      const expected = !world.refunded.has(decision) && refundOf(world, decision)
      world.refunded.add(decision)
      same(world.scheduler.refund(decision), expected, 'refund')
    },
  )
}

function refundOf(world: World, decision: Decision): boolean {
  const { key, tier, cost, atMs, opId } = decision
  const request = { key, policies: policiesOf(world, tier), cost, atMs, nowMs: world.nowMs() }
  return world.limiter.refund(opId === undefined ? request : { ...request, opId })
}

export function renewCommand(nth: number, ttlMs: number): Command {
  return command(
    () => `renew(permits.at(-${nth + 1}), ${ttlMs})`,
    (world) => {
      const permit = world.permits.at(-nth - 1)
      if (permit === undefined) return
      const nowMs = world.nowMs()
      const { key, id } = permit
      const held = world.limiter.permits.renew(key, id, nowMs + ttlMs, nowMs)
      const renewed = world.scheduler.renew(permit, ttlMs)
      same(renewed, held ? { ...permit, deadlineMs: nowMs + ttlMs } : null, 'renew')
    },
  )
}

export function releaseCommand(nth: number): Command {
  return command(
    () => `release(permits.at(-${nth + 1}))`,
    (world) => {
      const permit = world.permits.at(-nth - 1)
      if (permit === undefined) return
      const held = world.limiter.permits.release(permit.key, permit.id, world.nowMs())
      same(world.scheduler.release(permit), held, 'release')
    },
  )
}

/** A request as the model's limiter takes it, with the permit id that the scheduler chose. */
function consumeOf(world: World, request: AdmitRequest, permitId: string): ConsumeRequest {
  const { key, tier, cost = 1, permit, opId } = request
  const nowMs = world.nowMs()
  return {
    key,
    policies: policiesOf(world, tier),
    cost,
    nowMs,
    ...(permit !== undefined && {
      permit: { id: permitId, cap: world.tiers[tier].permits!, deadlineMs: nowMs + permit.ttlMs },
    }),
    ...(opId !== undefined && { opId }),
  }
}

/** The tier's policies with the default quantum: 1 ms up to a limit of 256, else 1/256 of the window. */
function policiesOf(world: World, tier: string): readonly ResolvedPolicy[] {
  return world.tiers[tier].policies.map(({ name, limit, windowMs, quantumMs }) => ({
    kind: 'exact',
    name,
    limit,
    windowMs,
    quantumMs: quantumMs ?? (limit <= 256 ? 1 : Math.ceil(windowMs / 256)),
  }))
}

function verdictOf(decision: Decision): unknown {
  const { allowed, policy, limit, remaining, resetAtMs, retryAfterMs, atMs } = decision
  return { allowed, policy, limit, remaining, resetAtMs, retryAfterMs, atMs }
}
