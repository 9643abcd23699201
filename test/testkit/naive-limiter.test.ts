import type { ConsumeRequest, ResolvedPolicy } from '@ostler/core'
import { NaiveLimiter } from '@ostler/testkit'
import { expect, test } from 'vitest'

const T = 10_000

function policy(limit: number, windowMs: number, quantumMs = 1, name = 'p'): ResolvedPolicy {
  return { kind: 'exact', name, limit, windowMs, quantumMs }
}

function call(policies: readonly ResolvedPolicy[], nowMs: number, cost = 1): ConsumeRequest {
  return { key: 'k', policies, cost, nowMs }
}

test('counts a hit at the end of its quantum until that has left the window', () => {
  const limiter = new NaiveLimiter()
  const policies = [policy(1, 1_000, 100)]
  // A hit at 10,050 counts as one at 10,099, which leaves at 11,099.
  expect(limiter.consume(call(policies, T + 50)).resetAtMs).toBe(T + 1_099)
  expect(limiter.peek(call(policies, T + 1_098))).toMatchObject({ allowed: false, retryAfterMs: 1 })
  expect(limiter.peek(call(policies, T + 1_099)).allowed).toBe(true)
})

test('waits for as many old hits as a cost needs', () => {
  const limiter = new NaiveLimiter()
  const policies = [policy(4, 1_000)]
  limiter.consume(call(policies, T, 2))
  limiter.consume(call(policies, T + 300, 2))
  expect(limiter.peek(call(policies, T + 400, 2)).retryAfterMs).toBe(600)
  expect(limiter.peek(call(policies, T + 400, 3)).retryAfterMs).toBe(900)
  expect(limiter.peek(call(policies, T + 400, 5)).retryAfterMs).toBe(-1)
})

test('counts in every policy or in none', () => {
  const limiter = new NaiveLimiter()
  const policies = [policy(9, 1_000, 1, 'wide'), policy(1, 500, 1, 'narrow')]
  limiter.consume(call(policies, T))
  expect(limiter.consume(call(policies, T + 1)).policy).toBe('narrow')
  expect(limiter.usage('k', policies, T + 1).map(({ used }) => used)).toEqual([1, 1])
})

test('gives back what still counts, once for an operation', () => {
  const limiter = new NaiveLimiter()
  const policies = [policy(2, 1_000)]
  const op = { ...call(policies, T), opId: 'op' }
  limiter.consume(op)
  expect(limiter.consume(op).remaining).toBe(1)
  const back = { key: 'k', policies, cost: 1, atMs: T, nowMs: T + 1, opId: 'op' }
  expect([limiter.refund(back), limiter.refund(back)]).toEqual([true, false])
  expect(limiter.usage('k', policies, T)[0].used).toBe(0)
})

test('holds permits up to the cap, each until its deadline', () => {
  const limiter = new NaiveLimiter()
  const ask = (id: string, nowMs: number) =>
    limiter.consume({ ...call([], nowMs), permit: { id, cap: 1, deadlineMs: nowMs + 100 } })
  expect(ask('a', T).allowed).toBe(true)
  expect(ask('b', T + 99)).toMatchObject({ allowed: false, policy: 'permits', retryAfterMs: 1 })
  expect(ask('b', T + 100).allowed).toBe(true)
  expect(limiter.permits.renew('k', 'a', T + 500, T + 100)).toBe(false)
})
