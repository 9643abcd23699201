import { memoryStore, Scheduler, seededRandom, type Store } from '@ostler/core'
import type { Bound, Case, Table } from '../case.ts'
import { benchClock, type BenchClock } from '../rig/fleet.ts'
import { freshKeys, oneKey, zipfKeys, type Calls, type Load } from '../rig/keys.ts'
import { mapAndWrite, parts } from './floors.ts'
import { limiters } from './limiters.ts'

const OPS = 1_024
const PER_MINUTE = 60
const FLOOR = 'Map.get and a write'
const LOCAL_STORE = '@fastify/rate-limit, local store'

const ABOUT = 'exact, 60 a minute, one policy, memory store, clock injected; nearly all admitted'

export const admitTables: readonly Table[] = [
  {
    name: 'admit, 1 key',
    about: `One key: ${ABOUT}.`,
    bytes: true,
    cases: [ostler(oneKey), mapAndWrite(oneKey), ...limiters(oneKey)],
    bounds: atMost({ [FLOOR]: 2, 'fast-ratelimit': 0.9, [LOCAL_STORE]: 0.35 }),
  },
  {
    name: 'admit, 10,000 Zipf keys',
    about: `10,000 keys, drawn by Zipf's law: ${ABOUT}.`,
    bytes: true,
    cases: [ostler(zipfKeys), mapAndWrite(zipfKeys), ...limiters(zipfKeys)],
    bounds: atMost({ [FLOOR]: 2, 'fast-ratelimit': 0.9, [LOCAL_STORE]: 0.35 }),
  },
  {
    name: 'admit, denied',
    about: 'The same 10,000 keys, each of which has used up its 60: the clock stands still.',
    cases: [denied(), ostler(zipfKeys, 'ostler, admitted'), ...limiters(zipfKeys, PER_MINUTE)],
    bounds: [{ row: 'ostler', against: 'ostler, admitted', most: 1 }],
  },
  {
    name: 'admit, 1,000,000 fresh strings',
    about: `1,000,000 known keys, evenly drawn, each time as a string that nobody has hashed yet: ${ABOUT}.`,
    cases: [ostler(freshKeys), mapAndWrite(freshKeys), ...limiters(freshKeys)],
    bounds: atMost({ 'fast-ratelimit': 0.5, [LOCAL_STORE]: 0.25 }),
  },
  {
    name: 'admit, own clock',
    about: "10,000 Zipf keys, the machine's clock read by each call.",
    cases: [
      ostlerOwnClock('ostler, admitted', zipfKeys.stepMs),
      ostlerOwnClock('ostler, soon denied', 0),
      mapAndWrite(zipfKeys),
      ...parts(zipfKeys),
    ],
    bounds: [{ row: '*', beyond: [FLOOR, 'Date.now()'], most: 30 }],
  },
]

function atMost(ratios: Readonly<Record<string, number>>): readonly Bound[] {
  return Object.entries(ratios).map(([against, most]) => ({ row: 'ostler', against, most }))
}

interface Ostler {
  readonly clock: BenchClock
  readonly scheduler: Scheduler
}

export function ostler(load: Load, name = 'ostler'): Case<Calls<Ostler>> {
  return {
    name,
    kind: 'ours',
    ops: OPS,
    setup: () => prepared(load),
    ...(load.refresh && { before: (calls) => load.refresh?.(calls) }),
    run(calls) {
      const { keys, order, limiter } = calls
      const { clock, scheduler } = limiter
      const mask = order.length - 1
      const { stepMs } = load
      let allowed = 0
      for (let i = 0; i < OPS; i++) {
        clock.ms += stepMs
        const key = keys[order[calls.at++ & mask]]
        if (scheduler.admit({ key, tier: 'free' }).allowed) allowed++
      }
      calls.allowed += allowed
      calls.made += OPS
    },
    validate: (calls) => expectShare(calls, 0.95, 1),
  }
}

/** The same, once every key has used up what it may, in an instant that stands still. */
export function denied(): Case<Calls<Ostler>> {
  return {
    ...ostler({ ...zipfKeys, stepMs: 0 }),
    setup() {
      const calls = zipfKeys.calls(memoryOstler(zipfKeys.keyCount))
      for (const key of calls.keys) {
        for (let i = 0; i < PER_MINUTE; i++) calls.limiter.scheduler.admit({ key, tier: 'free' })
      }
      return calls
    },
    validate: (calls) => expectShare(calls, 0, 0),
  }
}

/** By the scheduler's own clock, which soon denies most; or by the same clock and what has been put ahead of it, so that all go on being admitted. */
function ostlerOwnClock(name: string, aheadMs: number): Case<Calls<Ostler>> {
  return {
    ...ostler({ ...zipfKeys, stepMs: aheadMs }, name),
    ...(aheadMs === 0 && { note: "60 a minute are few by the machine's clock" }),
    setup() {
      const clock = aheadMs === 0 ? benchClock() : aheadClock()
      const own = schedulerOn(memoryStore({ seed: 7 }), aheadMs === 0 ? undefined : clock)
      return zipfKeys.calls({ clock, scheduler: own })
    },
    validate: (calls) => (aheadMs === 0 ? expectShare(calls, 0, 0.9) : expectShare(calls, 0.95, 1)),
  }
}

/** The machine's clock, read each time, and so many ms more. */
function aheadClock(): BenchClock {
  return {
    ms: 0,
    nowMs() {
      return Date.now() + this.ms
    },
  }
}

function prepared(load: Load): Calls<Ostler> {
  const limiter = memoryOstler(load.keyCount)
  for (const key of load.everyKey()) limiter.scheduler.admit({ key, tier: 'free' })
  return load.calls(limiter)
}

function memoryOstler(keyCount: number): Ostler {
  const clock = benchClock()
  const store = memoryStore({ maxKeys: Math.max(100_000, keyCount), seed: 7 })
  return { clock, scheduler: schedulerOn(store, clock) }
}

function schedulerOn(store: Store<'sync'>, clock?: BenchClock): Scheduler {
  return new Scheduler({
    store,
    random: seededRandom(7),
    ...(clock && { clock }),
    tiers: { free: { policies: [{ name: 'free', limit: PER_MINUTE, windowMs: 60_000 }] } },
  })
}

/** The share admitted must be what the case is named for. */
export function expectShare({ allowed, made }: Calls<unknown>, least: number, most: number): void {
  const share = allowed / made
  if (!(made > 0 && share >= least && share <= most)) {
    throw new Error(`${allowed} of ${made} calls were admitted`)
  }
}
