import type { Case } from '../case.ts'
import type { Calls, Load } from '../rig/keys.ts'

const OPS = 1_024

interface Slots {
  readonly slotOf: Map<string, number>
  readonly counts: Float64Array
}

/** What else a call may have to pay for: a clock, a promise, an object. */
export function parts(load: Load): readonly Case[] {
  return [dateNow(load), awaited(load), resultObject(load)]
}

/** What no limiter goes below on this machine, by the same keys in the same order: find the key's slot, and count there. */
export function mapAndWrite(load: Load): Case<Calls<Slots>> {
  return {
    name: 'Map.get and a write',
    kind: 'floor',
    note: 'to a typed array',
    ops: OPS,
    setup: () => load.calls(slots(load)),
    ...(load.refresh && { before: (calls) => load.refresh?.(calls) }),
    run(calls) {
      const { keys, order, limiter } = calls
      const { slotOf, counts } = limiter
      const mask = order.length - 1
      for (let i = 0; i < OPS; i++) {
        const slot = slotOf.get(keys[order[calls.at++ & mask]])
        if (slot !== undefined) counts[slot] += 1
      }
      calls.made += OPS
    },
    validate({ limiter, made }) {
      const counted = limiter.counts.reduce((sum, count) => sum + count, 0)
      if (made === 0 || counted !== made) throw new Error(`${counted} of ${made} were counted`)
    },
  }
}

function slots(load: Load): Slots {
  const slotOf = new Map<string, number>()
  for (const key of load.everyKey()) slotOf.set(key, slotOf.size)
  return { slotOf, counts: new Float64Array(slotOf.size) }
}

function dateNow(load: Load): Case<Calls<null>> {
  return {
    name: 'Date.now()',
    kind: 'floor',
    ops: OPS,
    setup: () => load.calls(null),
    run(calls) {
      let newest = 0
      for (let i = 0; i < OPS; i++) newest = Math.max(newest, Date.now())
      calls.at = newest
      calls.made += OPS
    },
    validate: ({ at }) => expectAbove(at, 0),
  }
}

/** What any limiter pays that answers by a promise. */
function awaited(load: Load): Case<Calls<null>> {
  return {
    name: 'an awaited resolved promise',
    kind: 'floor',
    ops: OPS,
    async: true,
    setup: () => load.calls(null),
    async run(calls) {
      for (let i = 0; i < OPS; i++) calls.made += await resolved(1)
    },
    validate: ({ made }) => expectAbove(made, 0),
  }
}

async function resolved(value: number): Promise<number> {
  return value
}

/** What answering by an object of a decision's shape costs. */
export function resultObject(load: Load): Case<Calls<{ last: object }>> {
  return {
    name: 'a result object',
    kind: 'floor',
    note: 'of the shape of a decision, kept until the next',
    ops: OPS,
    setup: () => load.calls({ last: {} }),
    run(calls) {
      const { keys, order, limiter } = calls
      const mask = order.length - 1
      for (let i = 0; i < OPS; i++) {
        const at = calls.at++
        limiter.last = decision(keys[order[at & mask]], at)
      }
      calls.made += OPS
    },
    validate: ({ made }) => expectAbove(made, 0),
  }
}

function decision(key: string, atMs: number): object {
  return {
    allowed: true,
    policy: 'free',
    limit: 60,
    remaining: 59,
    resetAtMs: atMs + 60_000,
    retryAfterMs: 0,
    atMs,
    key,
    tier: 'free',
    cost: 1,
    source: 'memory',
    degraded: false,
  }
}

function expectAbove(value: number, least: number): void {
  if (!(value > least)) throw new Error('nothing ran')
}
