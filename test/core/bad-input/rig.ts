import { expect, test } from 'vitest'
import {
  memoryStore,
  OstlerError,
  Scheduler,
  seededRandom,
  type Decision,
  type ErrorCode,
  type Lease,
  type Permit,
  type SchedulerOptions,
} from '@ostler/core'
import { ManualClock } from '@ostler/testkit'

export const NOW_MS = 1_200_000_000
/** Stands for every credential: no message may hold it. */
export const SECRET = 'hunter2'
export const WITH_CREDENTIALS = `http://me:${SECRET}@exit.example:8080`

const LONGEST_MESSAGE = 5000

/** A scheduler in use: something counted, held, excluded and in flight, so that a change would show. */
export interface Used {
  readonly scheduler: Scheduler<'sync'>
  readonly clock: ManualClock
  readonly decision: Decision
  readonly permit: Permit
  readonly lease: Lease
}

/** One bad input: what it is, the call, the code it is refused with, and what the message says of it. */
export interface Row {
  readonly name: string
  readonly call: (used: Used) => unknown
  readonly code: ErrorCode
  readonly says: RegExp
}

/** Hands a value to a parameter that its type forbids. */
export function bad(value: unknown): never {
  return value as never
}

export const OPTIONS: Omit<SchedulerOptions<'sync'>, 'store' | 'clock'> = {
  tiers: {
    free: { policies: [{ name: 'minute', limit: 10, windowMs: 60_000 }], permits: 2 },
    open: { policies: [{ name: 'hour', limit: 500, windowMs: 3_600_000 }] },
  },
}

export function inUse(): Used {
  const clock = new ManualClock(NOW_MS)
  const scheduler = new Scheduler({
    ...OPTIONS,
    store: memoryStore({ maxAgents: 10 }),
    clock,
    random: seededRandom(5),
  })
  scheduler.agents.upsert([
    { id: 'de1', country: 'DE', lat: 50.11, lon: 8.68, tags: ['fast'], url: WITH_CREDENTIALS },
    { id: 'de2', country: 'DE', region: 'DE-BE', city: 'Berlin', exitIp: '192.0.2.1' },
    { id: 'fr1', country: 'FR', weight: 2, maxConcurrency: 3 },
    { id: 'at1', country: 'AT' },
  ])
  scheduler.agents.drain(['at1'])
  const decision = scheduler.admit({ key: 'k1', tier: 'free', cost: 3, permit: { ttlMs: 60_000 } })
  scheduler.admit({ key: 'k2', tier: 'open', cost: 7, opId: 'op1' })
  const pick = scheduler.pick({ url: 'https://shop.example/', geo: 'DE', seed: 3, pin: ['de1'] })
  if (pick.kind !== 'picked' || decision.permit === undefined) throw new Error('the rig is broken')
  scheduler.exclude('fr1', 'shop.example', NOW_MS + 90_000)
  return { scheduler, clock, decision, permit: decision.permit, lease: pick.lease }
}

/** All that a caller can see of a scheduler's state, in one string. */
export function fingerprint({ scheduler }: Used): string {
  return JSON.stringify({
    usage: ['k1', 'k2', 'k3'].map((key) => scheduler.usage(key)),
    health: ['shop.example', 'news.example'].map((domain) => scheduler.health(domain)),
    agents: [...scheduler.agents.values()],
    size: scheduler.agents.size,
    // Without a seed: the one that the next pick would use.
    next: scheduler.explain({ url: 'https://shop.example/' }),
    near: scheduler.explain({ url: 'https://shop.example/', geo: '48.21,16.37', seed: 1 }),
    other: scheduler.explain({ url: 'https://news.example/', seed: 2 }),
  })
}

/** What a call throws, or what its promise rejects with. */
export async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** Checks a refusal: its class, code and message. */
export function expectRefusal(error: unknown, code: ErrorCode, says: RegExp): void {
  expect(error).toBeInstanceOf(OstlerError)
  const { code: given, message } = error as OstlerError
  expect([given, message]).toEqual([code, expect.stringMatching(says)])
  expect(message.length).toBeLessThan(LONGEST_MESSAGE)
  expect(message).not.toContain(SECRET)
}

/** One test for each row: refused as documented, and nothing changed. */
export function refuses(rows: readonly Row[]): void {
  test.each(rows)('$name', async ({ call, code, says }) => {
    const used = inUse()
    const before = fingerprint(used)
    const error = await thrownBy(() => call(used))
    expectRefusal(error, code, says)
    expect(fingerprint(used)).toBe(before)
  })
}
