import type { Policy } from '@ostler/core'
import { named, ofKind, type AdmitEvent, type Event, type Violation } from './events.ts'
import type { World } from './world.ts'

/** Two readings of one clock in the same millisecond may be rounded to two. */
const READING_MS = 1

interface Hit {
  readonly atMs: number
  readonly cost: number
}

/** What each admitted call counted for: those that the store itself decided, a repeated operation once. */
export function limitViolations(events: readonly Event[], world: World): Violation[] {
  const admitted = ofKind(events, 'admit').filter(
    ({ answer }) => answer?.allowed === true && !answer.degraded,
  )
  const violations: Violation[] = []
  const hits = new Map<string, { readonly policy: Policy; readonly hits: Hit[] }>()
  const operations = new Map<string, AdmitEvent[]>()
  for (const call of admitted) {
    const atMs = call.answer?.atMs ?? 0
    if (call.opId !== undefined) {
      const operation = `${call.key} ${call.opId}`
      const same = operations.get(operation) ?? []
      operations.set(operation, [...same, call])
      if (same.some(({ answer }) => answer?.atMs === atMs)) continue
    } else violations.push(...timeViolations(call, atMs))
    for (const policy of world.tiers[call.tier].policies) {
      const name = `${policy.name} of ${call.key}`
      if (!hits.has(name)) hits.set(name, { policy, hits: [] })
      hits.get(name)?.hits.push({ atMs, cost: call.cost })
    }
  }
  for (const [name, { policy, hits: all }] of hits) {
    all.sort((a, b) => a.atMs - b.atMs)
    const over = policy.smooth === undefined ? windowOver(all, policy) : burstOver(all, policy)
    if (over !== null) violations.push({ law: 'limit-safety', text: `${name}: ${over}` })
  }
  return [...violations, ...operationViolations(operations, world)]
}

/** What the store says when it decided must lie within the call: else windows over its instants would prove nothing. */
function timeViolations(call: AdmitEvent, atMs: number): Violation[] {
  if (call.startMs - READING_MS <= atMs && atMs <= call.endMs + READING_MS) return []
  const text = `${named(call)} from ${call.startMs} to ${call.endMs} was decided at ${atMs}`
  return [{ law: 'store-time', text }]
}

/** Every window that ends with a hit: any other holds no more than one of these. */
function windowOver(hits: readonly Hit[], { limit, windowMs }: Policy): string | null {
  let used = 0
  let first = 0
  for (const { atMs, cost } of hits) {
    used += cost
    while (hits[first].atMs <= atMs - windowMs) used -= hits[first++].cost
    if (used > limit) return `${used} of ${limit} admitted in the ${windowMs} ms up to ${atMs}`
  }
  return null
}

/** A bucket of `burst` that drains at limit / windowMs: what comes in never overflows it. Counted in units that keep it exact. */
function burstOver(hits: readonly Hit[], { limit, windowMs, smooth }: Policy): string | null {
  const burst = smooth?.burst ?? 0
  let level = 0
  let lastMs = hits[0].atMs
  for (const { atMs, cost } of hits) {
    level = Math.max(0, level - (atMs - lastMs) * limit) + cost * windowMs
    lastMs = atMs
    if (level > burst * windowMs)
      return `${level / windowMs} outstanding of a burst of ${burst} at ${atMs}`
  }
  return null
}

/** Within the longest window a repeated operation is told the instant at which it was admitted, and not admitted again. */
function operationViolations(
  operations: ReadonlyMap<string, readonly AdmitEvent[]>,
  world: World,
): Violation[] {
  return [...operations].flatMap(([name, calls]) => {
    const rememberedMs = Math.max(
      ...world.tiers[calls[0].tier].policies.map(({ windowMs }) => windowMs),
    )
    const instants = [...new Set(calls.map(({ answer }) => answer?.atMs ?? 0))].sort()
    return instants.slice(1).flatMap((atMs, i) => {
      if (atMs - instants[i] >= rememberedMs) return []
      return [{ law: 'idempotent-op', text: `${name} was admitted at ${instants[i]} and ${atMs}` }]
    })
  })
}
