import { memoryStore, Scheduler, seededRandom } from '@ostler/core'
import type { Case, Table } from '../case.ts'
import { benchClock, type BenchClock } from '../rig/fleet.ts'
import { zipfKeys, type Calls, type Load } from '../rig/keys.ts'
import { expectShare } from './admit.ts'
import { mapAndWrite } from './floors.ts'

const OPS = 1_024
const PER_MINUTE = 60

/** A key of a tier that is met again and again: `scheduler.key(key, tier)`. */
interface KeyHandle {
  admit(): boolean
}
type WithHandles = Scheduler & { key(key: string, tier: string): KeyHandle }

export const keyHandleTables: readonly Table[] = [
  {
    name: 'admit by key handle',
    about:
      "10,000 keys by Zipf's law, each by a handle that was made before; 60 a minute, one policy, clock injected.",
    bytes: true,
    cases: [
      byHandle('ostler, admitted', zipfKeys.stepMs, 0, 0.95),
      byHandle('ostler, denied', 0, PER_MINUTE, 0),
      mapAndWrite(zipfKeys),
    ],
    bounds: [
      { row: '*', most: 20 },
      { row: '*', of: 'bytes', most: 0.1 },
    ],
  },
]

interface Handles {
  readonly clock: BenchClock
  readonly handles: readonly KeyHandle[]
}

/** Whether this core has handles: older ones, which `bench:compare` may meet, have none. */
export const HAS_HANDLES: boolean = 'key' in Scheduler.prototype

/** `used` calls of each key come before; at least `share` of those that are timed are admitted, or none. */
export function byHandle(
  name: string,
  stepMs: number,
  used: number,
  share: number,
  load: Load = zipfKeys,
): Case<Calls<Handles>> {
  return {
    name,
    kind: 'ours',
    ops: OPS,
    setup() {
      const clock = benchClock()
      const scheduler = new Scheduler({
        store: memoryStore({ seed: 7 }),
        clock,
        random: seededRandom(7),
        tiers: { free: { policies: [{ name: 'free', limit: PER_MINUTE, windowMs: 60_000 }] } },
      }) as unknown as WithHandles
      const handles = Array.from(load.everyKey(), (key) => scheduler.key(key, 'free'))
      for (const handle of handles) for (let i = 0; i < used; i++) handle.admit()
      return load.calls({ clock, handles })
    },
    run(calls) {
      const { order, limiter } = calls
      const { clock, handles } = limiter
      const mask = order.length - 1
      let allowed = 0
      for (let i = 0; i < OPS; i++) {
        clock.ms += stepMs
        if (handles[order[calls.at++ & mask]].admit()) allowed++
      }
      calls.allowed += allowed
      calls.made += OPS
    },
    validate: (calls) => expectShare(calls, share, share === 0 ? 0 : 1),
  }
}
